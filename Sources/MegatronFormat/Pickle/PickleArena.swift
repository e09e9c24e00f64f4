import Tensors

/// A pickle that was read, as a few flat arrays: the form in which millions of values cost little.
///
/// Values are `PickleCell`s; texts and bytes are ranges of the input; what holds other values holds
/// a stretch of `cells`. `value()` makes the `PickleValue` that most callers want.
///
/// The 17 MB of a model with 256 experts are read in 55 ms; `PickleValue`s from the first opcode on
/// took 580 ms to make and release, nearly all of it counting references and allocating.
struct PickleArena: ~Copyable {
  /// A stretch of the input, or of `decoded` if it begins behind the input's end.
  struct Text {
    let start: Int
    let count: Int
  }

  /// A list, a set, or the keys and values of a dictionary in turns.
  ///
  /// The items lie in segments: how many items follow, where the next segment is, then the items.
  struct Container {
    /// The place of the first and last segment; 0 if there is none.
    var first: UInt32 = 0
    var last: UInt32 = 0
  }

  /// What REDUCE or NEWOBJ made.
  struct Object {
    /// An index into `globals`.
    let callee: UInt32
    /// The place of a tuple.
    let arguments: UInt32
    let depth: Int32
    var state = PickleCell.absent
    let construction: PickleObject.Construction
    /// Whether it is in `attached`.
    fileprivate(set) var hasAttached = false
  }

  /// The containers of the items set on an object and of those appended to it.
  struct Attached {
    fileprivate(set) var dictionary: Int?
    fileprivate(set) var list: Int?
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
  /// That of a tuple says how many items there are, then how deep they are and, in the highest bit,
  /// whether the tuple was ever asked for again. The first is that of the empty tuple, so that 0 is
  /// no place of a segment.
  private(set) var cells = UniqueArray<PickleCell>()
  private(set) var texts = UniqueArray<Text>()
  /// Whether no text has any other characters.
  var isASCII = true
  private(set) var containers = UniqueArray<Container>()
  var objects = UniqueArray<Object>()
  private var attached: [Int: Attached] = [:]
  private(set) var globals: [Global] = []
  /// What the pickle is.
  var root = PickleCell.absent
  /// The byte behind STOP.
  var end = 0

  private static let header = 2
  private static let sharedMask: UInt32 = 1 << 31

  /// No more values are made, so that every place among the cells fits a payload: each value adds at
  /// most three cells to those that are moved from the stack.
  static let mostValues = PickleCell.firstSkipped / 4

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    word(0)
    word(0)
  }

  @inline(__always)
  private mutating func word(_ bits: UInt32) { cells.append(PickleCell(bits: bits)) }

  @inline(__always)
  private func word(at place: Int) -> UInt32 { cells[place].bits }

  // MARK: Making values

  @inline(__always)
  mutating func append(_ cell: PickleCell) { cells.append(cell) }

  /// Moves the cells of a stack from `start` on.
  @inline(__always)
  mutating func append(from stack: inout UniqueArray<PickleCell>, _ start: Int) {
    cells.move(from: &stack, start)
  }

  @inline(__always)
  mutating func integer(_ number: Int) -> PickleCell {
    if PickleCell.holds(number) { return PickleCell(.integer, number) }
    return wide(UInt64(bitPattern: Int64(number)), .wideInteger)
  }

  mutating func integer(_ number: PickleNumber) -> PickleCell {
    switch number {
    case .word(let number): return integer(number)
    case .big(let bytes): return text(bytes, .bigInteger)
    }
  }

  mutating func float(_ number: Double) -> PickleCell { wide(number.bitPattern, .float) }

