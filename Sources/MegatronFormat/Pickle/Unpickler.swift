import Tensors

/// Reads pickles of protocols 0 to 5 into inert `PickleValue`s.
///
/// It calls nothing, imports nothing and knows no class: REDUCE, NEWOBJ and BUILD only write down what
/// they were given. A few records that stand for plain values (`_codecs.encode` for bytes, `set`) become
/// those values. Nesting, memo, values and bytes are bounded; text must be UTF-8 without surrogates.
public struct Unpickler: ~Copyable {
  /// How much a pickle may ask for.
  public struct Limits: Sendable {
    /// The deepest nesting; walks over a value recurse that far.
    public var depth = 1_000
    public var memoEntries = 50_000_000
    /// The opcodes, and so the values made.
    public var values = 50_000_000
    /// The bytes of the pickle.
    public var bytes = 4 << 30
    /// The values of the result when shared containers are written out in full.
    public var expanded = 200_000_000

    public init() {}
  }

  /// Which classes and functions a pickle may name.
  public enum Policy: Sendable {
    /// Those of a tensor.
    case tensors
    /// Those of a tensor and of a `.metadata` file.
    case metadata
    /// Those of training arguments, random number states and counters.
    case state
    /// Those of NumPy's arrays, and nothing else.
    case arrays
    /// All: what is unknown becomes an inert record.
    case inert
  }

  var arena: PickleArena
  let end: Int
  let policy: Policy
  let limits: Limits
  var position: Int
  /// The byte of the opcode at work.
  var place: Int
  /// The most opcodes, and the most values that copies of containers may add.
  private let valueLimit: Int
  private var copied = 0
  private(set) var stack = UniqueArray<PickleCell>()
  private(set) var marks = UniqueArray<Int>()
  /// The stack below the last mark is out of reach.
  private(set) var floor = 0
  private(set) var memo = UniqueArray<PickleCell>()
  /// Memo entries whose index is not the next one; a writer that counts never makes any.
  private var sparseMemo: [Int: PickleCell] = [:]
  private var hasSparseMemo = false
  /// The bytes that a text was encoded to, by the index of the text.
  var encoded: [Int: PickleCell] = [:]
  /// Before the first PROTO a pickle is of protocol 0 or 1.
  var version = 0
  /// The field of `.metadata` to check but not to keep, until it was met; see `Unpickler+Skipping`.
  var ignored: [UInt8] = []
  /// Where on the stack the ignored field's name stands; 0 outside of it.
  var skippedKey = 0
  /// Whether what was skipped may be needed after all.
  var needsAll = false

  init(_ bytes: [UInt8], at start: Int, policy: Policy, limits: Limits) {
    arena = PickleArena(bytes)
    self.policy = policy
    self.limits = limits
    valueLimit = min(limits.values, PickleArena.mostValues)
    end = bytes.count
    position = start
    place = start
  }

  /// Reads a pickle that fills `bytes`.
  public static func load(
    _ bytes: [UInt8], policy: Policy, limits: Limits = .init()
  ) throws(PickleError) -> PickleValue {
    try arena(bytes, policy: policy, limits: limits).value()
  }

  /// Reads the pickle that begins at byte `start`, and says where the next one would begin.
  public static func load(
    prefixOf bytes: [UInt8], at start: Int, policy: Policy, limits: Limits = .init()
  ) throws(PickleError) -> (PickleValue, next: Int) {
    let arena = try arena(prefixOf: bytes, at: start, policy: policy, limits: limits)
    return (arena.value(), arena.end)
  }

  /// Reads a pickle that fills `bytes`, as an arena.
  ///
  /// - Parameter ignored: a field of the outermost object whose value is checked but not kept.
  static func arena(
    _ bytes: [UInt8], policy: Policy, limits: Limits = .init(), ignoring ignored: String = ""
  ) throws(PickleError) -> PickleArena {
    if !ignored.isEmpty,
      let arena = skippingArena(bytes, policy: policy, limits: limits, Array(ignored.utf8))
    {
      return arena
    }
    let arena = try arena(prefixOf: bytes, at: 0, policy: policy, limits: limits)
    guard arena.end == bytes.count else {
      throw .trailingBytes(offset: arena.end, count: bytes.count - arena.end)
    }
    return arena
  }

