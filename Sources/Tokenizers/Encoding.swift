/// The tokens of a text, with where each of them stands in it.
public struct Encoding: Sendable, Equatable {
  public var ids: [Int32]
  /// For each token its bytes in the UTF-8 text that was given; empty for a token that the text does not hold.
  public var ranges: [Range<Int>]

  public init(ids: [Int32] = [], ranges: [Range<Int>] = []) {
    self.ids = ids
    self.ranges = ranges
  }

  public var count: Int { ids.count }
}
