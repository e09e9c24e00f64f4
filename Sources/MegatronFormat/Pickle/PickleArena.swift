import Tensors

/// A pickle that was read, as a few flat arrays: the form in which millions of values cost little.
///
/// Values are `PickleCell`s; texts and bytes are ranges of the input; what holds other values holds
/// a stretch of `cells`. `value(of:)` turns a cell into the `PickleValue` that most callers want.
struct PickleArena: ~Copyable {
  /// A stretch of the input, or of `decoded` if it begins behind the input's end.
  struct Text {
    let start: Int
    let count: Int
  }

  /// A list, a set, or the keys and values of a dictionary in turns.
  ///
  /// The items lie in segments: a header among the cells (how many items follow; in the upper half
  /// where the next header is), then the items.
  struct Container {
    /// The place of the first and last header; 0 if there is none.
    var first: UInt32 = 0
    var last: UInt32 = 0
    var count: UInt32 = 0
  }

  /// What REDUCE or NEWOBJ made.
  struct Object {
    /// An index into `globals`.
    let callee: UInt32
    /// The place of the header of a tuple.
    let arguments: UInt32
    var state = PickleCell.absent
    /// The items set on it and those appended to it: a container, or -1.
    var dictionary: Int32 = -1
    var list: Int32 = -1
    let depth: Int32
    let construction: PickleObject.Construction
  }

  struct Global {
    /// What a call of it does beyond being written down.
    enum Role {
      case plain
      case getattr
      /// It may stand for a plain value.
      case value
    }

    let module: String
    let name: String
    let role: Role

    init(_ module: String, _ name: String) {
      self.module = module
      self.name = name
      role =
        switch (module, name) {
        case ("builtins", "getattr"): .getattr
        case ("_codecs", _), ("builtins", _), ("copyreg", _): .value
        default: .plain
        }
    }
  }

  let bytes: [UInt8]
  /// Texts that an escape made different from the input.
  private(set) var decoded: [UInt8] = []
  /// Items behind their headers.
  ///
  /// The first is the header of the empty tuple, so that 0 is no place of a segment.
  var cells = UniqueArray<UInt64>()
  private(set) var texts = UniqueArray<Text>()
  var containers = UniqueArray<Container>()
  var objects = UniqueArray<Object>()
  private(set) var globals: [Global] = []
  /// What the pickle is.
  var root = PickleCell.absent
  /// The byte behind STOP.
  var end = 0

  /// In the headers of tuples: how many items, in the lower half; then the depth; then whether the
  /// tuple was ever asked for again.
  static let countMask: UInt64 = 0xFFFF_FFFF
  private static let depthMask: UInt64 = 0x7FFF_FFFF
  private static let sharedMask: UInt64 = 1 << 63

