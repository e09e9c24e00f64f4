/// Writes `PickleValue`s as Python's own pickler would, at protocol 2 (`torch.save`) or 4 (`.metadata`).
///
/// Equal texts and equal globals are written once and shared; containers and objects are shared by
/// identity. Reading the bytes back in Python or here gives an equal value. The value must hold no
/// cycles. What was read with the policy `.inert` may name anything, and Python would run it: such a
/// value is for looking at, not for writing out again.
public struct Pickler: ~Copyable {
  private var output: [UInt8] = []
  private let version: Int
  private var memoCount = 0
  /// Keys are UTF-8, because equal Swift strings may differ in it.
  private var texts: [[UInt8]: Int] = [:]
  private var globals: [[UInt8]: Int] = [:]
  private var objects: [ObjectIdentifier: Int] = [:]
  /// Where the eight bytes of the open frame's length and its opcode stand; protocol 4 only.
  private var frame: Int?

  /// A frame is closed before the next value once it holds so many bytes.
  private static let frameTarget = 64 * 1024
  private static let frameHeader = 9
  /// Items between two marks.
  private static let batch = 1_000

  private init(version: Int) { self.version = version }

  /// The pickle of a value.
  ///
  /// - Parameter version: the protocol, 2 or 4.
  public static func dump(_ value: PickleValue, protocol version: Int = 2) -> [UInt8] {
    precondition(version == 2 || version == 4, "pickles are written at protocol 2 or 4")
    var pickler = Pickler(version: version)
    pickler.output = [PickleOpcode.proto.rawValue, UInt8(version)]
    pickler.save(value)
    pickler.write(.stop)
    pickler.closeFrame()
    return pickler.output
  }

  // MARK: Bytes and frames

  private mutating func openFrame() {
    guard version >= 4, frame == nil else { return }
    frame = output.count
    output.append(contentsOf: repeatElement(0, count: Self.frameHeader))
  }

  private mutating func closeFrame() {
    guard let start = frame else { return }
    frame = nil
    let length = output.count - start - Self.frameHeader
    guard length >= 4 else {
      // Python leaves the header of so small a frame out.
      output.removeSubrange(start..<start + Self.frameHeader)
      return
    }
    output[start] = PickleOpcode.frame.rawValue
    for index in 0..<8 {
      output[start + 1 + index] = UInt8(truncatingIfNeeded: length >> (8 * index))
    }
  }

  private mutating func write(_ opcode: PickleOpcode) {
    openFrame()
    output.append(opcode.rawValue)
  }

  private mutating func write(_ opcode: PickleOpcode, _ number: Int, width: Int) {
    write(opcode)
    for index in 0..<width { output.append(UInt8(truncatingIfNeeded: number >> (8 * index))) }
  }

  /// An opcode, its length and its bytes; long ones stand between two frames.
  private mutating func write(
    _ opcode: PickleOpcode, lengthWidth: Int, _ bytes: some Collection<UInt8>
  ) {
    let bypass = version >= 4 && bytes.count >= Self.frameTarget
    if bypass {
      closeFrame()
      output.append(opcode.rawValue)
      for index in 0..<lengthWidth {
        output.append(UInt8(truncatingIfNeeded: bytes.count >> (8 * index)))
      }
    } else {
      write(opcode, bytes.count, width: lengthWidth)
    }
    output.append(contentsOf: bytes)
  }

  // MARK: Memo

  private mutating func memoize() -> Int {
    let index = memoCount
    memoCount += 1
    if version >= 4 {
      write(.memoize)
    } else if index < 256 {
      write(.binput, index, width: 1)
    } else {
      write(.longBinput, index, width: 4)
    }
    return index
  }

  private mutating func get(_ index: Int) {
    if index < 256 {
      write(.binget, index, width: 1)
    } else {
      write(.longBinget, index, width: 4)
    }
  }

  // MARK: Values

  private mutating func save(_ value: PickleValue) {
    if let start = frame, output.count - start - Self.frameHeader >= Self.frameTarget {
      closeFrame()
    }
    switch value {
    case .none: write(.none)
    case .bool(let flag): write(flag ? .newtrue : .newfalse)
    case .integer(let number): save(number)
    case .bigInteger(let bytes): saveLong(bytes)
    case .float(let number):
      write(.binfloat)
      let bits = number.bitPattern.bigEndian
      for index in 0..<8 { output.append(UInt8(truncatingIfNeeded: bits >> (8 * index))) }
    case .string(let text): save(text)
    case .bytes(let bytes): save(bytes)
    case .tuple(let items): saveTuple(items)
    case .list(let list): saveList(list)
    case .dictionary(let dictionary): saveDictionary(dictionary)
    case .set(let set): saveSet(set)
    case .global(let module, let name): saveGlobal(module, name)
    case .object(let object): saveObject(object)
    case .persistent(let reference):
      save(reference.value)
      write(.binpersid)
    }
  }

  private mutating func save(_ number: Int) {
    if let byte = UInt8(exactly: number) {
      write(.binint1, Int(byte), width: 1)
    } else if UInt16(exactly: number) != nil {
      write(.binint2, number, width: 2)
    } else if Int32(exactly: number) != nil {
      write(.binint, number, width: 4)
    } else {
      var bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
      let filler: UInt8 = number < 0 ? 0xFF : 0
      while bytes.last == filler, (bytes[bytes.count - 2] ^ filler) & 0x80 == 0 {
        bytes.removeLast()
      }
      saveLong(bytes)
    }
  }

  private mutating func saveLong(_ bytes: [UInt8]) {
    if bytes.count < 256 {
      write(.long1, lengthWidth: 1, bytes)
    } else {
      write(.long4, lengthWidth: 4, bytes)
    }
  }