  private static func arena(
    prefixOf bytes: [UInt8], at start: Int, policy: Policy, limits: Limits
  ) throws(PickleError) -> PickleArena {
    guard start >= 0, start <= bytes.count else { throw .missingStop(offset: bytes.count) }
    guard bytes.count - start <= limits.bytes else {
      throw .tooManyBytes(count: bytes.count - start, limit: limits.bytes)
    }
    var machine = Unpickler(bytes, at: start, policy: policy, limits: limits)
    try machine.run()
    return machine.finish()
  }

  consuming func finish() -> PickleArena { arena }

  /// Reads up to STOP and measures what was read.
  mutating func run() throws(PickleError) {
    let opcodes = PickleOpcode.byByte
    var made = 0
    while true {
      guard position < end else { throw .missingStop(offset: position) }
      place = position
      let byte = arena.bytes[position]
      position += 1
      guard let opcode = opcodes[Int(byte)] else {
        throw .unknownOpcode(byte, offset: place)
      }
      if opcode == .stop { break }
      made += 1
      guard made <= valueLimit else { throw .tooManyValues(limit: valueLimit, offset: place) }
      try execute(opcode)
    }
    guard marks.count == 0, stack.count <= 1 else {
      throw .leftOnStack(count: stack.count, offset: place)
    }
    arena.root = try pop()
    arena.end = position
    var census = PickleCensus(arena, limits: limits)
    try census.measure(arena)
  }

  /// Counts values that a copy makes, so that memory cannot grow faster than the input.
  mutating func countCopies(_ values: Int) throws(PickleError) {
    copied += values
    guard copied <= valueLimit else { throw .tooManyValues(limit: valueLimit, offset: place) }
  }

  // MARK: Stack

  @inline(__always)
  mutating func push(_ cell: PickleCell) {
    stack.append(cell)
  }

  @inline(__always)
  mutating func pop() throws(PickleError) -> PickleCell {
    guard stack.count > floor, let cell = stack.popLast() else { throw underflow }
    return cell
  }

  /// The value on top.
  @inline(__always)
  func top() throws(PickleError) -> PickleCell {
    guard stack.count > floor else { throw underflow }
    return stack[stack.count - 1]
  }

  var underflow: PickleError { .stackUnderflow(opcode: arena.bytes[place], offset: place) }

  @inline(__always)
  mutating func mark() {
    marks.append(stack.count)
    floor = stack.count
  }

  /// Forgets the last mark and says where the values above it begin.
  @inline(__always)
  mutating func unmark() throws(PickleError) -> Int {
    guard let mark = marks.popLast() else { throw underflow }
    floor = marks.last ?? 0
    return mark
  }

  /// Drops the values from `start` on.
  mutating func cut(to start: Int) { stack.cut(to: start) }

  /// Checks that the values from `start` on may be taken, and gives the depth of what will hold them.
  @inline(__always)
  func depth(from start: Int) throws(PickleError) -> Int32 {
    guard start >= floor else { throw underflow }
    var depth: Int32 = 0
    for index in start..<stack.count { depth = max(depth, arena.depth(of: stack[index])) }
    return try deeper(depth)
  }

  @inline(__always)
  func deeper(_ depth: Int32) throws(PickleError) -> Int32 {
    guard depth < limits.depth else { throw .tooDeep(limit: limits.depth) }
    return depth + 1
  }

  /// Moves the values from `start` on to the end of the cells.
  @inline(__always)
  mutating func moveToCells(from start: Int) { arena.append(from: &stack, start) }

  // MARK: Memo

  mutating func remember(_ index: Int) throws(PickleError) {
    let cell = try top()
    guard memo.count + sparseMemo.count < limits.memoEntries else {
      throw .tooManyMemoEntries(limit: limits.memoEntries, offset: place)
    }
    if index == memo.count {
      memo.append(cell)
    } else if index < memo.count {
      memo[index] = cell
    } else {
      sparseMemo[index] = cell
      hasSparseMemo = true
    }
  }

  /// MEMOIZE: as `remember` under the next index.
  @inline(__always)
  mutating func memoize() throws(PickleError) {
    let cell = try top()
    if hasSparseMemo || memo.count >= limits.memoEntries {
      return try remember(memo.count + sparseMemo.count)
    }
    memo.append(cell)
  }

  @inline(__always)
  mutating func recall(_ index: Int) throws(PickleError) {
    let cell = index < memo.count ? memo[index] : try sparse(index)
    arena.share(cell)
    push(cell)
  }

  private func sparse(_ index: Int) throws(PickleError) -> PickleCell {
    guard let cell = sparseMemo[index] else {
      throw .unknownMemo(index: index, offset: place)
    }
    return cell
  }
}
