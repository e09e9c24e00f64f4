import Tensors

/// Numbers the keys or file names of a `.metadata` file, however many texts of the pickle spell one.
///
/// Names are equal if their bytes are, as for Python.
struct KeyTable {
  private var table: ByteTable
  /// By number: a text that spells the name.
  private(set) var texts: [Int] = []
  /// By text: its number, or -1 before anybody asked.
  private var known: [Int32]

  var count: Int { texts.count }

  init(_ arena: borrowing PickleArena, capacity: Int = 0) {
    known = Array(repeating: -1, count: arena.texts.count)
    table = ByteTable(capacity: capacity)
    texts.reserveCapacity(capacity)
  }

  mutating func number(ofText text: Int, in arena: borrowing PickleArena) -> Int {
    if known[text] >= 0 { return Int(known[text]) }
    let number = table.number(of: arena.content(text)) { arena.content(texts[$0]) }
    if number == texts.count { texts.append(text) }
    known[text] = Int32(number)
    return number
  }

  func name(_ number: Int, in arena: borrowing PickleArena) -> String {
    arena.string(texts[number])
  }
}
