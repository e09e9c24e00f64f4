/// Byte-pair encoding as sentencepiece does it: of all neighbours that together are a piece those with the
/// best score are joined, leftmost first, until none are left.
///
/// Two characters that no piece holds side by side are never joined across, so a text falls apart there
/// into words that can be cut alone, and remembered.
///
/// Source: bpe_model.cc of sentencepiece 0.2.3.
struct ScoredMerges: Sendable {
  private let vocabulary: Vocabulary
  /// By id: whether a text's own characters may become the piece.
  private let isOrdinary: [Bool]
  /// By id: how early a piece is made; larger is earlier.
  ///
  /// It is the order of the scores' bits, as the library has
  /// it, so that -0 comes behind 0.
  private let priorities: [Int32]
  /// By id: whether the piece must be taken apart again.
  private let isUnused: [Bool]
  private let hasUnused: Bool
  private let neighbours: NeighbourTable

  /// Pieces that must be taken apart are so to this depth.
  private static let deepestResegmentation = 100

  /// Words of more characters than this are cut with a heap.
  private static let longestScan = 24

  /// - Parameter vocabulary: all pieces.
  init(_ file: SentencePieceFile, _ vocabulary: Vocabulary) {
    self.vocabulary = vocabulary
    isOrdinary = file.pieces.map(\.kind.isOrdinary)
    priorities = file.pieces.map { piece in
      let bits = Int32(bitPattern: piece.score.bitPattern)
      return bits < 0 ? bits ^ 0x7FFF_FFFF : bits
    }
    isUnused = file.pieces.map { $0.kind == .unused }
    // A NUL that is no use is not even there.
    hasUnused = file.pieces.contains { $0.kind == .unused && !file.isNull($0) }
    neighbours = NeighbourTable(file)
  }

  /// Whether something may be joined across the border of two characters.
  ///
  /// How unused pieces are taken apart depends on what was joined elsewhere in the text, so with those a
  /// text is one word.
  @inline(__always)
  func mayJoin(_ left: UInt32, _ right: UInt32) -> Bool {
    hasUnused || neighbours.holds(left, right)
  }

  /// Cuts a word.
  ///
  /// - Parameter found: is given each piece's id, -1 for what is no piece, and its bytes, in order.
  func cut(_ text: [UInt8], _ range: Range<Int>, _ found: (Int32, Range<Int>) -> Void) {
    var cuts = Cuts(text, range)
    if cuts.count <= Self.longestScan, !hasUnused {
      scan(&cuts, text)
      cuts.forEach { start, end in found(id(text, start..<end) ?? -1, start..<end) }
      return
    }
    var origins: [ArraySlice<UInt8>: Int] = [:]
    join(&cuts, text, &origins)
    cuts.forEach { start, end in
      resegment(text, start..<end, origins, 0, found)
    }
  }

  /// The id of an ordinary piece.
  func id(_ text: [UInt8], _ range: Range<Int>) -> Int32? {
    guard let id = vocabulary.id(of: text, range), isOrdinary[Int(id)] else { return nil }
    return id
  }

  /// Joins by looking through all neighbours each time: for words, the fastest way.
  private func scan(_ cuts: inout Cuts, _ text: [UInt8]) {
    var starts = cuts.starts
    // The priority of joining each symbol with the next.
    var keys = [Int32](repeating: .min, count: starts.count)
    func key(_ index: Int) -> Int32 {
      guard index + 2 < starts.count, let id = id(text, starts[index]..<starts[index + 2]) else {
        return .min
      }
      // The smallest number is that of no pair.
      return max(priorities[Int(id)], .min + 1)
    }
    for index in 0..<starts.count { keys[index] = key(index) }
    while true {
      var best = 0
      for index in 0..<keys.count where keys[index] > keys[best] { best = index }
      guard keys[best] > .min else { break }
      starts.remove(at: best + 1)
      keys.remove(at: best + 1)
      keys[best] = key(best)
      if best > 0 { keys[best - 1] = key(best - 1) }
    }
    cuts.replace(starts)
  }

  // MARK: Long words

