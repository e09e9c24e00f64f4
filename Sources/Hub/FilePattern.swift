/// A pattern for file names, as Python's `fnmatch.fnmatchcase` and huggingface_hub read it.
///
/// `*` stands for anything, slashes too, `?` for one character, `[…]` for one of some; a pattern that ends in `/`
/// means all that lies in the folder. Source: CPython, `fnmatch.translate`; huggingface_hub 2.4.0,
/// `utils/_paths.py`.
struct FilePattern: Sendable {
  private let items: [Item]

  private enum Item: Sendable {
    case anything
    case any
    case one(Unicode.Scalar)
    case set([ClosedRange<UInt32>], isNegated: Bool)
  }

  init(_ text: String) {
    var scalars = text.unicodeScalars.map { $0 == "\\" ? "/" : $0 }
    if scalars.last == "/" { scalars.append("*") }
    var items: [Item] = []
    var index = 0
    while index < scalars.count {
      let scalar = scalars[index]
      index += 1
      switch scalar {
      case "*":
        if case .anything = items.last { continue }
        items.append(.anything)
      case "?": items.append(.any)
      case "[":
        if let end = Self.end(of: scalars, from: index) {
          items.append(Self.set(scalars[index..<end]))
          index = end + 1
        } else {
          items.append(.one("["))
        }
      default: items.append(.one(scalar))
      }
    }
    self.items = items
  }

  /// Whether a path is one of those that are meant.
  func matches(_ path: String) -> Bool {
    let scalars = path.unicodeScalars.map { $0 == "\\" ? "/" : $0 }
    var item = 0
    var at = 0
    // Where the last `*` stands, and how much it has taken; an earlier one need never take more.
    var star: (item: Int, at: Int)?
    while true {
      if item < items.count, case .anything = items[item] {
        star = (item, at)
        item += 1
      } else if item < items.count, at < scalars.count, Self.matches(items[item], scalars[at]) {
        item += 1
        at += 1
      } else if item == items.count, at == scalars.count {
        return true
      } else if let last = star, last.at < scalars.count {
        star = (last.item, last.at + 1)
        item = last.item + 1
        at = last.at + 1
      } else {
        return false
      }
    }
  }

  private static func matches(_ item: Item, _ scalar: Unicode.Scalar) -> Bool {
    switch item {
    case .anything, .any: true
    case .one(let wanted): wanted == scalar
    case .set(let ranges, let isNegated):
      ranges.contains { $0.contains(scalar.value) } != isNegated
    }
  }

  /// Where a set that was opened ends; a bracket that closes at once is one of it.
  private static func end(of scalars: [Unicode.Scalar], from start: Int) -> Int? {
    var index = start
    if index < scalars.count, scalars[index] == "!" { index += 1 }
    if index < scalars.count, scalars[index] == "]" { index += 1 }
    return scalars[min(index, scalars.count)...].firstIndex(of: "]")
  }

  /// What stands between brackets.
  private static func set(_ text: ArraySlice<Unicode.Scalar>) -> Item {
    let isNegated = text.first == "!"
    let body = Array(isNegated ? text.dropFirst() : text)
    var ranges: [ClosedRange<UInt32>] = []
    var index = 0
    while index < body.count {
      let low = body[index].value
      // A hyphen is a range's where something stands on both sides of it.
      if index + 2 < body.count, body[index + 1] == "-" {
        let high = body[index + 2].value
        // A range that runs backwards holds nothing.
        if low <= high { ranges.append(low...high) }
        index += 3
      } else {
        ranges.append(low...low)
        index += 1
      }
    }
    return .set(ranges, isNegated: isNegated)
  }
}
