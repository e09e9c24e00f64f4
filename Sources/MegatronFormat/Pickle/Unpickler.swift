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
    /// All: what is unknown becomes an inert record.
    case inert
  }

  /// A value on the stack, with the nesting of tuples, arguments and references below it.
  ///
  /// Containers that can still be filled count as leaves here: `PickleCensus` follows them at the end.
  struct Slot {
    var value: PickleValue
    var depth: Int32 = 0
  }

  let bytes: [UInt8]
  let end: Int
  let policy: Policy
  let limits: Limits
  var position: Int
  /// The byte of the opcode at work.
  var place: Int
  var stack: [Slot] = []
  var marks: [Int] = []
  /// The stack below the last mark is out of reach.
  var floor = 0
  var memo: [Slot] = []
  /// Memo entries whose index is not the next one; a writer that counts never makes any.
  var sparseMemo: [Int: Slot] = [:]
  /// Everything that can be filled after it was made, so that cycles can be found and undone.
  var containers: [PickleValue] = []
  /// Before the first PROTO a pickle is of protocol 0 or 1.
  var version = 0

  private init(_ bytes: [UInt8], at start: Int, policy: Policy, limits: Limits) {
    self.bytes = bytes
    self.policy = policy
    self.limits = limits
    end = bytes.count
    position = start
    place = start
  }

  /// Reads a pickle that fills `bytes`.
  public static func load(
    _ bytes: [UInt8], policy: Policy, limits: Limits = .init()
  ) throws(PickleError) -> PickleValue {
    let (value, next) = try load(prefixOf: bytes, at: 0, policy: policy, limits: limits)
    guard next == bytes.count else {
      throw .trailingBytes(offset: next, count: bytes.count - next)
    }
    return value
  }

  /// Reads the pickle that begins at byte `start`, and says where the next one would begin.
  public static func load(
    prefixOf bytes: [UInt8], at start: Int, policy: Policy, limits: Limits = .init()
  ) throws(PickleError) -> (PickleValue, next: Int) {
    guard start >= 0, start <= bytes.count else { throw .missingStop(offset: bytes.count) }
    guard bytes.count - start <= limits.bytes else {
      throw .tooManyBytes(count: bytes.count - start, limit: limits.bytes)
    }
    var machine = Unpickler(bytes, at: start, policy: policy, limits: limits)
    do throws(PickleError) {
      let value = try machine.run()
      var census = PickleCensus(containers: machine.containers.count, limits: limits)
      _ = try census.measure(value, level: 0)
      machine.dismantle { census.heights[$0] < 0 }
      return (value, machine.position)
    } catch {
      machine.dismantle { _ in true }
      throw error
    }
  }

  private mutating func run() throws(PickleError) -> PickleValue {
    var count = 0
    while true {
      guard position < end else { throw .missingStop(offset: position) }
      place = position
      let byte = bytes[position]
      position += 1
      guard let opcode = PickleOpcode(rawValue: byte) else {
        throw .unknownOpcode(byte, offset: place)
      }
      if opcode == .stop { break }
      count += 1
      guard count <= limits.values else {
        throw .tooManyValues(limit: limits.values, offset: place)
      }
      try execute(opcode)
    }
    guard marks.isEmpty, stack.count <= 1 else {
      throw .leftOnStack(count: stack.count, offset: place)
    }
    return try pop().value
  }

  /// Empties containers that nobody will see, so that a cycle or a long chain is not released
  /// recursively or never.
  private func dismantle(where condemned: (Int) -> Bool) {
    for (index, container) in containers.enumerated() where condemned(index) {
      switch container {
      case .list(let list), .set(let list): list.items = []
      case .dictionary(let dictionary): dictionary.items = []
      case .object(let object):
        object.state = nil
        object.list = nil
        object.dictionary = nil
      default: break
      }
    }
  }

  // MARK: Stack

  mutating func push(_ value: PickleValue, depth: Int32 = 0) {
    stack.append(Slot(value: value, depth: depth))
  }

  mutating func pop() throws(PickleError) -> Slot {
    guard stack.count > floor, let slot = stack.popLast() else { throw underflow }
    return slot
  }

  /// The place of the value on top.
  func top() throws(PickleError) -> Int {
    guard stack.count > floor else { throw underflow }
    return stack.count - 1
  }

  var underflow: PickleError { .stackUnderflow(opcode: bytes[place], offset: place) }

  mutating func mark() {
    marks.append(stack.count)
    floor = stack.count
  }

  /// Forgets the last mark and says where the values above it begin.
  mutating func unmark() throws(PickleError) -> Int {
    guard let mark = marks.popLast() else { throw underflow }
    floor = marks.last ?? 0
    return mark
  }

  /// Takes the values from `start` on off the stack, with the depth of whatever will hold them.
  mutating func take(from start: Int) throws(PickleError) -> (values: [PickleValue], depth: Int32) {
    guard start >= floor else { throw underflow }
    var values: [PickleValue] = []
    values.reserveCapacity(stack.count - start)
    var depth: Int32 = 0
    // Backwards, because what is popped is moved and not copied.
    while stack.count > start, let slot = stack.popLast() {
      depth = max(depth, slot.depth)
      values.append(slot.value)
    }
    values.reverse()
    return (values, try deeper(depth))
  }

  func deeper(_ depth: Int32) throws(PickleError) -> Int32 {
    guard depth < limits.depth else { throw .tooDeep(limit: limits.depth) }
    return depth + 1
  }

  // MARK: Memo

  mutating func remember(_ index: Int) throws(PickleError) {
    let slot = stack[try top()]
    guard memo.count + sparseMemo.count < limits.memoEntries else {
      throw .tooManyMemoEntries(limit: limits.memoEntries, offset: place)
    }
    if index == memo.count {
      memo.append(slot)
    } else if index < memo.count {
      memo[index] = slot
    } else {
      sparseMemo[index] = slot
    }
  }

  mutating func recall(_ index: Int) throws(PickleError) {
    if index >= 0, index < memo.count {
      stack.append(memo[index])
    } else if let slot = sparseMemo[index] {
      stack.append(slot)
    } else {
      throw .unknownMemo(index: index, offset: place)
    }
  }

  // MARK: Containers

  mutating func pushList(_ items: [PickleValue] = []) {
    let list = PickleList(items)
    list.serial = containers.count
    containers.append(.list(list))
    push(.list(list))
  }

  mutating func pushSet(_ items: [PickleValue] = []) {
    let list = PickleList(items)
    list.serial = containers.count
    containers.append(.set(list))
    push(.set(list))
  }

  mutating func pushDictionary() {
    let dictionary = PickleDictionary()
    dictionary.serial = containers.count
    containers.append(.dictionary(dictionary))
    push(.dictionary(dictionary))
  }

  mutating func pushObject(_ object: PickleObject, depth: Int32) {
    object.serial = containers.count
    containers.append(.object(object))
    push(.object(object), depth: depth)
  }
}
