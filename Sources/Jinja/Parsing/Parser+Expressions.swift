extension Parser {
  /// An expression, with inline conditions unless they would end it.
  mutating func expression(withCondition: Bool = true) throws(Fault) -> Expression {
    try descend()
    defer { depth -= 1 }
    let offset = current.offset
    var result = try disjunction()
    guard result.height <= Self.maximumHeight else {
      throw Fault(
        .limit(
          "An expression is nested more than \(Self.maximumHeight) deep",
          advice: "Divide it with {% set %}."), at: offset)
    }
    guard withCondition else { return result }
    var count = 0
    while take(name: "if") {
      try link(&count)
      let test = try disjunction()
      let otherwise = take(name: "else") ? try expression() : nil
      result = Expression(
        .condition(test: test, then: result, otherwise: otherwise), at: offset)
    }
    return result
  }

  /// Counts a link of a chain, each of which makes what is evaluated one deeper.
  private func link(_ count: inout Int) throws(Fault) {
    count += 1
    guard count <= Self.maximumChain else {
      throw Fault(
        .limit(
          "An expression has more than \(Self.maximumChain) parts in a row",
          advice: "Divide it with {% set %}."), at: current.offset)
    }
  }

  private mutating func disjunction() throws(Fault) -> Expression {
    var left = try conjunction()
    var count = 0
    while isName("or") {
      let offset = current.offset
      advance()
      try link(&count)
      left = Expression(.or(left, try conjunction()), at: offset)
    }
    return left
  }

  private mutating func conjunction() throws(Fault) -> Expression {
    var left = try negation()
    var count = 0
    while isName("and") {
      let offset = current.offset
      advance()
      try link(&count)
      left = Expression(.and(left, try negation()), at: offset)
    }
    return left
  }

  private mutating func negation() throws(Fault) -> Expression {
    guard isName("not") else { return try comparison() }
    let offset = current.offset
    advance()
    try descend()
    defer { depth -= 1 }
    return Expression(.not(try negation()), at: offset)
  }

  private mutating func comparison() throws(Fault) -> Expression {
    let offset = current.offset
    let left = try sum()
    var links: [(comparison: Comparison, right: Expression)] = []
    while true {
      let found: Comparison
      if case .symbol(let symbol) = current.kind, let comparison = Comparison(rawValue: symbol) {
        found = comparison
      } else if isName("in") {
        found = .isIn
      } else if isName("not"), following.kind == .name("in") {
        advance()
        found = .isNotIn
      } else {
        break
      }
      advance()
      links.append((found, try sum()))
    }
    return links.isEmpty ? left : Expression(.comparison(left, links), at: offset)
  }

  private mutating func sum() throws(Fault) -> Expression {
    var left = try concatenation()
    var count = 0
    while case .symbol(let symbol) = current.kind, symbol == "+" || symbol == "-",
      let operation = Operation(rawValue: symbol)
    {
      let offset = current.offset
      advance()
      try link(&count)
      left = Expression(.binary(operation, left, try concatenation()), at: offset)
    }
    return left
  }

  private mutating func concatenation() throws(Fault) -> Expression {
    let offset = current.offset
    var parts = [try product()]
    while take(symbol: "~") { parts.append(try product()) }
    return parts.count == 1 ? parts[0] : Expression(.concatenation(parts), at: offset)
  }

  private mutating func product() throws(Fault) -> Expression {
    var left = try power()
    var count = 0
    while case .symbol(let symbol) = current.kind, ["*", "/", "//", "%"].contains(symbol),
      let operation = Operation(rawValue: symbol)
    {
      let offset = current.offset
      advance()
      try link(&count)
      left = Expression(.binary(operation, left, try power()), at: offset)
    }
    return left
  }

  private mutating func power() throws(Fault) -> Expression {
    var left = try unary()
    var count = 0
    while isSymbol("**") {
      let offset = current.offset
      advance()
      try link(&count)
      left = Expression(.binary(.power, left, try unary()), at: offset)
    }
    return left
  }

  private mutating func unary(withFilters: Bool = true) throws(Fault) -> Expression {
    let offset = current.offset
    var result: Expression
    if isSymbol("-") || isSymbol("+") {
      let isNegative = isSymbol("-")
      advance()
      try descend()
      defer { depth -= 1 }
      result = Expression(.sign(try unary(withFilters: false), isNegative: isNegative), at: offset)
    } else {
      result = try primary()
    }
    result = try accesses(result)
    return withFilters ? try filtersAndTests(result) : result
  }

  // MARK: Primaries

  mutating func primary() throws(Fault) -> Expression {
    let token = current
    func constant(_ value: Value) -> Expression { Expression(.constant(value), at: token.offset) }
    switch token.kind {
    case .name(let name):
      advance()
      switch name {
      case "true", "True": return constant(.bool(true))
      case "false", "False": return constant(.bool(false))
      case "none", "None": return constant(.none)
      default: return Expression(.name(Name(name)), at: token.offset)
      }
    case .string(var text):
      advance()
      while case .string(let next) = current.kind {
        text = text + next
        advance()
      }
      return constant(.string(text))
    case .integer(let value):
      advance()
      return constant(.integer(value))
    case .float(let value):
      advance()
      return constant(.float(value))
    case .symbol("("):
      advance()
      let result = try tuple(isParenthesised: true)
      try expect(symbol: ")")
      return result
    case .symbol("["): return try list()
    case .symbol("{"): return try dictionary()
    default: throw unexpected("An expression")
    }
  }

  /// One expression, or a tuple of several with commas between them.
  ///
  /// - Parameter end: a name that ends it, after a last comma too.
  mutating func tuple(
    withCondition: Bool = true, until end: String? = nil, isParenthesised: Bool = false
  ) throws(Fault) -> Expression {
    let offset = current.offset
    var elements: [Expression] = []
    var isTuple = false
    while true {
      if !elements.isEmpty { try expect(symbol: ",") }
      if isTupleEnd(end) { break }
      elements.append(try expression(withCondition: withCondition))
      guard isSymbol(",") else { break }
      isTuple = true
    }
    if !isTuple {
      if let only = elements.first { return only }
      guard isParenthesised else { throw unexpected("An expression") }
    }
    return Expression(.tuple(elements), at: offset)
  }

  private func isTupleEnd(_ end: String?) -> Bool {
    switch current.kind {
    case .variableEnd, .blockEnd, .symbol(")"): true
    case .name(let name): name == end
    default: false
    }
  }

  private mutating func list() throws(Fault) -> Expression {
    let offset = current.offset
    advance()
    var elements: [Expression] = []
    while !isSymbol("]") {
      if !elements.isEmpty {
        try expect(symbol: ",")
        if isSymbol("]") { break }
      }
      elements.append(try expression())
    }
    try expect(symbol: "]")
    return Expression(.list(elements), at: offset)
  }

  private mutating func dictionary() throws(Fault) -> Expression {
    let offset = current.offset
    advance()
    var members: [(key: Expression, value: Expression)] = []
    while !isSymbol("}") {
      if !members.isEmpty {
        try expect(symbol: ",")
        if isSymbol("}") { break }
      }
      let key = try expression()
      try expect(symbol: ":")
      members.append((key, try expression()))
    }
    try expect(symbol: "}")
    return Expression(.dictionary(members), at: offset)
  }

  // MARK: What follows a primary

  mutating func accesses(_ start: Expression) throws(Fault) -> Expression {
    var result = start
    var count = 0
    while true {
      if isSymbol(".") || isSymbol("[") {
        result = try access(result)
      } else if isSymbol("(") {
        result = try call(result)
      } else {
        return result
      }
      try link(&count)
    }
  }

  private mutating func call(_ callee: Expression) throws(Fault) -> Expression {
    let offset = current.offset
    return Expression(.call(callee, try arguments()), at: offset)
  }

  private mutating func access(_ value: Expression) throws(Fault) -> Expression {
    let offset = current.offset
    if take(symbol: ".") {
      let token = current
      advance()
      switch token.kind {
      case .name(let name): return Expression(.attribute(value, Text(name)), at: token.offset)
      case .integer(let index):
        return Expression(
          .item(value, Expression(.constant(.integer(index)), at: token.offset)), at: token.offset)
      default:
        throw Fault(
          .syntax(expected: "A name or a number", found: token.description), at: token.offset)
      }
    }
    advance()
    var indices: [Expression] = []
    var slice: Expression?
    while !isSymbol("]") {
      if !indices.isEmpty || slice != nil { try expect(symbol: ",") }
      if let whole = try subscripted(value, offset, &indices) { slice = whole }
    }
    try expect(symbol: "]")
    if let slice {
      guard indices.isEmpty else {
        throw Fault(.badTemplate("A slice stands alone in its brackets."), at: offset)
      }
      return slice
    }
    let index = indices.count == 1 ? indices[0] : Expression(.tuple(indices), at: offset)
    return Expression(.item(value, index), at: offset)
  }

  /// One subscript: an index, which is added, or a slice of the whole, which is returned.
  private mutating func subscripted(
    _ value: Expression, _ offset: Int, _ indices: inout [Expression]
  ) throws(Fault) -> Expression? {
    func ends() -> Bool { isSymbol("]") || isSymbol(",") }
    var start: Expression?
    if !isSymbol(":") {
      let index = try expression()
      guard isSymbol(":") else {
        indices.append(index)
        return nil
      }
      start = index
    }
    advance()
    let stop = ends() || isSymbol(":") ? nil : try expression()
    var step: Expression?
    if take(symbol: ":"), !ends() { step = try expression() }
    return Expression(.slice(value, start: start, stop: stop, step: step), at: offset)
  }

  mutating func arguments() throws(Fault) -> ArgumentList {
    let offset = current.offset
    try expect(symbol: "(")
    var list = ArgumentList()
    var isFirst = true
    while !isSymbol(")") {
      if !isFirst {
        try expect(symbol: ",")
        if isSymbol(")") { break }
      }
      isFirst = false
      guard try argument(&list) else {
        throw Fault(
          .badTemplate("The arguments of the call are in a wrong order, or one is given twice."),
          at: offset)
      }
    }
    try expect(symbol: ")")
    return list
  }

  /// Reads one argument; false where it may not stand behind those before it.
  private mutating func argument(_ list: inout ArgumentList) throws(Fault) -> Bool {
    if take(symbol: "*") {
      guard list.unpacked == nil, list.unpackedNamed == nil else { return false }
      list.unpacked = try expression()
    } else if take(symbol: "**") {
      guard list.unpackedNamed == nil else { return false }
      list.unpackedNamed = try expression()
    } else if case .name(let name) = current.kind, following.kind == .symbol("=") {
      guard list.unpackedNamed == nil, !list.named.contains(where: { $0.name == name }) else {
        return false
      }
      advance()
      advance()
      list.named.append((name, try expression()))
    } else {
      guard list.unpacked == nil, list.unpackedNamed == nil, list.named.isEmpty else {
        return false
      }
      list.positional.append(try expression())
    }
    return true
  }
}
