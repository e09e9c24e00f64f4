import Tensors

/// Which tensors a merge changes, by how much at most, and which it leaves alone.
public struct ChangeReport: Sendable {
  /// One tensor that is changed.
  public struct Entry: Sendable {
    /// Its Hugging Face name.
    public var tensor: String
    /// The ranks of the adapters' factors; none where it is only added to or replaced.
    public var ranks: [Int]
    /// Whether it is replaced as a whole.
    public var isReplaced: Bool
    private let measure: @Sendable () -> Double

    /// - Parameter largest: the largest change of any of its numbers so far.
    public init(
      tensor: String, ranks: [Int], isReplaced: Bool = false,
      largest: @escaping @Sendable () -> Double
    ) {
      self.tensor = tensor
      self.ranks = ranks
      self.isReplaced = isReplaced
      measure = largest
    }

    public var largest: Double { measure() }
  }

  /// The changed tensors, in the base's order.
  public var entries: [Entry]
  /// The other tensors of the base.
  public var untouched: [String]

  public init(entries: [Entry] = [], untouched: [String] = []) {
    self.entries = entries
    self.untouched = untouched
  }

  /// The tensors without a change, counted by their names with `*` for each number in them.
  public var untouchedKinds: [(kind: String, count: Int)] {
    var order: [String] = []
    var counts: [String: Int] = [:]
    for name in untouched {
      let kind = Self.kind(of: name)
      if counts[kind] == nil { order.append(kind) }
      counts[kind, default: 0] += 1
    }
    return order.map { ($0, counts[$0] ?? 0) }
  }

  /// `model.layers.*.mlp.experts.*.up_proj.weight` of every layer and expert.
  public static func kind(of name: String) -> String {
    name.split(separator: ".", omittingEmptySubsequences: false)
      .map { $0.allSatisfy(\.isNumber) && !$0.isEmpty ? "*" : String($0) }
      .joined(separator: ".")
  }
}
