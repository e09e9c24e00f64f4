extension Parser {
  mutating func filtersAndTests(_ start: Expression) throws(Fault) -> Expression {
    var result = start
    var count = 0
    while true {
      if isSymbol("|") {
        result = try filters(of: result) ?? result
      } else if isName("is") {
        result = try test(result)
      } else if isSymbol("(") {
        let offset = current.offset
        result = Expression(.call(result, try arguments()), at: offset)
      } else {
        return result
      }
      count += 1
      guard count <= Self.maximumChain else {
        throw Fault(
          .limit("Too many filters stand in a row", advice: "Divide them with {% set %}."),
          at: current.offset)
      }
    }
  }

  private mutating func dottedName() throws(Fault) -> String {
    var name = try expectName()
    while take(symbol: ".") { name += "." + (try expectName()) }
    return name
  }

  /// The filters that follow an expression, or stand alone before a block.
  mutating func filters(
    of start: Expression?, startsInline: Bool = false
  ) throws(Fault) -> Expression? {
    var result = start
    var isInline = startsInline
    var count = 0
    while isInline || isSymbol("|") {
      if !isInline { advance() }
      isInline = false
      let offset = current.offset
      let name = try dottedName()
      let list = isSymbol("(") ? try arguments() : ArgumentList()
      result = Expression(.filter(result, FilterUse(name, list, at: offset)), at: offset)
      count += 1
      guard count <= Self.maximumChain else { throw unexpected("The end of the filters") }
    }
    return result
  }

  private mutating func test(_ value: Expression) throws(Fault) -> Expression {
    advance()
    let isNegated = take(name: "not")
    let offset = current.offset
    let name = try dottedName()
    var list = ArgumentList()
    if isSymbol("(") {
      list = try arguments()
    } else if startsTestArgument {
      if isName("is") { throw unexpected("The end of the test, as tests do not chain,") }
      list.positional = [try testArgument()]
    }
    let result = Expression(.test(value, TestUse(name, list, at: offset)), at: offset)
    return isNegated ? Expression(.not(result), at: offset) : result
  }

  private var startsTestArgument: Bool {
    switch current.kind {
    case .name(let name): !["else", "or", "and"].contains(name)
    case .string, .integer, .float, .symbol("["), .symbol("{"): true
    default: false
    }
  }

  private mutating func testArgument() throws(Fault) -> Expression {
    try descend()
    defer { depth -= 1 }
    let start = try primary()
    return try accesses(start)
  }

  // MARK: Targets

  mutating func assignableName() throws(Fault) -> String {
    let offset = current.offset
    let name = try expectName()
    try check(name, offset)
    return name
  }

  private func check(_ name: String, _ offset: Int) throws(Fault) {
    if ["true", "false", "none", "True", "False", "None"].contains(name) {
      throw Fault(.badTemplate("“\(name)” is a value and cannot be set."), at: offset)
    }
  }

  /// What is assigned to: names, tuples of them, attributes of namespaces.
  ///
  /// - Parameter end: a name that ends it, after a last comma too.
  mutating func target(
    withAttributes: Bool = false, until end: String? = nil, isParenthesised: Bool = false
  ) throws(Fault) -> TargetSyntax {
    try descend()
    defer { depth -= 1 }
    let offset = current.offset
    var elements: [TargetSyntax] = []
    var isTuple = false
    while true {
      if !elements.isEmpty { try expect(symbol: ",") }
      if current.kind == .blockEnd || isSymbol(")") || end.map({ isName($0) }) == true { break }
      elements.append(try oneTarget(withAttributes))
      guard isSymbol(",") else { break }
      isTuple = true
    }
    if !isTuple {
      if let only = elements.first { return only }
      guard isParenthesised else { throw unexpected("A name to set") }
    }
    return .tuple(elements, offset: offset)
  }

  private mutating func oneTarget(_ withAttributes: Bool) throws(Fault) -> TargetSyntax {
    let offset = current.offset
    if take(symbol: "(") {
      let result = try target(isParenthesised: true)
      try expect(symbol: ")")
      return result
    }
    guard case .name(let name) = current.kind else { throw unexpected("A name to set") }
    if withAttributes, following.kind == .symbol("."),
      !["true", "false", "none", "True", "False", "None"].contains(name)
    {
      advance()
      advance()
      return .attribute(Name(name), Text(try expectName()), offset: offset)
    }
    advance()
    try check(name, offset)
    return .name(name, offset: offset)
  }
}