  private mutating func save(_ text: String) {
    let bytes = Array(text.utf8)
    if let index = texts[bytes] { return get(index) }
    if version >= 4, bytes.count < 256 {
      write(.shortBinunicode, lengthWidth: 1, bytes)
    } else if bytes.count <= 0xFFFF_FFFF {
      write(.binunicode, lengthWidth: 4, bytes)
    } else {
      write(.binunicode8, lengthWidth: 8, bytes)
    }
    texts[bytes] = memoize()
  }

  private mutating func save(_ bytes: [UInt8]) {
    if version >= 4 {
      if bytes.count < 256 {
        write(.shortBinbytes, lengthWidth: 1, bytes)
      } else if bytes.count <= 0xFFFF_FFFF {
        write(.binbytes, lengthWidth: 4, bytes)
      } else {
        write(.binbytes8, lengthWidth: 8, bytes)
      }
      _ = memoize()
      return
    }
    // Protocol 2 has no bytes: Latin-1 text that is encoded when it is read.
    if bytes.isEmpty {
      saveGlobal("builtins", "bytes")
      write(.emptyTuple)
    } else {
      saveGlobal("_codecs", "encode")
      var text = String.UnicodeScalarView()
      text.append(contentsOf: bytes.lazy.map(Unicode.Scalar.init))
      saveTuple([.string(String(text)), .string("latin1")])
    }
    write(.reduce)
    _ = memoize()
  }

  private mutating func saveTuple(_ items: [PickleValue]) {
    guard !items.isEmpty else { return write(.emptyTuple) }
    if items.count > 3 { write(.mark) }
    for item in items { save(item) }
    switch items.count {
    case 1: write(.tuple1)
    case 2: write(.tuple2)
    case 3: write(.tuple3)
    default: write(.tuple)
    }
    _ = memoize()
  }

  private mutating func saveList(_ list: PickleList) {
    if let index = objects[ObjectIdentifier(list)] { return get(index) }
    write(.emptyList)
    objects[ObjectIdentifier(list)] = memoize()
    saveItems(list.items, of: nil)
  }

  /// A lone item needs no mark; an iterator's last batch (`owner`) may be a lone item too.
  private mutating func saveItems(_ items: [PickleValue], of owner: PickleObject?) {
    var start = 0
    while start < items.count {
      let end = min(start + Self.batch, items.count)
      let alone = end - start == 1 && (owner != nil || items.count == 1)
      if !alone { write(.mark) }
      for item in items[start..<end] { save(item) }
      write(alone ? .append : .appends)
      start = end
    }
  }

  private mutating func saveDictionary(_ dictionary: PickleDictionary) {
    if let index = objects[ObjectIdentifier(dictionary)] { return get(index) }
    write(.emptyDict)
    objects[ObjectIdentifier(dictionary)] = memoize()
    savePairs(dictionary, of: nil)
  }

  private mutating func savePairs(_ dictionary: PickleDictionary, of owner: PickleObject?) {
    let items = dictionary.items
    var start = 0
    while start < items.count {
      let end = min(start + Self.batch, items.count)
      let alone = end - start == 1 && (owner != nil || items.count == 1)
      if !alone { write(.mark) }
      for (key, value) in items[start..<end] {
        save(key)
        save(value)
      }
      write(alone ? .setitem : .setitems)
      start = end
    }
  }

  private mutating func saveSet(_ set: PickleList) {
    if let index = objects[ObjectIdentifier(set)] { return get(index) }
    if version >= 4 {
      write(.emptySet)
      objects[ObjectIdentifier(set)] = memoize()
      var start = 0
      while start < set.items.count {
        let end = min(start + Self.batch, set.items.count)
        write(.mark)
        for item in set.items[start..<end] { save(item) }
        write(.additems)
        start = end
      }
    } else {
      saveGlobal("builtins", "set")
      write(.emptyList)
      _ = memoize()
      saveItems(set.items, of: nil)
      write(.tuple1)
      _ = memoize()
      write(.reduce)
      objects[ObjectIdentifier(set)] = memoize()
    }
  }

  private mutating func saveGlobal(_ module: String, _ name: String) {
    let key = Array(module.utf8) + [0x0A] + Array(name.utf8)
    if let index = globals[key] { return get(index) }
    if version >= 4 {
      save(.string(module))
      save(.string(name))
      write(.stackGlobal)
    } else if let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")) {
      // Protocol 2 has no word for a nested class.
      saveGlobal("builtins", "getattr")
      saveTuple([
        .global(module: module, name: String(name[..<dot])),
        .string(String(name[name.utf8.index(after: dot)...])),
      ])
      write(.reduce)
    } else {
      let (module, name) = PickleAllowList.ancient(module, name)
      write(.global)
      output.append(contentsOf: module.utf8)
      output.append(0x0A)
      output.append(contentsOf: name.utf8)
      output.append(0x0A)
    }
    globals[key] = memoize()
  }

  private mutating func saveObject(_ object: PickleObject) {
    if let index = objects[ObjectIdentifier(object)] { return get(index) }
    saveGlobal(object.module, object.name)
    switch object.construction {
    case .reduce:
      saveTuple(object.arguments)
      write(.reduce)
    case .newObject:
      saveTuple(object.arguments)
      write(.newobj)
    case .newObjectExtended:
      saveTuple(Array(object.arguments.dropLast()))
      save(object.arguments.last ?? .dictionary(PickleDictionary()))
      write(.newobjEx)
    }
    objects[ObjectIdentifier(object)] = memoize()
    if let list = object.list { saveItems(list.items, of: object) }
    if let dictionary = object.dictionary { savePairs(dictionary, of: object) }
    if let state = object.state {
      save(state)
      write(.build)
    }
  }
}
