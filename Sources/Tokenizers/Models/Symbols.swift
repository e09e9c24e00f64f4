/// A word on its way through BPE: symbols that are merged until nothing merges.
struct Symbols {
  private(set) var ids: [Int32] = []
  /// How many bytes of the word each symbol stands for; 0 once it is merged into the one before it.
  private var lengths: [Int32] = []
  /// By symbol what it and the next one become, as `rank << 32 | id`.
  private var merges: [UInt64] = []
  // Only for long words: the neighbours of each symbol, and a heap of `rank << 32 | place`.
  private var before: [Int32] = []
  private var after: [Int32] = []
  private var heap: [UInt64] = []
  /// Where each symbol ends in its word, once they were emitted.
  private(set) var ends: [Int32] = []

  /// Words of more symbols are merged with a heap.
  private static let longWord = 64

  mutating func reset() {
    ids.removeAll(keepingCapacity: true)
    lengths.removeAll(keepingCapacity: true)
    merges.removeAll(keepingCapacity: true)
  }

  /// Says what the last symbol and the one that comes next become; either for all of them or for none.
  mutating func appendPair(_ merge: UInt64) { merges.append(merge) }

  mutating func append(_ id: Int32, _ length: Int) {
    ids.append(id)
    lengths.append(Int32(truncatingIfNeeded: length))
  }

  /// Merges what merges: always the pair of lowest rank, of several the leftmost.
  mutating func merge(_ table: MergeTable) {
    if ids.count < 2 { return }
    if ids.count <= Self.longWord { mergeShort(table) } else { mergeLong(table) }
  }

  /// Appends the symbols as the tokens of a word that starts at `start`.
  mutating func emit(_ start: Int, into tokens: inout Tokens) {
    ends.removeAll(keepingCapacity: true)
    var end: Int32 = 0
    for index in ids.indices {
      let first = end
      end += lengths[index]
      ends.append(end)
      tokens.append(ids[index], start + Int(first), start + Int(end))
    }
  }

  /// Looks through all pairs for each merge: the fastest way while they are few.
  private mutating func mergeShort(_ table: MergeTable) {
    var count = ids.count
    if merges.isEmpty {
      for index in 0..<count - 1 { merges.append(table.packed(ids[index], ids[index + 1])) }
    }
    while count > 1 {
      var best = UInt64.max
      var place = 0
      for index in 0..<count - 1 where merges[index] < best {
        best = merges[index]
        place = index
      }
      if best == .max { break }
      // Equal ranks are equal merges, so that the first of the smallest is the leftmost.
      ids[place] = Int32(truncatingIfNeeded: best)
      lengths[place] += lengths[place + 1]
      count -= 1
      var index = place + 1
      while index < count {
        ids[index] = ids[index + 1]
        lengths[index] = lengths[index + 1]
        merges[index - 1] = merges[index]
        index += 1
      }
      if place > 0 { merges[place - 1] = table.packed(ids[place - 1], ids[place]) }
      if place + 1 < count { merges[place] = table.packed(ids[place], ids[place + 1]) }
    }
    ids.removeLast(ids.count - count)
    lengths.removeLast(lengths.count - count)
  }

  /// Keeps the pairs in a heap: n log n steps for n symbols.
  private mutating func mergeLong(_ table: MergeTable) {
    let count = ids.count
    before.removeAll(keepingCapacity: true)
    after.removeAll(keepingCapacity: true)
    merges.removeAll(keepingCapacity: true)
    heap.removeAll(keepingCapacity: true)
    for index in 0..<count {
      before.append(Int32(index) - 1)
      after.append(index + 1 < count ? Int32(index) + 1 : -1)
      merges.append(index + 1 < count ? table.packed(ids[index], ids[index + 1]) : .max)
      if merges[index] != .max { push(merges[index] & 0xFFFF_FFFF_0000_0000 | UInt64(index)) }
    }
    while let top = pop() {
      let place = Int(top & 0xFFFF_FFFF)
      // A pair that is no longer there, or another one by now.
      guard lengths[place] > 0, merges[place] != .max, merges[place] >> 32 == top >> 32 else {
        continue
      }
      let right = Int(after[place])
      ids[place] = Int32(truncatingIfNeeded: merges[place])
      lengths[place] += lengths[right]
      lengths[right] = 0
      after[place] = after[right]
      if after[place] >= 0 { before[Int(after[place])] = Int32(place) }
      pair(place, table)
      if before[place] >= 0 { pair(Int(before[place]), table) }
    }
    compact()
  }

  /// Looks up what a symbol and its next one become.
  private mutating func pair(_ place: Int, _ table: MergeTable) {
    let next = Int(after[place])
    merges[place] = next < 0 ? .max : table.packed(ids[place], ids[next])
    if merges[place] != .max { push(merges[place] & 0xFFFF_FFFF_0000_0000 | UInt64(place)) }
  }

  private mutating func compact() {
    var count = 0
    for index in ids.indices where lengths[index] > 0 {
      ids[count] = ids[index]
      lengths[count] = lengths[index]
      count += 1
    }
    ids.removeLast(ids.count - count)
    lengths.removeLast(lengths.count - count)
  }

  // MARK: - The heap, smallest first

  private mutating func push(_ value: UInt64) {
    heap.append(value)
    var place = heap.count - 1
    while place > 0 {
      let parent = (place - 1) / 4
      if heap[parent] <= value { break }
      heap[place] = heap[parent]
      place = parent
    }
    heap[place] = value
  }

  private mutating func pop() -> UInt64? {
    guard let top = heap.first, let last = heap.popLast() else { return nil }
    let count = heap.count
    if count == 0 { return top }
    var place = 0
    while true {
      let first = place * 4 + 1
      if first >= count { break }
      var least = first
      for child in first + 1..<min(first + 4, count) where heap[child] < heap[least] {
        least = child
      }
      if heap[least] >= last { break }
      heap[place] = heap[least]
      place = least
    }
    heap[place] = last
    return top
  }
}
