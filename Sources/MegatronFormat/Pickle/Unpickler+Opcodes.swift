extension Unpickler {
  /// Carries out one opcode; its argument begins at `position`.
  mutating func execute(_ opcode: PickleOpcode) throws(PickleError) {
    switch opcode {
    case .binget: try recall(integer(1))
    case .longBinget: try recall(integer(4))
    case .memoize: try remember(memo.count + sparseMemo.count)
    case .binput: try remember(integer(1))
    case .longBinput: try remember(integer(4))
    case .binint1: push(.integer(try integer(1)))
    case .binint2: push(.integer(try integer(2)))
    case .binint: push(.integer(Int(Int32(truncatingIfNeeded: try integer(4)))))
    case .shortBinunicode: push(.string(try text(integer(1))))
    case .binunicode: push(.string(try text(integer(4))))
    case .binunicode8: push(.string(try text(length8())))
    case .none: push(.none)
    case .newtrue: push(.bool(true))
    case .newfalse: push(.bool(false))
    case .mark: mark()
    case .emptyTuple: push(.tuple([]))
    case .emptyList: pushList()
    case .emptyDict: pushDictionary()
    case .emptySet: pushSet()
    case .tuple: try pushTuple(from: unmark())
    case .tuple1: try pushTuple(from: stack.count - 1)
    case .tuple2: try pushTuple(from: stack.count - 2)
    case .tuple3: try pushTuple(from: stack.count - 3)
    case .append: try append(from: stack.count - 1)
    case .appends: try append(from: unmark())
    case .setitem: try setItems(from: stack.count - 2)
    case .setitems: try setItems(from: unmark())
    case .stackGlobal: try stackGlobal()
    case .global: try pushNamedGlobal()
    case .reduce: try construct(.reduce)
    case .newobj: try construct(.newObject)
    case .newobjEx: try construct(.newObjectExtended)
    case .build: try build()
    case .binpersid: try pushReference()
    default: try executeRare(opcode)
    }
  }

  private mutating func executeRare(_ opcode: PickleOpcode) throws(PickleError) {
    switch opcode {
    case .binfloat: try pushBinaryFloat()
    case .long1: push(PickleNumber.integer(try slice(integer(1))))
    case .long4: push(PickleNumber.integer(try slice(integer(4))))
    case .shortBinbytes: push(.bytes(Array(try slice(integer(1)))))
    case .binbytes: push(.bytes(Array(try slice(integer(4)))))
    case .binbytes8: push(.bytes(Array(try slice(length8()))))
    case .bytearray8:
      let bytes = Array(try slice(length8()))
      let depth = try deeper(0)
      pushObject(named: "bytearray", [.bytes(bytes)], depth: depth)
    case .shortBinstring: push(PickleNumber.string(Array(try slice(integer(1)))))
    case .binstring: push(PickleNumber.string(Array(try slice(integer(4)))))
    case .int, .long, .float, .string, .unicode: try pushText(opcode)
    case .get: try recall(lineIndex())
    case .put: try remember(lineIndex())
    case .pop:
      if marks.last == stack.count { _ = try unmark() } else { _ = try pop() }
    case .popMark: stack.removeSubrange(try unmark()...)
    case .dup: stack.append(stack[try top()])
    case .list: pushList(try take(from: unmark()).values)
    case .dict:
      let values = try take(from: unmark()).values
      pushDictionary()
      try fill(values)
    case .additems:
      let values = try take(from: unmark()).values
      guard case .set(let set) = stack[try top()].value else {
        throw .unexpected("ADDITEMS works on something other than a set", offset: place)
      }
      set.items.append(contentsOf: values)
    case .frozenset:
      let (values, depth) = try take(from: unmark())
      pushObject(named: "frozenset", [.tuple(values)], depth: try deeper(depth))
    case .proto:
      version = try integer(1)
      guard version <= 5 else { throw .unsupportedProtocol(version, offset: place) }
    case .frame:
      let length = try length8()
      try check(length)
    default: throw .refusedOpcode("\(opcode)".uppercased(), offset: place)
    }
  }

  // MARK: Arguments

  func check(_ count: Int) throws(PickleError) {
    guard count <= end - position else {
      throw .truncated(offset: position, needed: count, available: end - position)
    }
  }

  /// The next bytes as a little-endian number.
  mutating func integer(_ count: Int) throws(PickleError) -> Int {
    try check(count)
    var result = 0
    for index in 0..<count { result |= Int(bytes[position + index]) << (8 * index) }
    position += count
    return result
  }

  /// An eight-byte length; one that does not fit is as good as the greatest.
  mutating func length8() throws(PickleError) -> Int {
    let value = try integer(8)
    return value < 0 ? Int.max : value
  }

  mutating func slice(_ count: Int) throws(PickleError) -> ArraySlice<UInt8> {
    try check(count)
    position += count
    return bytes[position - count..<position]
  }

  mutating func text(_ count: Int) throws(PickleError) -> String {
    try text(slice(count))
  }

  func text(_ bytes: ArraySlice<UInt8>) throws(PickleError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .invalidText(offset: bytes.startIndex)
    }
    return text
  }

  /// The bytes up to the next line feed.
  mutating func line() throws(PickleError) -> ArraySlice<UInt8> {
    guard let feed = bytes[position...].firstIndex(of: 0x0A) else {
      throw .truncated(offset: position, needed: end - position + 1, available: end - position)
    }
    defer { position = feed + 1 }
    return bytes[position..<feed]
  }

  private mutating func lineIndex() throws(PickleError) -> Int {
    guard let index = Int(try text(line())), index >= 0 else {
      throw .invalidNumber(offset: place)
    }
    return index
  }

  private mutating func pushBinaryFloat() throws(PickleError) {
    let bits = UInt64(bitPattern: Int64(try integer(8))).byteSwapped
    push(.float(Double(bitPattern: bits)))
  }

  /// The textual opcodes of protocol 0.
  private mutating func pushText(_ opcode: PickleOpcode) throws(PickleError) {
    let line = try line()
    let value: PickleValue? =
      switch opcode {
      case .int where line.elementsEqual([0x30, 0x30]): .bool(false)
      case .int where line.elementsEqual([0x30, 0x31]): .bool(true)
      case .int: PickleNumber.decimal(line)
      case .long: PickleNumber.decimal(line.last == 0x4C ? line.dropLast() : line)
      case .float: Double(try text(line)).map { .float($0) }
      case .string: PickleNumber.quoted(line).map { PickleNumber.string($0) }
      default: PickleNumber.escaped(line).map { .string($0) }
      }
    guard let value else {
      let isText = opcode == .string || opcode == .unicode
      throw isText ? .invalidText(offset: place) : .invalidNumber(offset: place)
    }
    push(value)
  }

  // MARK: Containers

  private mutating func pushTuple(from start: Int) throws(PickleError) {
    let (values, depth) = try take(from: start)
    push(.tuple(values), depth: depth)
  }

  private mutating func append(from start: Int) throws(PickleError) {
    let values = try take(from: start).values
    switch stack[try top()].value {
    case .list(let list): list.items.append(contentsOf: values)
    case .object(let object):
      let list = object.list ?? PickleList()
      list.items.append(contentsOf: values)
      object.list = list
    default: throw .unexpected("APPEND works on something other than a list", offset: place)
    }
  }

  private mutating func setItems(from start: Int) throws(PickleError) {
    let values = try take(from: start).values
    try fill(values)
  }

  /// Sets keys and values, which take turns, on the value on top.
  private mutating func fill(_ values: [PickleValue]) throws(PickleError) {
    guard values.count.isMultiple(of: 2) else {
      throw .unexpected("a dictionary's last key has no value", offset: place)
    }
    let target: PickleDictionary
    switch stack[try top()].value {
    case .dictionary(let dictionary): target = dictionary
    case .object(let object):
      target = object.dictionary ?? PickleDictionary()
      object.dictionary = target
    default: throw .unexpected("SETITEM works on something other than a dictionary", offset: place)
    }
    target.items.reserveCapacity(max(target.items.capacity, values.count / 2))
    for index in stride(from: 0, to: values.count, by: 2) {
      target.items.append((values[index], values[index + 1]))
    }
  }

  private mutating func pushReference() throws(PickleError) {
    let slot = try pop()
    push(.persistent(PickleReference(slot.value)), depth: try deeper(slot.depth))
  }
}
