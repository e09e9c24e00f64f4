/// Measures a value that was read: how deep it is and how large it would be without sharing.
///
/// Each container is followed once, so the walk is linear where the written-out size is exponential;
/// tuples, which have no identity, are followed each time, and every step counts against the limit.
struct PickleCensus {
  /// What is known of a container or an object.
  private struct Entry {
    var size: UInt32 = 0
    /// The levels below it; -1 before it was met, -2 while it is being followed.
    var height: Int32 = -1
  }

  private struct Extent {
    var size = 1
    var height: Int32 = 0

    mutating func add(_ inner: Extent, limit: Int) throws(PickleError) {
      let (sum, overflow) = size.addingReportingOverflow(inner.size)
      guard !overflow, sum <= limit else { throw .expandsTooFar(limit: limit) }
      size = sum
      height = max(height, inner.height + 1)
    }
  }

  /// Those of the containers, then those of the objects.
  private var entries: [Entry]
  private let objectStart: Int
  private let depth: Int
  private let expanded: Int
  private var steps = 0

  init(_ arena: borrowing PickleArena, limits: Unpickler.Limits) {
    objectStart = arena.containers.count
    entries = Array(repeating: Entry(), count: objectStart + arena.objects.count)
    depth = limits.depth
    expanded = min(limits.expanded, Int(UInt32.max))
  }

  /// Throws if the pickle is deeper, or larger without sharing, than the limits allow.
  mutating func measure(_ arena: borrowing PickleArena) throws(PickleError) {
    _ = try measure(arena.root, level: 0, in: arena)
  }

  @inline(__always)
  private mutating func step(_ count: Int = 1) throws(PickleError) {
    steps += count
    guard steps <= expanded else { throw .expandsTooFar(limit: expanded) }
  }

  private mutating func measure(
    _ cell: PickleCell, level: Int, in arena: borrowing PickleArena
  ) throws(PickleError) -> Extent {
    try step()
    var extent = Extent()
    if cell.isLeaf { return extent }
    switch cell.kind {
    case .tuple, .persistent:
      guard level <= depth else { throw .tooDeep(limit: depth) }
      try add(arena.items(ofTuple: cell.payload), to: &extent, level, in: arena)
    case .list, .set, .dictionary:
      if try isKnown(cell.payload, cell, &extent, level, in: arena) { return extent }
      try add(container: cell.payload, to: &extent, level, in: arena)
      entries[cell.payload] = Entry(size: UInt32(extent.size), height: extent.height)
    case .object:
      let entry = objectStart + cell.payload
      if try isKnown(entry, cell, &extent, level, in: arena) { return extent }
      try add(object: cell.payload, to: &extent, level, in: arena)
      entries[entry] = Entry(size: UInt32(extent.size), height: extent.height)
    default: break
    }
    return extent
  }

  /// Whether a container was followed before, and how large it was; if not, it is now being followed.
  @inline(__always)
  private mutating func isKnown(
    _ entry: Int, _ cell: PickleCell, _ extent: inout Extent, _ level: Int,
    in arena: borrowing PickleArena
  ) throws(PickleError) -> Bool {
    let known = entries[entry]
    guard known.height != -2 else { throw .recursive(name(of: cell, in: arena)) }
    guard level + Int(max(known.height, 0)) <= depth else {
      throw .tooDeep(limit: depth)
    }
    if known.height >= 0 {
      extent = Extent(size: Int(known.size), height: known.height)
      return true
    }
    entries[entry].height = -2
    return false
  }

  private func name(of cell: PickleCell, in arena: borrowing PickleArena) -> String {
    switch cell.kind {
    case .dictionary: "dictionary"
    case .object: arena.globals[Int(arena.objects[cell.payload].callee)].name
    default: "list"
    }
  }

  @inline(__always)
  private mutating func add(
    _ places: Range<Int>, to extent: inout Extent, _ level: Int, in arena: borrowing PickleArena
  ) throws(PickleError) {
    var leaves = 0
    for place in places {
      let cell = arena.cell(at: place)
      if cell.isLeaf {
        leaves += 1
      } else {
        try extent.add(measure(cell, level: level + 1, in: arena), limit: expanded)
      }
    }
    if leaves == 0 { return }
    try step(leaves)
    try extent.add(Extent(size: leaves), limit: expanded)
  }

  @inline(__always)
  private mutating func add(
    container: Int, to extent: inout Extent, _ level: Int, in arena: borrowing PickleArena
  ) throws(PickleError) {
    var segment = Int(arena.containers[container].first)
    while segment > 0 {
      let (items, following) = arena.segment(at: segment)
      try add(items, to: &extent, level, in: arena)
      segment = following
    }
  }

  @inline(__always)
  private mutating func add(
    object index: Int, to extent: inout Extent, _ level: Int, in arena: borrowing PickleArena
  ) throws(PickleError) {
    let object = arena.objects[index]
    try add(arena.items(of: object), to: &extent, level, in: arena)
    if object.state != .absent {
      try extent.add(measure(object.state, level: level + 1, in: arena), limit: expanded)
    }
    if object.hasAttached { try addAttached(to: index, to: &extent, level, in: arena) }
  }

  private mutating func addAttached(
    to object: Int, to extent: inout Extent, _ level: Int, in arena: borrowing PickleArena
  ) throws(PickleError) {
    guard let attached = arena.attached(to: object) else { return }
    if let dictionary = attached.dictionary {
      try add(container: dictionary, to: &extent, level, in: arena)
    }
    if let list = attached.list { try add(container: list, to: &extent, level, in: arena) }
  }
}
