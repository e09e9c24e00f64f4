extension Renderer {
  func evaluate(_ expression: Expression, _ activation: Activation) throws(Fault) -> Value {
    do throws(Fault) {
      switch expression.kind {
      case .constant(let value): return value
      case .name(let name): return value(name, activation)
      default:
        try enter()
        defer { leave() }
        try spend(1)
        return try checked(compute(expression, activation))
      }
    } catch {
      throw Fault(error.fact, at: error.offset ?? expression.offset)
    }
  }

  private func compute(_ expression: Expression, _ activation: Activation) throws(Fault) -> Value {
    switch expression.kind {
    case .constant(let value): return value
    case .name(let name): return value(name, activation)
    case .tuple(let elements): return .tuple(try evaluate(elements, activation))
    case .list(let elements): return .list(try evaluate(elements, activation))
    case .dictionary(let members): return try dictionary(members, activation)
    case .attribute(let value, let name):
      return try attribute(name, of: evaluate(value, activation))
    case .item(let value, let index):
      let value = try evaluate(value, activation)
      return try item(evaluate(index, activation), of: value)
    case .slice: return try slice(expression, activation)
    case .call(let callee, let list):
      let callee = try evaluate(callee, activation)
      return try call(callee, evaluate(list, activation))
    case .filter(let value, _):
      guard let value else { preconditionFailure("a filter without a value stands before a block") }
      return try apply(expression, to: evaluate(value, activation), activation)
    case .test(let value, let use): return try test(value, use, activation)
    case .not(let value): return .bool(try !isTrue(evaluate(value, activation)))
    case .sign(let value, let isNegative):
      return try Arithmetic.sign(evaluate(value, activation), isNegative: isNegative)
    case .binary: return try binary(expression, activation)
    case .and(let left, let right):
      let value = try evaluate(left, activation)
      return try isTrue(value) ? evaluate(right, activation) : value
    case .or(let left, let right):
      let value = try evaluate(left, activation)
      return try isTrue(value) ? value : evaluate(right, activation)
    case .concatenation(let parts): return try concatenation(parts, activation)
    case .comparison(let left, let links): return try comparison(left, links, activation)
    case .condition(let test, let then, let otherwise):
      if try isTrue(evaluate(test, activation)) { return try evaluate(then, activation) }
      if let otherwise { return try evaluate(otherwise, activation) }
      return .missing("The inline condition is false and has no “else”")
    }
  }

  private func evaluate(
    _ expressions: [Expression], _ activation: Activation
  ) throws(Fault) -> [Value] {
    var values: [Value] = []
    values.reserveCapacity(expressions.count)
    for expression in expressions { values.append(try evaluate(expression, activation)) }
    return values
  }

  private func dictionary(
    _ members: [(key: Expression, value: Expression)], _ activation: Activation
  ) throws(Fault) -> Value {
    let result = Mapping()
    for member in members {
      let key = try evaluate(member.key, activation)
      try result.set(key, evaluate(member.value, activation))
    }
    return .dictionary(result)
  }

  /// A chain of operators of one rank is worked off from its left end, without going deeper for each.
  private func binary(_ expression: Expression, _ activation: Activation) throws(Fault) -> Value {
    var chain: [(operation: Operation, right: Expression, offset: Int)] = []
    var first = expression
    while case .binary(let operation, let left, let right) = first.kind {
      chain.append((operation, right, first.offset))
      first = left
    }
    var value = try evaluate(first, activation)
    for link in chain.reversed() {
      let right = try evaluate(link.right, activation)
      do throws(Fault) {
        value = try Arithmetic.apply(link.operation, value, right, self)
      } catch {
        throw Fault(error.fact, at: error.offset ?? link.offset)
      }
    }
    return value
  }

  private func concatenation(
    _ parts: [Expression], _ activation: Activation
  ) throws(Fault) -> Value {
    var result = Text.empty
    for value in try evaluate(parts, activation) {
      result = result + (try Printer.text(value, self))
      try spend(result.bytes.count >> 6)
    }
    return try made(result)
  }

  private func comparison(
    _ first: Expression, _ links: [(comparison: Comparison, right: Expression)],
    _ activation: Activation
  ) throws(Fault) -> Value {
    var left = try evaluate(first, activation)
    for link in links {
      let right = try evaluate(link.right, activation)
      guard try compare(link.comparison, left, right) else { return .bool(false) }
      left = right
    }
    return .bool(true)
  }

  private func slice(_ expression: Expression, _ activation: Activation) throws(Fault) -> Value {
    guard case .slice(let value, let start, let stop, let step) = expression.kind else {
      preconditionFailure("only slices come here")
    }
    func bound(_ expression: Expression?) throws(Fault) -> Int? {
      guard let expression else { return nil }
      let value = try evaluate(expression, activation)
      if value.isNone { return nil }
      if case .undefined(let undefined) = value { throw undefined.fault }
      guard let bound = value.integer else {
        throw .type("A slice goes by whole numbers, not by a \(value.type).")
      }
      return bound
    }
    let sliced = try evaluate(value, activation)
    let bounds = (try bound(start), try bound(stop), try bound(step))
    return try Slicing.slice(sliced, bounds.0, bounds.1, bounds.2, self)
  }

  // MARK: Calls

  func evaluate(_ list: ArgumentList, _ activation: Activation) throws(Fault) -> Arguments {
    var arguments = Arguments(positional: try evaluate(list.positional, activation))
    for (name, value) in list.named {
      arguments.named.append((name, try evaluate(value, activation)))
    }
    if let unpacked = list.unpacked {
      arguments.positional += try self.list(evaluate(unpacked, activation))
    }
    guard let unpacked = list.unpackedNamed else { return arguments }
    let value = try evaluate(unpacked, activation)
    guard case .dictionary(let mapping) = value else {
      throw .type("“**” unpacks a dict, not a \(value.type).")
    }
    for (key, value) in zip(mapping.keys, mapping.values) {
      guard let name = key.text?.string else {
        throw .type("“**” unpacks a dict whose keys are strings.")
      }
      guard !arguments.named.contains(where: { $0.name == name }) else {
        throw .arguments("call", "the argument “\(name)” is given twice")
      }
      arguments.named.append((name, value))
    }
    return arguments
  }

  func call(_ callee: Value, _ arguments: Arguments) throws(Fault) -> Value {
    try spend(1)
    switch callee {
    case .object(let object): return try object.call(arguments, self)
    case .undefined(let undefined): throw undefined.fault
    default: throw .type("A value of type \(callee.type) cannot be called.")
    }
  }

  /// Applies a filter, and those before it, to a value.
  func apply(_ filter: Expression, to value: Value, _ activation: Activation) throws(Fault) -> Value
  {
    guard case .filter(let inner, let use) = filter.kind else { return value }
    var value = value
    // Before a block, filters stand on each other and the first on nothing.
    if let inner, case .filter = inner.kind, isBlockFilter(filter) {
      value = try apply(inner, to: value, activation)
    }
    guard let function = use.filter else { throw use.unknownFilter }
    return try function.call(value, evaluate(use.arguments, activation), self)
  }

  private func isBlockFilter(_ filter: Expression) -> Bool {
    var filter = filter
    while case .filter(let inner, _) = filter.kind {
      guard let inner else { return true }
      filter = inner
    }
    return false
  }

  private func test(
    _ value: Expression, _ use: TestUse, _ activation: Activation
  ) throws(Fault) -> Value {
    let value = try evaluate(value, activation)
    guard let function = use.test else { throw use.unknownTest }
    return try function.call(value, evaluate(use.arguments, activation), self)
  }
}