  private mutating func wide(_ bits: UInt64, _ kind: PickleCell.Kind) -> PickleCell {
    word(UInt32(truncatingIfNeeded: bits))
    word(UInt32(truncatingIfNeeded: bits >> 32))
    return PickleCell(kind, cells.count - 2)
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
    if kind == .text, isASCII { isASCII = content.allSatisfy { $0 < 0x80 } }
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

  /// Writes the header of a tuple, whose items the caller appends.
  @inline(__always)
  mutating func tuple(count: Int, depth: Int32) -> PickleCell {
    word(UInt32(count))
    word(UInt32(depth))
    return PickleCell(.tuple, cells.count - Self.header)
  }

  /// A tuple of one, in truth.
  mutating func persistent(_ value: PickleCell, depth: Int32) -> PickleCell {
    let tuple = tuple(count: 1, depth: depth)
    append(value)
    return PickleCell(.persistent, tuple.payload)
  }

  /// Makes room for `count` more items of a container, at least one, which the caller appends.
  @inline(__always)
  mutating func extend(_ container: Int, by count: Int) {
    let last = Int(containers[container].last)
    if last > 0, last + Self.header + Int(word(at: last)) == cells.count {
      cells[last] = PickleCell(bits: word(at: last) + UInt32(count))
      return
    }
    let segment = UInt32(cells.count)
    if last > 0 {
      cells[last + 1] = PickleCell(bits: segment)
    } else {
      containers[container].first = segment
    }
    containers[container].last = segment
    word(UInt32(count))
    word(0)
  }

  /// The container of the items that were appended to or set on an object.
  mutating func items(of object: Int, _ kind: PickleCell.Kind) -> Int {
    let known = attached[object] ?? Attached()
    if let container = kind == .list ? known.list : known.dictionary { return container }
    let container = container(kind).payload
    if kind == .list {
      attached[object, default: known].list = container
    } else {
      attached[object, default: known].dictionary = container
    }
    objects[object].hasAttached = true
    return container
  }

  /// Remembers that a tuple or a reference is in more than one place: it has no other identity.
  @inline(__always)
  mutating func share(_ cell: PickleCell) {
    if cell.kind.hasHeader {
      let second = cell.payload + 1
      cells[second] = PickleCell(bits: word(at: second) | Self.sharedMask)
    }
  }

  // MARK: Looking at values

  func isShared(_ cell: PickleCell) -> Bool {
    cell.kind.hasHeader && word(at: cell.payload + 1) & Self.sharedMask != 0
  }

  /// The nesting of tuples, arguments and references below a value.
  ///
  /// Containers that can still be filled count as leaves here: `PickleCensus` follows them at the end.
  @inline(__always)
  func depth(of cell: PickleCell) -> Int32 {
    switch cell.kind {
    case .tuple, .persistent: Int32(bitPattern: word(at: cell.payload + 1) & ~Self.sharedMask)
    case .object:
      cell.isSkipped
        ? Int32(cell.payload - PickleCell.firstSkipped) : objects[cell.payload].depth
    default: 0
    }
  }

  /// The places of the items of a tuple, or of the value of a reference, among the cells.
  @inline(__always)
  func items(ofTuple place: Int) -> Range<Int> {
    let start = place + Self.header
    return start..<start + Int(word(at: place))
  }

  func items(of object: Object) -> Range<Int> { items(ofTuple: Int(object.arguments)) }

  @inline(__always)
  func items(of container: Int) -> PickleItems { PickleItems(containers[container]) }

  /// The places of the items of one segment of a container, and where the next segment is, if any.
  @inline(__always)
  func segment(at place: Int) -> (items: Range<Int>, following: Int) {
    let start = place + Self.header
    return (start..<start + Int(word(at: place)), Int(word(at: place + 1)))
  }

  /// How many items a container has.
  func count(of container: Int) -> Int {
    var count = 0
    var segment = Int(containers[container].first)
    while segment > 0 {
      let next = self.segment(at: segment)
      count += next.items.count
      segment = next.following
    }
    return count
  }

  func attached(to object: Int) -> Attached? {
    objects[object].hasAttached ? attached[object] : nil
  }

  @inline(__always)
  func cell(at place: Int) -> PickleCell { cells[place] }

  @inline(__always)
  func number(of cell: PickleCell) -> Int? {
    switch cell.kind {
    case .integer: cell.number
    case .wideInteger: Int(Int64(bitPattern: wide(cell)))
    default: nil
    }
  }

  /// The bits of a wide integer or a double.
  func wide(_ cell: PickleCell) -> UInt64 {
    UInt64(word(at: cell.payload)) | UInt64(word(at: cell.payload + 1)) << 32
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
  private var place = 0
  private var end = 0
  private var segment: Int

  init(_ container: PickleArena.Container) { segment = Int(container.first) }

  @inline(__always)
  mutating func next(_ arena: borrowing PickleArena) -> PickleCell? {
    // A segment is never empty.
    if place == end {
      guard segment > 0 else { return nil }
      let (items, following) = arena.segment(at: segment)
      place = items.lowerBound
      end = items.upperBound
      segment = following
    }
    place += 1
    return arena.cell(at: place - 1)
  }
}
