extension Unpickler {
  /// GLOBAL: the module and the name stand in two lines.
  mutating func pushNamedGlobal() throws(PickleError) {
    let module = try line()
    let name = try line()
    try pushGlobal(text(module), text(name))
  }

  mutating func stackGlobal() throws(PickleError) {
    guard case .string(let name) = try pop().value, case .string(let module) = try pop().value
    else { throw .unexpected("STACK_GLOBAL finds no two names", offset: place) }
    try pushGlobal(module, name)
  }

  mutating func pushGlobal(_ module: String, _ name: String) throws(PickleError) {
    // A line feed in a name would become opcodes where names are written as lines.
    guard !module.isEmpty, !name.isEmpty, (module + name).utf8.allSatisfy({ $0 > 0x20 }) else {
      throw .unexpected("a class or function has an impossible name", offset: place)
    }
    let (module, name) = version < 3 ? PickleAllowList.modern(module, name) : (module, name)
    guard PickleAllowList.allows(module, name, for: policy) else {
      throw .forbiddenGlobal(module: module, name: name, offset: place)
    }
    push(.global(module: module, name: name))
  }

  mutating func pushObject(named name: String, _ arguments: [PickleValue], depth: Int32) {
    pushObject(
      PickleObject(module: "builtins", name: name, arguments: arguments), depth: depth)
  }

  /// REDUCE and NEWOBJ: writes down the class or function and what it would have been given.
  mutating func construct(_ construction: PickleObject.Construction) throws(PickleError) {
    var keywords: Slot?
    if construction == .newObjectExtended {
      keywords = try pop()
      guard case .dictionary = keywords?.value else {
        throw .unexpected("keyword arguments are no dictionary", offset: place)
      }
    }
    let last = try pop()
    guard case .tuple(var arguments) = last.value else {
      throw .unexpected("the arguments of a call are no tuple", offset: place)
    }
    if let keywords { arguments.append(keywords.value) }
    let function = try pop()
    let (module, name) = try callee(function)
    if module == "builtins", name == "getattr" { try checkAttribute(arguments) }
    if construction == .reduce, let plain = plainValue(module, name, arguments) {
      switch plain {
      case .set(let set): pushSet(set.items)
      case .object(let object): pushObject(object, depth: 0)
      default: push(plain)
      }
      return
    }
    let object = PickleObject(
      module: module, name: name, arguments: arguments, construction: construction)
    pushObject(object, depth: try deeper(last.depth))
  }

  /// The class or function to call; a nested class may arrive as `getattr(Outer, 'Inner')`.
  private func callee(_ slot: Slot) throws(PickleError) -> (module: String, name: String) {
    switch slot.value {
    case .global(let module, let name): return (module, name)
    case .object(let object):
      if object.module == "builtins", object.name == "getattr", object.arguments.count == 2,
        case .global(let module, let outer) = object.arguments[0],
        case .string(let inner) = object.arguments[1]
      {
        return (module, outer + "." + inner)
      }
    default: break
    }
    throw .unexpected("something other than a named class or function is called", offset: place)
  }

  private func checkAttribute(_ arguments: [PickleValue]) throws(PickleError) {
    guard arguments.count == 2, case .string(let attribute) = arguments[1] else {
      throw .forbiddenAttribute(of: "a value", offset: place)
    }
    guard case .global(let module, let name) = arguments[0] else {
      throw .forbiddenAttribute(of: "a value", offset: place)
    }
    // An attribute with underscores leads from any class to the whole interpreter.
    let isMember = PickleAllowList.isEnumeration(module, name) && !attribute.hasPrefix("_")
    guard policy == .inert || isMember else {
      throw .forbiddenAttribute(of: "`\(module).\(name)`", offset: place)
    }
  }

  /// The value that a well-known call stands for, if it is one.
  private func plainValue(
    _ module: String, _ name: String, _ arguments: [PickleValue]
  ) -> PickleValue? {
    switch (module, name, arguments.count) {
    case ("_codecs", "encode", 2):
      // How protocol 2 writes bytes.
      guard case .string(let text) = arguments[0], case .string("latin1") = arguments[1] else {
        return nil
      }
      var bytes: [UInt8] = []
      bytes.reserveCapacity(text.utf8.count)
      for scalar in text.unicodeScalars {
        guard let byte = UInt8(exactly: scalar.value) else { return nil }
        bytes.append(byte)
      }
      return .bytes(bytes)
    case ("builtins", "bytes", 0): return .bytes([])
    case ("builtins", "set", 0): return .set(PickleList())
    case ("builtins", "set", 1):
      guard case .list(let list) = arguments[0] else { return nil }
      return .set(PickleList(list.items))
    case ("copyreg", "_reconstructor", 3):
      // How protocols 0 and 1 write a plain object.
      guard case .global(let module, let name) = arguments[0],
        case .global("builtins", "object") = arguments[1], case .none = arguments[2]
      else { return nil }
      return .object(PickleObject(module: module, name: name, construction: .newObject))
    default: return nil
    }
  }

  mutating func build() throws(PickleError) {
    let state = try pop()
    guard case .object(let object) = stack[try top()].value else {
      throw .unexpected("BUILD works on something other than an object", offset: place)
    }
    guard object.state == nil else {
      throw .unexpected("BUILD sets the state of an object twice", offset: place)
    }
    object.state = state.value
  }
}
