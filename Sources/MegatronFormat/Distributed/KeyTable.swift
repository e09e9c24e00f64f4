/// Numbers the keys of a `.metadata` file, so that each becomes a `String` and is hashed once,
/// however many texts of the pickle spell it.
struct KeyTable {
  /// By number.
  private(set) var names: [String] = []
  private var numbers: [String: Int32] = [:]
  /// By text; -1 for one that nobody asked for yet.
  private var known: [Int32]

  init(_ arena: borrowing PickleArena) { known = Array(repeating: -1, count: arena.texts.count) }

  mutating func reserve(_ count: Int) {
    names.reserveCapacity(count)
    numbers.reserveCapacity(count)
  }

  mutating func number(ofText text: Int, in arena: borrowing PickleArena) -> Int {
    if known[text] >= 0 { return Int(known[text]) }
    let name = arena.string(text)
    // One look for both questions.
    let number = { (number: inout Int32) in
      if number < 0 { number = Int32(names.count) }
      return number
    }(&numbers[name, default: -1])
    if number == names.count { names.append(name) }
    known[text] = number
    return Int(number)
  }
}