  /// No more values are made, so that every place among the cells fits 32 bits: each adds at most
  /// three to those that are taken from the stack.
  static let mostValues = 1 << 29

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    cells.append(0)
  }

  // MARK: Making values

  @inline(__always)
  mutating func integer(_ number: Int) -> PickleCell {
    if PickleCell.holds(number) { return PickleCell(.integer, number) }
    cells.append(UInt64(bitPattern: Int64(number)))
    return PickleCell(.wideInteger, cells.count - 1)
  }

  mutating func integer(_ number: PickleNumber) -> PickleCell {
    switch number {
    case .word(let number): return integer(number)
    case .big(let bytes): return text(bytes, .bigInteger)
    }
  }

  mutating func float(_ number: Double) -> PickleCell {
    cells.append(number.bitPattern)
    return PickleCell(.float, cells.count - 1)
  }

  /// Text or bytes that the input holds as they are; the text must have been checked.
  @inline(__always)
  mutating func text(_ range: Range<Int>, _ kind: PickleCell.Kind = .text) -> PickleCell {
    texts.append(Text(start: range.lowerBound, count: range.count))
    return PickleCell(kind, texts.count - 1)
  }

  /// Text or bytes that the input does not hold as they are.
  mutating func text(
    _ content: some Collection<UInt8>, _ kind: PickleCell.Kind = .text
  ) -> PickleCell {
    texts.append(Text(start: bytes.count + decoded.count, count: content.count))
    decoded.append(contentsOf: content)
    return PickleCell(kind, texts.count - 1)
  }

  mutating func global(_ module: String, _ name: String) -> Int {
    globals.append(Global(module, name))
    return globals.count - 1
  }

  @inline(__always)
  mutating func object(
    _ callee: Int, _ arguments: Int, _ construction: PickleObject.Construction, depth: Int32
  ) -> PickleCell {
    objects.append(
      Object(
        callee: UInt32(callee), arguments: UInt32(arguments), depth: depth,
        construction: construction))
    return PickleCell(.object, objects.count - 1)
  }

  @inline(__always)
  mutating func container(_ kind: PickleCell.Kind) -> PickleCell {
    containers.append(Container())
    return PickleCell(kind, containers.count - 1)
  }

  /// Writes the header of a tuple, whose items the caller writes behind it.
  @inline(__always)
  mutating func tuple(count: Int, depth: Int32) -> PickleCell {
    cells.append(UInt64(count) | UInt64(depth) << 32)
    return PickleCell(.tuple, cells.count - 1)
  }

  mutating func persistent(_ value: PickleCell, depth: Int32) -> PickleCell {
    cells.append(UInt64(depth) << 32)
    cells.append(value.bits)
    return PickleCell(.persistent, cells.count - 2)
  }

  /// Makes room for `count` more items of a container, which the caller writes next.
  @inline(__always)
  mutating func extend(_ container: Int, by count: Int) {
    let last = Int(containers[container].last)
    containers[container].count += UInt32(count)
    if last > 0, last + 1 + Int(cells[last] & Self.countMask) == cells.count {
      cells[last] += UInt64(count)
      return
    }
    let header = cells.count
    if last > 0 {
      cells[last] |= UInt64(header) << 32
    } else {
      containers[container].first = UInt32(header)
    }
    containers[container].last = UInt32(header)
    cells.append(UInt64(count))
  }

  /// The container of the items that were appended to or set on an object.
  mutating func items(of object: Int, _ kind: PickleCell.Kind) -> Int {
    let known = kind == .list ? objects[object].list : objects[object].dictionary
    if known >= 0 { return Int(known) }
    let container = container(kind).payload
    if kind == .list {
      objects[object].list = Int32(container)
    } else {
      objects[object].dictionary = Int32(container)
    }
    return container
  }

  /// Remembers that a tuple or a reference is in more than one place: it has no other identity.
  @inline(__always)
  mutating func share(_ cell: PickleCell) {
    if cell.kind.hasHeader { cells[cell.payload] |= Self.sharedMask }
  }

  func isShared(_ cell: PickleCell) -> Bool {
    cell.kind.hasHeader && cells[cell.payload] & Self.sharedMask != 0
  }

  // MARK: Looking at values

  /// The nesting of tuples, arguments and references below a value.
  ///
  /// Containers that can still be filled count as leaves here: `PickleCensus` follows them at the end.
  @inline(__always)
  func depth(of cell: PickleCell) -> Int32 {
    switch cell.kind {
    case .tuple, .persistent:
      Int32(truncatingIfNeeded: cells[cell.payload] >> 32 & Self.depthMask)
    // One that was skipped has nothing but its depth.
    case .object: cell.payload < 0 ? ~Int32(cell.payload) : objects[cell.payload].depth
    default: 0
    }
  }

  /// The places of a tuple's items among the cells.
  @inline(__always)
  func items(ofTuple header: Int) -> Range<Int> {
    header + 1..<header + 1 + Int(cells[header] & Self.countMask)
  }

  func items(of object: Object) -> Range<Int> { items(ofTuple: Int(object.arguments)) }

  func items(of container: Int) -> PickleItems { PickleItems(containers[container]) }

  func cell(at place: Int) -> PickleCell { PickleCell(bits: cells[place]) }

  func number(of cell: PickleCell) -> Int? {
    switch cell.kind {
    case .integer: cell.payload
    case .wideInteger: Int(Int64(bitPattern: cells[cell.payload]))
    default: nil
    }
  }

  /// What a text, bytes or a big integer consist of.
  func content(_ index: Int) -> ArraySlice<UInt8> {
    let text = texts[index]
    if text.start < bytes.count || text.count == 0 && text.start == bytes.count {
      return bytes[text.start..<text.start + text.count]
    }
    return decoded[text.start - bytes.count..<text.start - bytes.count + text.count]
  }

  func string(_ index: Int) -> String { String(decoding: content(index), as: UTF8.self) }

  func string(of cell: PickleCell) -> String? {
    cell.kind == .text ? string(cell.payload) : nil
  }
}

/// Goes through the items of a container, segment by segment.
struct PickleItems {
  private var place: Int
  private var left = 0
  private var following: Int

  init(_ container: PickleArena.Container) {
    place = 0
    following = Int(container.first)
  }

  @inline(__always)
  mutating func next(_ arena: borrowing PickleArena) -> PickleCell? {
    // A segment is never empty.
    while left == 0 {
      guard following > 0 else { return nil }
      let header = arena.cells[following]
      place = following
      left = Int(header & PickleArena.countMask)
      following = Int(header >> 32)
    }
    place += 1
    left -= 1
    return arena.cell(at: place)
  }
}
