/// Reads a template's tokens into statements.
///
/// Source of the grammar: jinja2/parser.py. What needs other files is read, and refused where it is reached.
struct Parser {
  /// How deep tags and expressions may be nested: each level uses some stack, here and when rendering.
  static let maximumDepth = 100
  /// How many operators or accesses may follow each other in one expression.
  static let maximumChain = 400

  /// How deep what is evaluated may be nested in one expression, chains counted.
  static let maximumHeight = 600

  let tokens: [Token]
  var place = 0
  var depth = 0
  /// The tags that are open, innermost last.
  var open: [String] = []

  static func statements(_ source: [UInt8]) throws(Fault) -> (body: [Statement], source: [UInt8]) {
    let (tokens, source) = try Lexer.tokens(source)
    var parser = Parser(tokens: tokens)
    do throws(Fault) {
      return (try parser.statements(until: []), source)
    } catch {
      throw Fault(error.fact, at: error.offset ?? parser.current.offset)
    }
  }

  // MARK: Tokens

  var current: Token { tokens[place] }

  var following: Token { tokens[min(place + 1, tokens.count - 1)] }

  mutating func advance() { if place < tokens.count - 1 { place += 1 } }

  func isName(_ name: String) -> Bool { current.kind == .name(name) }

  func isSymbol(_ symbol: String) -> Bool { current.kind == .symbol(symbol) }

  mutating func take(name: String) -> Bool {
    guard isName(name) else { return false }
    advance()
    return true
  }

  mutating func take(symbol: String) -> Bool {
    guard isSymbol(symbol) else { return false }
    advance()
    return true
  }

  func unexpected(_ expected: String) -> Fault {
    if current.kind == .end, let tag = open.last { return Fault(.unclosed("the tag “\(tag)”")) }
    return Fault(
      .syntax(expected: expected, found: current.description), at: current.offset)
  }

  mutating func expect(symbol: String) throws(Fault) {
    guard take(symbol: symbol) else { throw unexpected("“\(symbol)”") }
  }

  mutating func expect(name: String) throws(Fault) {
    guard take(name: name) else { throw unexpected("“\(name)”") }
  }

  mutating func expectName() throws(Fault) -> String {
    guard case .name(let name) = current.kind else { throw unexpected("A name") }
    advance()
    return name
  }

  mutating func expectBlockEnd() throws(Fault) {
    guard current.kind == .blockEnd else { throw unexpected("The end of the tag, “%}”,") }
    advance()
  }

  mutating func descend() throws(Fault) {
    depth += 1
    guard depth <= Self.maximumDepth else {
      throw Fault(
        .limit(
          "The template is nested more than \(Self.maximumDepth) deep",
          advice: "Use macros or variables for its parts."), at: current.offset)
    }
  }

  // MARK: Statements

  /// Everything up to one of the tags named, which is left standing; up to the end where none is named.
  mutating func statements(until ends: [String]) throws(Fault) -> [Statement] {
    try descend()
    defer { depth -= 1 }
    var body: [Statement] = []
    while true {
      let token = current
      switch token.kind {
      case .end:
        if ends.isEmpty { return body }
        throw Fault(.unclosed("the tag “\(open.last ?? "")”"), at: token.offset)
      case .text(let text):
        advance()
        body.append(Statement(kind: .text(text), offset: token.offset))
      case .variableBegin:
        advance()
        let value = try tuple()
        guard current.kind == .variableEnd else {
          throw unexpected("The end of the expression, “}}”,")
        }
        advance()
        body.append(Statement(kind: .output(value), offset: token.offset))
      default:
        advance()
        if case .name(let name) = current.kind, ends.contains(name) { return body }
        body += try statement(ends)
        try expectBlockEnd()
      }
    }
  }

  /// A tag's body, behind an optional colon and the end of the tag.
  mutating func body(until ends: [String]) throws(Fault) -> [Statement] {
    _ = take(symbol: ":")
    try expectBlockEnd()
    return try statements(until: ends)
  }

  /// A body that ends with one tag, which is stepped over.
  mutating func body(endedBy end: String) throws(Fault) -> [Statement] {
    let body = try body(until: [end])
    advance()
    return body
  }

  private mutating func statement(_ awaited: [String]) throws(Fault) -> [Statement] {
    let offset = current.offset
    guard case .name(let name) = current.kind else { throw unexpected("The name of a tag") }
    advance()
    open.append(name)
    defer { open.removeLast() }
    func one(_ kind: Statement.Kind) -> [Statement] { [Statement(kind: kind, offset: offset)] }
    switch name {
    case "for": return one(.loop(try loop(offset)))
    case "if": return one(try condition())
    case "set": return one(try assignment())
    case "macro": return one(.macro(try macro()))
    case "call": return one(.callBlock(try callBlock(offset)))
    case "filter": return one(.filterBlock(try filterBlock()))
    case "with": return one(.with(try with()))
    case "generation":
      let body = try body(endedBy: "endgeneration")
      return one(.generation(Macro(name: nil, parameters: [], defaults: [], body: body)))
    case "break": return one(.breakLoop)
    case "continue": return one(.continueLoop)
    case "print": return try prints()
    case "block": return one(.block(try block()))
    case "autoescape": return one(try autoescape(offset))
    case "include", "import", "from", "extends":
      while current.kind != .blockEnd, current.kind != .end { advance() }
      return one(
        .refusal(
          .unsupported("The tag “\(name)” needs another file; a chat template stands alone.")))
    default:
      open.removeLast()
      defer { open.append(name) }
      throw Fault(.unknownTag(name, awaited: awaited), at: offset)
    }
  }

