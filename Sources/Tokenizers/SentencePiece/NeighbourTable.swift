/// Which characters stand side by side in any piece of a vocabulary.
///
/// A character is written as its bytes, the first one highest; bytes that are no UTF-8 count as
/// sentencepiece counts them, by the first byte alone.
struct NeighbourTable: Sendable {
  /// Characters below 0x80, and U+2581 (which stands for a space) as 0x80: a bit for each pair.
  private var common = [Bool](repeating: false, count: 129 * 256)
  /// All other pairs, the left one high; open addressing, 0 is free. (NUL with NUL is a common pair.)
  private var slots: [UInt64]
  private var count = 0
  private let seed = UInt64.random(in: .min ... .max) | 1

  /// Takes the pieces that a text's own characters may become.
  init(_ file: SentencePieceFile) {
    slots = [UInt64](repeating: 0, count: 1024)
    for piece in file.pieces where piece.kind.isOrdinary {
      let range = piece.range
      var place = range.lowerBound
      var last: UInt32?
      while place < range.upperBound {
        let length = min(scalarLength(file.bytes[place]), range.upperBound - place)
        let character = Self.character(file.bytes, place, length)
        if let last { add(last, character) }
        last = character
        place += length
      }
    }
  }

  /// A character's bytes as one number.
  @inline(__always)
  static func character(_ text: [UInt8], _ place: Int, _ length: Int) -> UInt32 {
    var result = UInt32(text[place])
    for offset in 1..<max(1, length) { result = result << 8 | UInt32(text[place + offset]) }
    return result
  }

  @inline(__always)
  func holds(_ left: UInt32, _ right: UInt32) -> Bool {
    if let pair = Self.common(left, right) { return common[pair] }
    let pair = UInt64(left) << 32 | UInt64(right)
    var slot = slot(pair)
    while slots[slot] != 0 {
      if slots[slot] == pair { return true }
      slot = (slot + 1) & (slots.count - 1)
    }
    return false
  }

  private static func common(_ left: UInt32, _ right: UInt32) -> Int? {
    let left = left == 0xE29681 ? 0x80 : left
    let right = right == 0xE29681 ? 0x80 : right
    return left <= 0x80 && right <= 0x80 ? Int(left) << 8 | Int(right) : nil
  }

  private func slot(_ pair: UInt64) -> Int {
    let product = (pair ^ seed).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    return Int(truncatingIfNeeded: product.high ^ product.low) & (slots.count - 1)
  }

  private mutating func add(_ left: UInt32, _ right: UInt32) {
    if let pair = Self.common(left, right) {
      common[pair] = true
      return
    }
    guard !holds(left, right) else { return }
    if (count + 1) * 2 > slots.count {
      let old = slots
      slots = [UInt64](repeating: 0, count: old.count * 2)
      for pair in old where pair != 0 { insert(pair) }
    }
    insert(UInt64(left) << 32 | UInt64(right))
    count += 1
  }

  private mutating func insert(_ pair: UInt64) {
    var slot = slot(pair)
    while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
    slots[slot] = pair
  }
}
