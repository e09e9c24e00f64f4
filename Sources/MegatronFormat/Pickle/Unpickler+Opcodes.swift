extension Unpickler {
  /// Carries out one opcode; its argument begins at `position`.
  @inline(__always)
  mutating func execute(_ opcode: PickleOpcode) throws(PickleError) {
    switch opcode {
    case .binget: try recall(integer(1))
    case .longBinget: try recall(integer(4))
    case .memoize: try memoize()
    case .binput: try remember(integer(1))
    case .longBinput: try remember(integer(4))
    case .binint1: push(PickleCell(.integer, try integer(1)))
    case .binint2: push(PickleCell(.integer, try integer(2)))
    case .binint: push(arena.integer(Int(Int32(truncatingIfNeeded: try integer(4)))))
    case .shortBinunicode: try pushText(integer(1))
    case .binunicode: try pushText(integer(4))
    case .binunicode8: try pushText(length8())
    case .none: push(.none)
    case .newtrue: push(PickleCell(.bool, 1))
    case .newfalse: push(PickleCell(.bool, 0))
    case .mark: mark()
    case .emptyTuple: push(PickleCell(.tuple, 0))
    case .emptyList: push(container(.list))
    case .emptyDict: push(container(.dictionary))
    case .emptySet: push(container(.set))
    case .tuple: try pushTuple(from: unmark())
    case .tuple1: try pushTuple(from: stack.count - 1)
    case .tuple2: try pushTuple(from: stack.count - 2)
    case .tuple3: try pushTuple(from: stack.count - 3)
    case .append: try fill(.list, from: stack.count - 1)
    case .appends: try fill(.list, from: unmark())
    case .setitem: try fill(.dictionary, from: stack.count - 2)
    case .setitems: try fill(.dictionary, from: unmark())
    case .stackGlobal: try stackGlobal()
    case .global: try pushNamedGlobal()
    case .reduce: try construct(.reduce)
    case .newobj: try construct(.newObject)
    case .newobjEx: try construct(.newObjectExtended)
    case .build: try build()
    case .binpersid:
      let value = try pop()
      push(arena.persistent(value, depth: try deeper(arena.depth(of: value))))
    default: try executeRare(opcode)
    }
  }

  private mutating func executeRare(_ opcode: PickleOpcode) throws(PickleError) {
    switch opcode {
    case .binfloat:
      let bits = UInt64(bitPattern: Int64(try integer(8))).byteSwapped
      push(arena.float(Double(bitPattern: bits)))
    case .long1: push(arena.integer(PickleNumber(arena.bytes[try slice(integer(1))])))
    case .long4: push(arena.integer(PickleNumber(arena.bytes[try slice(integer(4))])))
    case .shortBinbytes: push(arena.text(try slice(integer(1)), .bytes))
    case .binbytes: push(arena.text(try slice(integer(4)), .bytes))
    case .binbytes8: push(arena.text(try slice(length8()), .bytes))
    case .bytearray8:
      push(arena.text(try slice(length8()), .bytes))
      try pushObject(named: "bytearray", from: stack.count - 1, depth: deeper(0))
    case .shortBinstring: pushOldString(try slice(integer(1)))
    case .binstring: pushOldString(try slice(integer(4)))
    case .int, .long, .float, .string, .unicode: try pushTextual(opcode)
    case .get: try recall(lineIndex())
    case .put: try remember(lineIndex())
    case .pop:
      if marks.last == stack.count { _ = try unmark() } else { _ = try pop() }
    case .popMark: cut(to: try unmark())
    case .dup:
      let cell = try top()
      arena.share(cell)
      push(cell)
    case .list: try pushContainer(.list, from: unmark())
    case .dict: try pushContainer(.dictionary, from: unmark())
    case .additems: try fill(.set, from: unmark())
    case .frozenset:
      let start = try unmark()
      try pushTuple(from: start)
      try pushObject(
        named: "frozenset", from: stack.count - 1,
        depth: deeper(arena.depth(of: stack[stack.count - 1])))
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

  @inline(__always)
  func check(_ count: Int) throws(PickleError) {
    guard count <= end - position else {
      throw .truncated(offset: position, needed: count, available: end - position)
    }
  }

  /// The next bytes as a little-endian number.
  @inline(__always)
  mutating func integer(_ count: Int) throws(PickleError) -> Int {
    try check(count)
    var result = 0
    for index in 0..<count { result |= Int(arena.bytes[position + index]) << (8 * index) }
    position += count
    return result
  }

  /// An eight-byte length; one that does not fit is as good as the greatest.
  private mutating func length8() throws(PickleError) -> Int {
    let value = try integer(8)
    return value < 0 ? Int.max : value
  }

  @inline(__always)
  private mutating func slice(_ count: Int) throws(PickleError) -> Range<Int> {
    try check(count)
    position += count
    return position - count..<position
  }

  @inline(__always)
  private mutating func pushText(_ count: Int) throws(PickleError) {
    let range = try slice(count)
    try requireText(range)
    if count == ignored.count { beginSkipping(range) }
    push(arena.text(range))
  }

  @inline(__always)
  mutating func requireText(_ range: Range<Int>) throws(PickleError) {
    if isASCII(range) { return }
    arena.isASCII = false
    guard String(validating: arena.bytes[range], as: UTF8.self) != nil else {
      throw .invalidText(offset: range.lowerBound)
    }
  }

  @inline(__always)
  private func isASCII(_ range: Range<Int>) -> Bool {
    // Without an early way out, so that it becomes a few vector instructions.
    var union: UInt8 = 0
    for byte in arena.bytes[range] { union |= byte }
    return union < 0x80
  }

  /// A `str` of Python 2: text if it is ASCII, else bytes, for nobody says in which encoding.
  private mutating func pushOldString(_ range: Range<Int>) {
    push(arena.text(range, isASCII(range) ? .text : .bytes))
  }

  /// The bytes up to the next line feed.
  mutating func line() throws(PickleError) -> Range<Int> {
    guard let feed = arena.bytes[position...].firstIndex(of: 0x0A) else {
      throw .truncated(offset: position, needed: end - position + 1, available: end - position)
    }
    defer { position = feed + 1 }
    return position..<feed
  }

  private mutating func lineIndex() throws(PickleError) -> Int {
    let line = try line()
    try requireText(line)
    guard let index = Int(String(decoding: arena.bytes[line], as: UTF8.self)), index >= 0 else {
      throw .invalidNumber(offset: place)
    }
    return index
  }

  /// The textual opcodes of protocol 0.
  private mutating func pushTextual(_ opcode: PickleOpcode) throws(PickleError) {
    let range = try line()
    let line = arena.bytes[range]
    switch opcode {
    case .int where line.elementsEqual([0x30, 0x30]): return push(PickleCell(.bool, 0))
    case .int where line.elementsEqual([0x30, 0x31]): return push(PickleCell(.bool, 1))
    case .int, .long:
      let isMarked = opcode == .long && line.last == 0x4C
      guard let number = PickleNumber(decimal: isMarked ? line.dropLast() : line) else { break }
      return push(arena.integer(number))
    case .float:
      try requireText(range)
      guard let number = Double(String(decoding: line, as: UTF8.self)) else { break }
      return push(arena.float(number))
    case .string:
      guard let bytes = PickleNumber.quoted(line) else { throw .invalidText(offset: place) }
      return push(arena.text(bytes, bytes.allSatisfy { $0 < 0x80 } ? .text : .bytes))
    default:
      guard let text = PickleNumber.escaped(line) else { throw .invalidText(offset: place) }
      return push(arena.text(text.utf8))
    }
    throw .invalidNumber(offset: place)
  }

  // MARK: Containers

  @inline(__always)
  private mutating func pushTuple(from start: Int) throws(PickleError) {
    let depth = try depth(from: start)
    let cell = arena.tuple(count: stack.count - start, depth: depth)
    moveToCells(from: start)
    push(cell)
  }

  /// LIST and DICT.
  private mutating func pushContainer(
    _ kind: PickleCell.Kind, from start: Int
  ) throws(PickleError) {
    guard start >= floor else { throw underflow }
    if kind == .dictionary { try requirePairs(from: start) }
    let cell = container(kind)
    if cell.isSkipped {
      cut(to: start)
    } else {
      moveToContainer(cell.payload, from: start)
    }
    push(cell)
  }

  @inline(__always)
  private mutating func moveToContainer(_ container: Int, from start: Int) {
    if stack.count == start { return }
    arena.extend(container, by: stack.count - start)
    moveToCells(from: start)
  }

  private func requirePairs(from start: Int) throws(PickleError) {
    guard (stack.count - start).isMultiple(of: 2) else {
      throw .unexpected("a dictionary's last key has no value", offset: place)
    }
  }

  /// Moves values into the container below them, or into the items of the object there.
  @inline(__always)
  private mutating func fill(_ kind: PickleCell.Kind, from start: Int) throws(PickleError) {
    // How deep the values are, the census will find.
    guard start >= floor else { throw underflow }
    if kind == .dictionary { try requirePairs(from: start) }
    guard start > floor else { throw underflow }
    let target = stack[start - 1]
    let isObject = target.kind == .object && kind != .set
    if target.isSkipped, target.kind == kind || isObject { return cut(to: start) }
    if skippedKey > 0 { endSkipping(at: start) }
    if target.kind == kind {
      moveToContainer(target.payload, from: start)
    } else if isObject {
      moveToContainer(arena.items(of: target.payload, kind), from: start)
    } else {
      let what =
        switch kind {
        case .list: "APPEND works on something other than a list"
        case .dictionary: "SETITEM works on something other than a dictionary"
        default: "ADDITEMS works on something other than a set"
        }
      throw .unexpected(what, offset: place)
    }
  }
}