  private mutating func loop(_ offset: Int) throws(Fault) -> Loop {
    let target = try target(until: "in")
    try expect(name: "in")
    let iterable = try tuple(withCondition: false, until: "recursive")
    let test = take(name: "if") ? try expression() : nil
    let isRecursive = take(name: "recursive")
    let body = try body(until: ["endfor", "else"])
    var otherwise: [Statement] = []
    if take(name: "else") {
      otherwise = try self.body(endedBy: "endfor")
    } else {
      advance()
    }
    return Loop(
      target: target, iterable: iterable, test: test, isRecursive: isRecursive, body: body,
      otherwise: otherwise, offset: offset)
  }

  private mutating func condition() throws(Fault) -> Statement.Kind {
    var branches: [(test: Expression, body: [Statement])] = []
    while true {
      let test = try tuple(withCondition: false)
      branches.append((test, try body(until: ["elif", "else", "endif"])))
      if take(name: "elif") { continue }
      if take(name: "else") {
        return .condition(branches: branches, otherwise: try body(endedBy: "endif"))
      }
      advance()
      return .condition(branches: branches, otherwise: [])
    }
  }

  private mutating func assignment() throws(Fault) -> Statement.Kind {
    let target = try target(withAttributes: true)
    if take(symbol: "=") { return .assign(Assignment(target, try tuple())) }
    let filter = try filters(of: nil)
    return .assignBlock(BlockAssignment(target, filter, try body(endedBy: "endset")))
  }

  private mutating func prints() throws(Fault) -> [Statement] {
    var result: [Statement] = []
    while current.kind != .blockEnd {
      if !result.isEmpty { try expect(symbol: ",") }
      let offset = current.offset
      result.append(Statement(kind: .output(try expression()), offset: offset))
    }
    return result
  }

  private mutating func with() throws(Fault) -> With {
    var targets: [TargetSyntax] = []
    var values: [Expression] = []
    while current.kind != .blockEnd {
      if !targets.isEmpty { try expect(symbol: ",") }
      targets.append(try target())
      try expect(symbol: "=")
      values.append(try expression())
    }
    return With(targets, values, try body(endedBy: "endwith"))
  }

  private mutating func filterBlock() throws(Fault) -> FilterBlock {
    guard let filter = try filters(of: nil, startsInline: true) else {
      throw unexpected("A filter")
    }
    return FilterBlock(filter, try body(endedBy: "endfilter"))
  }

  /// Escaping for HTML is off in chat templates; turning it on would change the text silently here.
  private mutating func autoescape(_ offset: Int) throws(Fault) -> Statement.Kind {
    let value = try expression()
    let body = try body(endedBy: "endautoescape")
    if case .constant(.bool(false)) = value.kind { return .scope(ScopedBody(body)) }
    return .refusal(.unsupported("Only “autoescape false” is supported: chats are no HTML."))
  }

  private mutating func block() throws(Fault) -> NamedBlock {
    let name = try expectName()
    let isScoped = take(name: "scoped")
    let isRequired = take(name: "required")
    let body = try body(endedBy: "endblock")
    _ = take(name: name)
    return NamedBlock(name, isScoped: isScoped, isRequired: isRequired, body)
  }

  // MARK: Macros

  private mutating func macro() throws(Fault) -> Macro {
    let name = try assignableName()
    let (parameters, defaults) = try signature()
    return Macro(
      name: name, parameters: parameters, defaults: defaults,
      body: try body(endedBy: "endmacro"))
  }

  private mutating func callBlock(_ offset: Int) throws(Fault) -> CallBlock {
    let (parameters, defaults) = isSymbol("(") ? try signature() : ([], [])
    let call = try expression()
    guard case .call(let callee, let arguments) = call.kind else {
      throw Fault(.syntax(expected: "A call", found: "another expression"), at: call.offset)
    }
    let caller = Macro(
      name: nil, parameters: parameters, defaults: defaults,
      body: try body(endedBy: "endcall"))
    return CallBlock(call, callee, arguments, caller)
  }

  private mutating func signature() throws(Fault) -> ([String], [Expression]) {
    try expect(symbol: "(")
    var parameters: [String] = []
    var defaults: [Expression] = []
    while !isSymbol(")") {
      if !parameters.isEmpty { try expect(symbol: ",") }
      let offset = current.offset
      let name = try assignableName()
      if parameters.contains(name) {
        throw Fault(.badTemplate("The parameter “\(name)” occurs twice; rename one."), at: offset)
      }
      parameters.append(name)
      if take(symbol: "=") {
        defaults.append(try expression())
      } else if !defaults.isEmpty {
        throw unexpected("A default, as the parameter before has one,")
      }
    }
    try expect(symbol: ")")
    return (parameters, defaults)
  }
}
