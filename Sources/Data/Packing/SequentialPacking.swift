/// Packs samples in the order they come, as Automodel does while it loads: a pack is closed when the
/// next sample does not fit.
///
/// Source: `pack_dataset` in nemo_automodel/components/datasets/llm/packed_sequence.py, 0.7.0. There a
/// sample's labels are shifted already, so that inputs and labels are equally long; a `Sample` of n
/// tokens is n - 1 of each.
public struct SequentialPacking: Sendable {
  /// A pack, filled up to its size.
  public struct Pack: Sendable, Equatable {
    public var inputs: [Int32]
    /// -100 where nothing counts.
    public var labels: [Int32]
    public var positions: [Int32]
    /// The inputs of each sequence.
    public var lengths: [Int]
    /// The same with what fills them up; the last sequence has what fills up the pack.
    public var paddedLengths: [Int]
  }

  public var size: Int
  public var padding: Int32 = 0
  public var dropsLong = true
  /// The most packs that are made.
  public var limit: Int?
  private let unit: Int

  private var open = Open()
  public private(set) var packs: [Pack] = []
  /// Samples left out because they are too long.
  public private(set) var dropped = 0
  private var count = 0

  private struct Open {
    var inputs: [Int32] = []
    var labels: [Int32] = []
    var positions: [Int32] = []
    var lengths: [Int] = []
  }

  /// - Parameters:
  ///   - size: the inputs of a pack.
  ///   - multiple: what each sequence is filled up to a multiple of.
  ///   - contextParallel: workers that share a sequence; each takes two equal parts of it.
  public init(size: Int, multiple: Int = 1, contextParallel: Int = 1) throws(PackingError) {
    guard size > 0, multiple > 0, contextParallel > 0, size % multiple == 0,
      multiple < 1 << 31, contextParallel < 1 << 31
    else { throw .wrongSize(size, multiple: max(1, multiple)) }
    self.size = size
    let parts = contextParallel > 1 ? 2 * contextParallel : 1
    var (left, right) = (parts, multiple)
    while right != 0 { (left, right) = (right, left % right) }
    unit = parts / left * multiple
  }

  /// Whether the limit is reached.
  public var isFull: Bool { limit.map { packs.count >= $0 } ?? false }

  /// Adds a sample.
  ///
  /// - Throws: `PackingError.tooLong` unless long samples are dropped.
  public mutating func add(_ sample: Sample) throws(PackingError) {
    let labels = zip(sample.tokens, sample.trained).dropFirst().map { $1 ? $0 : -100 }
    try add(inputs: Array(sample.tokens.dropLast()), labels: labels)
  }

  mutating func add(inputs: [Int32], labels: [Int32]) throws(PackingError) {
    precondition(inputs.count == labels.count)
    defer { count += 1 }
    guard !isFull else { return }
    guard inputs.count <= size else {
      guard dropsLong else { throw .tooLong(sample: count, tokens: inputs.count, size: size) }
      dropped += 1
      return
    }
    let padded = (inputs.count + unit - 1) / unit * unit
    guard padded <= size else { throw .tooLong(sample: count, tokens: padded, size: size) }
    if open.inputs.count + padded > size { close() }
    guard !isFull else { return }
    let missing = padded - inputs.count
    open.inputs += inputs + Array(repeating: padding, count: missing)
    open.labels += labels + Array(repeating: -100, count: missing)
    open.positions += Array(0..<Int32(truncatingIfNeeded: padded))
    open.lengths.append(inputs.count)
  }

  /// Closes the pack that is open; call it behind the last sample.
  public mutating func finish() {
    if !open.inputs.isEmpty, !isFull { close() }
  }

  private mutating func close() {
    let pack = open
    open = Open()
    guard !pack.inputs.isEmpty else { return }
    let missing = size - pack.inputs.count
    var padded = pack.lengths.map { ($0 + unit - 1) / unit * unit }
    if !padded.isEmpty { padded[padded.count - 1] += missing }
    let last = pack.positions[pack.positions.count - 1]
    let more = (0..<missing).map { min(last + 1 + Int32($0), Int32(size - 1)) }
    packs.append(
      Pack(
        inputs: pack.inputs + Array(repeating: padding, count: missing),
        labels: pack.labels + Array(repeating: -100, count: missing),
        positions: pack.positions + more, lengths: pack.lengths, paddedLengths: padded))
  }
}
