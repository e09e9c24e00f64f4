extension Unpickler {
  /// GLOBAL: the module and the name stand in two lines.
  mutating func pushNamedGlobal() throws(PickleError) {
    let module = try line()
    let name = try line()
    try requireText(module)
    try requireText(name)
    try pushGlobal(
      String(decoding: arena.bytes[module], as: UTF8.self),
      String(decoding: arena.bytes[name], as: UTF8.self))
  }

  mutating func stackGlobal() throws(PickleError) {
    guard let name = arena.string(of: try pop()), let module = arena.string(of: try pop())
    else { throw .unexpected("STACK_GLOBAL finds no two names", offset: place) }
    try pushGlobal(module, name)
  }

  private mutating func pushGlobal(_ module: String, _ name: String) throws(PickleError) {
    // A line feed in a name would become opcodes where names are written as lines.
    guard !module.isEmpty, !name.isEmpty, (module + name).utf8.allSatisfy({ $0 > 0x20 }) else {
      throw .unexpected("a class or function has an impossible name", offset: place)
    }
    let (module, name) = version < 3 ? PickleAllowList.modern(module, name) : (module, name)
    guard PickleAllowList.allows(module, name, for: policy) else {
      throw .forbiddenGlobal(module: module, name: name, offset: place)
    }
    push(PickleCell(.global, arena.global(module, name)))
  }

  /// An object of Python's own that has an opcode; its arguments are the values from `start` on.
  mutating func pushObject(
    named name: String, from start: Int, depth: Int32
  ) throws(PickleError) {
    let arguments = arena.tuple(count: stack.count - start, depth: depth)
    moveToCells(from: start)
    let callee = arena.global("builtins", name)
    push(object(callee, arguments.payload, .reduce, depth: depth))
  }

  /// REDUCE and NEWOBJ: writes down the class or function and what it would have been given.
  mutating func construct(_ construction: PickleObject.Construction) throws(PickleError) {
    var keywords: PickleCell?
    if construction == .newObjectExtended {
      keywords = try pop()
      guard keywords?.kind == .dictionary else {
        throw .unexpected("keyword arguments are no dictionary", offset: place)
      }
    }
    let last = try pop()
    guard last.kind == .tuple else {
      throw .unexpected("the arguments of a call are no tuple", offset: place)
    }
    var arguments = last.payload
    if let keywords { arguments = try extended(arguments, by: keywords) }
    let callee = try callee(pop())
    switch arena.globals[callee].role {
    case .plain: break
    case .getattr: try checkAttribute(arguments)
    case .value:
      if construction == .reduce, let plain = try plainValue(callee, arguments) {
        return push(plain)
      }
    }
    push(object(callee, arguments, construction, depth: try deeper(arena.depth(of: last))))
  }

  /// A tuple of the arguments and the keyword arguments.
  private mutating func extended(
    _ arguments: Int, by keywords: PickleCell
  ) throws(PickleError) -> Int {
    let items = arena.items(ofTuple: arguments)
    try countCopies(items.count)
    let tuple = arena.tuple(count: items.count + 1, depth: 0)
    for index in items { arena.append(arena.cell(at: index)) }
    arena.append(keywords)
    return tuple.payload
  }

  /// The class or function to call; a nested class may arrive as `getattr(Outer, 'Inner')`.
  @inline(__always)
  private mutating func callee(_ cell: PickleCell) throws(PickleError) -> Int {
    if cell.kind == .global { return cell.payload }
    if cell.kind == .object, !cell.isSkipped {
      let object = arena.objects[cell.payload]
      let items = arena.items(of: object)
      if arena.globals[Int(object.callee)].role == .getattr, items.count == 2,
        case let outer = arena.cell(at: items.lowerBound), outer.kind == .global,
        let inner = arena.string(of: arena.cell(at: items.lowerBound + 1))
      {
        let outer = arena.globals[outer.payload]
        return arena.global(outer.module, outer.name + "." + inner)
      }
    }
    throw .unexpected("something other than a named class or function is called", offset: place)
  }

  private func checkAttribute(_ arguments: Int) throws(PickleError) {
    let items = arena.items(ofTuple: arguments)
    guard items.count == 2,
      let attribute = arena.string(of: arena.cell(at: items.lowerBound + 1)),
      case let owner = arena.cell(at: items.lowerBound), owner.kind == .global
    else { throw .forbiddenAttribute(of: "a value", offset: place) }
    let global = arena.globals[owner.payload]
    // An attribute with underscores leads from any class to the whole interpreter.
    let isMember =
      PickleAllowList.isEnumeration(global.module, global.name) && !attribute.hasPrefix("_")
    guard policy == .inert || isMember else {
      throw .forbiddenAttribute(of: "`\(global.module).\(global.name)`", offset: place)
    }
  }

  /// The value that a well-known call stands for, if it is one.
  private mutating func plainValue(
    _ callee: Int, _ arguments: Int
  ) throws(PickleError) -> PickleCell? {
    let items = arena.items(ofTuple: arguments)
    let first = items.isEmpty ? PickleCell.absent : arena.cell(at: items.lowerBound)
    let global = arena.globals[callee]
    switch (global.module, global.name, items.count) {
    case ("_codecs", "encode", 2):
      // How protocol 2 writes bytes.
      guard first.kind == .text,
        arena.string(of: arena.cell(at: items.lowerBound + 1)) == "latin1"
      else { return nil }
      return encode(first.payload)
    case ("builtins", "bytes", 0): return arena.text([], .bytes)
    case ("builtins", "set", 0): return container(.set)
    case ("builtins", "set", 1): return first.kind == .list ? try set(of: first) : nil
    case ("copyreg", "_reconstructor", 3):
      // How protocols 0 and 1 write a plain object.
      let base = arena.cell(at: items.lowerBound + 1)
      guard first.kind == .global, base.kind == .global,
        arena.globals[base.payload].module == "builtins",
        arena.globals[base.payload].name == "object",
        arena.cell(at: items.lowerBound + 2).kind == .none
      else { return nil }
      return object(first.payload, 0, .newObject, depth: 0)
    default: return nil
    }
  }

  /// The bytes that a text is in Latin-1, if it is in it.
  private mutating func encode(_ text: Int) -> PickleCell? {
    if let known = encoded[text] { return known }
    var bytes: [UInt8] = []
    let string = arena.string(text)
    bytes.reserveCapacity(string.utf8.count)
    for scalar in string.unicodeScalars {
      guard let byte = UInt8(exactly: scalar.value) else { return nil }
      bytes.append(byte)
    }
    let cell = arena.text(bytes, .bytes)
    encoded[text] = cell
    return cell
  }

  private mutating func set(of list: PickleCell) throws(PickleError) -> PickleCell {
    if list.isSkipped { return container(.set) }
    let total = arena.count(of: list.payload)
    try countCopies(total)
    let set = arena.container(.set)
    if total == 0 { return set }
    var items = arena.items(of: list.payload)
    arena.extend(set.payload, by: total)
    while let item = items.next(arena) { arena.append(item) }
    return set
  }

  @inline(__always)
  mutating func build() throws(PickleError) {
    let state = try pop()
    let target = try top()
    guard target.kind == .object else {
      throw .unexpected("BUILD works on something other than an object", offset: place)
    }
    if target.isSkipped { return }
    if skippedKey > 0 { needsAll = true }
    guard arena.objects[target.payload].state == .absent else {
      throw .unexpected("BUILD sets the state of an object twice", offset: place)
    }
    arena.objects[target.payload].state = state
  }
}