  /// Joins by a heap of neighbours.
  ///
  /// - Parameter origins: for pieces that must be taken apart, where their second half begins.
  private func join(
    _ cuts: inout Cuts, _ text: [UInt8], _ origins: inout [ArraySlice<UInt8>: Int]
  ) {
    var chain = cuts.chain()
    var heap = Heap()
    // For each symbol what joining it with the next one is called in the heap; nothing else there counts.
    var keys = [UInt64](repeating: .max, count: chain.count)
    func offer(_ left: Int32, _ right: Int32, _ origins: inout [ArraySlice<UInt8>: Int]) {
      guard left >= 0 else { return }
      guard right >= 0, let id = id(text, chain.start(left)..<chain.end(right)) else {
        keys[Int(left)] = .max
        return
      }
      // The best first, and of equal ones the leftmost.
      let order = ~(UInt32(bitPattern: priorities[Int(id)]) ^ 0x8000_0000)
      keys[Int(left)] = UInt64(order) << 32 | UInt64(UInt32(bitPattern: left))
      heap.push(keys[Int(left)])
      if isUnused[Int(id)] {
        origins[text[chain.start(left)..<chain.end(right)]] =
          chain.start(right) - chain.start(left)
      }
    }
    for right in 1..<max(1, chain.count) { offer(Int32(right - 1), Int32(right), &origins) }
    while let key = heap.pop() {
      let left = Int32(truncatingIfNeeded: key)
      guard keys[Int(left)] == key else { continue }
      let right = chain.next(left)
      chain.join(left, right)
      keys[Int(right)] = .max
      offer(chain.previous(left), left, &origins)
      offer(left, chain.next(left), &origins)
    }
    cuts.replace(chain.starts)
  }

  private func resegment(
    _ text: [UInt8], _ range: Range<Int>, _ origins: [ArraySlice<UInt8>: Int], _ depth: Int,
    _ found: (Int32, Range<Int>) -> Void
  ) {
    guard let id = id(text, range) else { return found(-1, range) }
    guard isUnused[Int(id)], depth <= Self.deepestResegmentation else { return found(id, range) }
    guard let length = origins[text[range]] else { return found(-1, range) }
    let middle = range.lowerBound + length
    resegment(text, range.lowerBound..<middle, origins, depth + 1, found)
    resegment(text, middle..<range.upperBound, origins, depth + 1, found)
  }

  /// A heap of numbers, the smallest on top; each has four below it, which lie side by side.
  private struct Heap {
    private var keys: [UInt64] = []

    mutating func push(_ key: UInt64) {
      keys.append(key)
      var index = keys.count - 1
      while index > 0 {
        let parent = (index - 1) / 4
        guard key < keys[parent] else { break }
        keys[index] = keys[parent]
        index = parent
      }
      keys[index] = key
    }

    mutating func pop() -> UInt64? {
      guard let top = keys.first, let last = keys.popLast() else { return nil }
      guard !keys.isEmpty else { return top }
      var index = 0
      while true {
        let first = 4 * index + 1
        guard first < keys.count else { break }
        var best = first
        for child in first..<min(first + 4, keys.count) where keys[child] < keys[best] {
          best = child
        }
        guard keys[best] < last else { break }
        keys[index] = keys[best]
        index = best
      }
      keys[index] = last
      return top
    }
  }
}

/// Where a word is cut: where each symbol begins, and after them where the last ends.
private struct Cuts {
  private(set) var starts: [Int] = []

  /// The characters of a part of a text.
  init(_ text: [UInt8], _ range: Range<Int>) {
    var place = range.lowerBound
    while place < range.upperBound {
      starts.append(place)
      place += scalarLength(text[place])
    }
    starts.append(range.upperBound)
  }

  var count: Int { starts.count - 1 }

  mutating func replace(_ starts: [Int]) { self.starts = starts }

  func forEach(_ body: (Int, Int) -> Void) {
    for index in 0..<count { body(starts[index], starts[index + 1]) }
  }

  func chain() -> Chain { Chain(starts) }

  /// Cuts that are joined without moving the others.
  struct Chain {
    private struct Link {
      var start: Int32
      /// Where it ends; its start for one that has been joined to another.
      var end: Int32
      var previous: Int32
      var next: Int32
    }

    private var links: [Link]
    private let limit: Int

    init(_ starts: [Int]) {
      limit = starts[starts.count - 1]
      links = (0..<starts.count - 1).map { index in
        Link(
          start: Int32(starts[index]), end: Int32(starts[index + 1]), previous: Int32(index - 1),
          next: index + 2 < starts.count ? Int32(index + 1) : -1)
      }
    }

    var count: Int { links.count }
    func start(_ index: Int32) -> Int { Int(links[Int(index)].start) }
    func end(_ index: Int32) -> Int { Int(links[Int(index)].end) }
    func previous(_ index: Int32) -> Int32 { links[Int(index)].previous }
    func next(_ index: Int32) -> Int32 { links[Int(index)].next }
    mutating func join(_ left: Int32, _ right: Int32) {
      links[Int(left)].end = links[Int(right)].end
      links[Int(left)].next = links[Int(right)].next
      if links[Int(right)].next >= 0 { links[Int(links[Int(right)].next)].previous = left }
      links[Int(right)].end = links[Int(right)].start
    }

    var starts: [Int] {
      links.filter { $0.end > $0.start }.map { Int($0.start) } + [limit]
    }
  }
}
