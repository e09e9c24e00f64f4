extension PickleArena {
  /// The whole pickle as a value that stands by itself; `PickleCensus` must have measured it.
  borrowing func value() -> PickleValue {
    var builder = PickleBuilder(self)
    return builder.value(root, in: self)
  }

  /// What a value is, for messages, as `PickleValue.kind`.
  borrowing func kind(of cell: PickleCell) -> String {
    let value: PickleValue =
      switch cell.kind {
      case .absent, .none: .none
      case .bool: .bool(false)
      case .integer, .wideInteger, .bigInteger: .integer(0)
      case .float: .float(0)
      case .text: .string("")
      case .bytes: .bytes([])
      case .global:
        .global(module: globals[cell.payload].module, name: globals[cell.payload].name)
      case .list: .list(PickleList())
      case .dictionary: .dictionary(PickleDictionary())
      case .set: .set(PickleList())
      case .tuple: .tuple([])
      case .object: .object(emptyObject(cell.payload))
      case .persistent: .persistent(PickleReference(.none))
      }
    return value.kind
  }

  private borrowing func emptyObject(_ index: Int) -> PickleObject {
    let callee = globals[Int(objects[index].callee)]
    return PickleObject(module: callee.module, name: callee.name)
  }
}

/// Makes `PickleValue`s of cells: each container and object once, so that what was shared stays so.
private struct PickleBuilder {
  private var containers: [PickleValue?]
  private var objects: [PickleObject?]
  private var globals: [PickleValue?]
  private var texts: [PickleValue?]
  /// Tuples and references that are in more than one place, by their cells.
  private var shared: [UInt32: PickleValue] = [:]

  init(_ arena: borrowing PickleArena) {
    containers = Array(repeating: nil, count: arena.containers.count)
    objects = Array(repeating: nil, count: arena.objects.count)
    globals = Array(repeating: nil, count: arena.globals.count)
    texts = Array(repeating: nil, count: arena.texts.count)
  }

  mutating func value(_ cell: PickleCell, in arena: borrowing PickleArena) -> PickleValue {
    let payload = cell.payload
    switch cell.kind {
    case .absent, .none: return .none
    case .bool: return .bool(payload != 0)
    case .integer, .wideInteger: return .integer(arena.number(of: cell) ?? 0)
    case .float: return .float(Double(bitPattern: arena.wide(cell)))
    case .text, .bytes, .bigInteger:
      if let known = texts[payload] { return known }
      let value: PickleValue =
        switch cell.kind {
        case .text: .string(arena.string(payload))
        case .bytes: .bytes(Array(arena.content(payload)))
        default: .bigInteger(Array(arena.content(payload)))
        }
      texts[payload] = value
      return value
    case .global:
      if let known = globals[payload] { return known }
      let global = arena.globals[payload]
      let value = PickleValue.global(module: global.module, name: global.name)
      globals[payload] = value
      return value
    case .tuple, .persistent: return immutable(cell, in: arena)
    case .list, .set, .dictionary: return container(cell, in: arena)
    case .object: return .object(object(payload, in: arena))
    }
  }

  private mutating func immutable(
    _ cell: PickleCell, in arena: borrowing PickleArena
  ) -> PickleValue {
    let isShared = arena.isShared(cell)
    if isShared, let known = shared[cell.bits] { return known }
    let value: PickleValue =
      if cell.kind == .tuple {
        .tuple(items(arena.items(ofTuple: cell.payload), in: arena))
      } else {
        .persistent(
          PickleReference(
            self.value(arena.cell(at: arena.items(ofTuple: cell.payload).lowerBound), in: arena)))
      }
    if isShared { shared[cell.bits] = value }
    return value
  }

  private mutating func container(
    _ cell: PickleCell, in arena: borrowing PickleArena
  ) -> PickleValue {
    if let known = containers[cell.payload] { return known }
    let value: PickleValue =
      switch cell.kind {
      case .dictionary: .dictionary(PickleDictionary(pairs(cell.payload, in: arena)))
      case .set: .set(PickleList(items(cell.payload, in: arena)))
      default: .list(PickleList(items(cell.payload, in: arena)))
      }
    containers[cell.payload] = value
    return value
  }

  private mutating func object(_ index: Int, in arena: borrowing PickleArena) -> PickleObject {
    if let known = objects[index] { return known }
    let source = arena.objects[index]
    let callee = arena.globals[Int(source.callee)]
    let object = PickleObject(
      module: callee.module, name: callee.name,
      arguments: items(arena.items(of: source), in: arena),
      construction: source.construction)
    if source.state != .absent { object.state = value(source.state, in: arena) }
    if let attached = arena.attached(to: index) {
      object.dictionary = attached.dictionary.map { PickleDictionary(pairs($0, in: arena)) }
      object.list = attached.list.map { PickleList(items($0, in: arena)) }
    }
    objects[index] = object
    return object
  }

  private mutating func items(
    _ places: Range<Int>, in arena: borrowing PickleArena
  ) -> [PickleValue] {
    var values: [PickleValue] = []
    values.reserveCapacity(places.count)
    for place in places { values.append(value(arena.cell(at: place), in: arena)) }
    return values
  }

  private mutating func items(
    _ container: Int, in arena: borrowing PickleArena
  ) -> [PickleValue] {
    var values: [PickleValue] = []
    values.reserveCapacity(arena.count(of: container))
    var items = arena.items(of: container)
    while let item = items.next(arena) { values.append(value(item, in: arena)) }
    return values
  }

  private mutating func pairs(
    _ container: Int, in arena: borrowing PickleArena
  ) -> [(key: PickleValue, value: PickleValue)] {
    var pairs: [(key: PickleValue, value: PickleValue)] = []
    pairs.reserveCapacity(arena.count(of: container) / 2)
    var items = arena.items(of: container)
    while let key = items.next(arena), let item = items.next(arena) {
      pairs.append((value(key, in: arena), value(item, in: arena)))
    }
    return pairs
  }
}
