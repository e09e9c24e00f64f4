extension Team {
  /// Works on pieces of the given sizes: large ones one after the other, where the body spreads its work
  /// over the team, then all others side by side, each by one thread.
  ///
  /// Who does what depends on nothing but the sizes and the number of threads. Pieces of size 0 are worked
  /// on as well.
  public static func forEach(sizes: [Int], _ body: (Int) -> Void) {
    let threads = size
    if threads == 1 { return sizes.indices.forEach(body) }
    let total = sizes.reduce(0, +)
    // A thread that gets more than half its share at once may end up with too much.
    let isLarge = sizes.map { 2 * threads * $0 > total }
    for index in sizes.indices where isLarge[index] { body(index) }
    let lists = shared(sizes, among: threads, sizes.indices.filter { !isLarge[$0] })
    forEach(threads) { thread in lists[thread].forEach(body) }
  }

  /// Deals pieces out, the largest first, each to the one who has least.
  private static func shared(_ sizes: [Int], among threads: Int, _ pieces: [Int]) -> [[Int]] {
    var lists = [[Int]](repeating: [], count: threads)
    var loads = [Int](repeating: 0, count: threads)
    for piece in pieces.sorted(by: { (sizes[$1], $0) < (sizes[$0], $1) }) {
      var least = 0
      for thread in 1..<threads where loads[thread] < loads[least] { least = thread }
      lists[least].append(piece)
      loads[least] += sizes[piece]
    }
    return lists
  }
}
