/// Which rows of which split: `train`, `train[:512]`, `validation[10%:20%]`, as `datasets` writes it.
public struct DataSplit: Sendable, Equatable {
  public var name: String
  public var from: Bound?
  public var to: Bound?

  public enum Bound: Sendable, Equatable {
    case rows(Int)
    case percent(Int)
  }

  public init(_ name: String, from: Bound? = nil, to: Bound? = nil) {
    self.name = name
    self.from = from
    self.to = to
  }

  /// Takes a split apart; `nil` if it is not written so.
  public init?(parsing text: String) {
    guard let open = text.firstIndex(of: "[") else {
      guard !text.isEmpty, text.utf8.allSatisfy(Self.isName) else { return nil }
      self.init(text)
      return
    }
    let name = text[..<open]
    guard !name.isEmpty, name.utf8.allSatisfy(Self.isName), text.hasSuffix("]") else { return nil }
    let bounds = text[text.index(after: open)...].dropLast()
      .split(separator: ":", omittingEmptySubsequences: false)
    guard bounds.count == 2 else { return nil }
    var found: [Bound?] = []
    for bound in bounds {
      if bound.isEmpty {
        found.append(nil)
        continue
      }
      let isShare = bound.hasSuffix("%")
      guard let number = Int(isShare ? bound.dropLast() : bound) else { return nil }
      if isShare, !(-100...100).contains(number) { return nil }
      found.append(isShare ? .percent(number) : .rows(number))
    }
    self.init(String(name), from: found[0], to: found[1])
  }

  private static func isName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
      UInt8(ascii: "."):
      true
    default: false
    }
  }

  /// The rows it takes of so many: negative bounds count from the end, and what lies beyond is left out.
  public func range(of count: Int) -> Range<Int> {
    func place(_ bound: Bound?, _ otherwise: Int) -> Int {
      var place: Int
      switch bound {
      case nil: return otherwise
      case .rows(let number): place = number
      // Python rounds a half to the even number.
      case .percent(let number):
        place = Int((Double(number) * Double(count) / 100).rounded(.toNearestOrEven))
      }
      if place < 0 { place = max(0, place + count) }
      return min(place, count)
    }
    let from = place(from, 0)
    return from..<max(from, place(to, count))
  }
}
