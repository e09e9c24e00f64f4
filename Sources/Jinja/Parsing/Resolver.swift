/// Gives each variable of a template its slot, and each filter and test what it calls.
///
/// Source of the rules: jinja2/compiler.py, whose functions of Python the scopes here follow.
struct Resolver {
  /// Where a statement stands.
  struct Frame {
    let symbols: Symbols
    /// At the top of the template, where what is set is seen by blocks.
    var isTop = false
    /// In a condition, where an unknown filter is an error only if it is reached.
    var isSoft = false
    /// In a loop of the same function.
    var isInLoop = false

    var function: FunctionPlan { symbols.function }

    /// A scope of the same function.
    func inner() -> Frame {
      Frame(symbols: Symbols(parent: symbols, function: function), isInLoop: isInLoop)
    }

    /// A scope in a function of its own.
    func inner(_ function: FunctionPlan) -> Frame {
      Frame(symbols: Symbols(parent: symbols, function: function))
    }

    func soft() -> Frame {
      var frame = self
      frame.isSoft = true
      return frame
    }
  }

  /// Blocks by name, wherever they stand.
  var blocks: [String: NamedBlock] = [:]

  static func program(_ body: [Statement]) throws(Fault) -> Program {
    var resolver = Resolver()
    let function = FunctionPlan(parent: nil)
    var frame = Frame(symbols: Symbols(parent: nil, function: function))
    frame.isTop = true
    frame.symbols.analyse(body)
    try resolver.resolve(body, frame)
    return Program(
      body: body, function: function, scope: frame.symbols.scope,
      blocks: resolver.blocks)
  }

  // MARK: Statements

  mutating func resolve(_ statements: [Statement], _ frame: Frame) throws(Fault) {
    for statement in statements {
      do throws(Fault) {
        try resolve(statement, frame)
      } catch {
        throw Fault(error.fact, at: error.offset ?? statement.offset)
      }
    }
  }

  private mutating func resolve(_ statement: Statement, _ frame: Frame) throws(Fault) {
    switch statement.kind {
    case .text, .refusal: break
    case .output(let value): try resolve(value, frame)
    case .condition(let branches, let otherwise):
      let soft = frame.soft()
      for branch in branches {
        try resolve(branch.test, soft)
        try resolve(branch.body, soft)
      }
      try resolve(otherwise, soft)
    case .loop(let loop): try resolve(loop, frame)
    case .assign(let assignment):
      assignment.place = target(assignment.target, frame)
      try resolve(assignment.value, frame)
      assignment.exported = exported(assignment.target, frame)
    case .assignBlock(let block):
      let inner = frame.inner()
      inner.symbols.analyse(block.body)
      if let filter = block.filter { inner.symbols.analyse(filter) }
      block.scope = inner.symbols.scope
      try resolve(block.body, inner)
      if let filter = block.filter { try resolve(filter, inner) }
      block.place = target(block.target, frame)
      block.exported = exported(block.target, frame)
    case .macro(let macro):
      try resolve(macro, frame)
      if let name = macro.name { macro.place = reference(name, frame) }
      macro.isExported = frame.isTop
    case .generation(let macro): try resolve(macro, frame)
    case .callBlock(let block):
      try resolve(block.caller, frame)
      try resolve(block.callee, frame)
      for argument in block.arguments.all { try resolve(argument, frame) }
    case .filterBlock(let block):
      let inner = frame.inner()
      inner.symbols.analyse(block.body)
      inner.symbols.analyse(block.filter)
      block.scope = inner.symbols.scope
      try resolve(block.body, inner)
      try resolve(block.filter, inner)
    case .with(let with): try resolve(with, frame)
    case .scope(let scope):
      let inner = frame.inner()
      inner.symbols.analyse(scope.body)
      scope.scope = inner.symbols.scope
      try resolve(scope.body, inner)
    case .block(let block): try resolve(block, frame, statement.offset)
    case .breakLoop, .continueLoop:
      guard frame.isInLoop else {
        throw Fault(
          .badTemplate(
            "“break” and “continue” stand in a loop, and in the same macro or block as it."))
      }
    }
  }

  private mutating func resolve(_ with: With, _ frame: Frame) throws(Fault) {
    let inner = frame.inner()
    for target in with.targets { inner.symbols.analyse(target, asParameter: true) }
    inner.symbols.analyse(with.body)
    with.scope = inner.symbols.scope
    for value in with.values { try resolve(value, frame) }
    with.places = with.targets.map { target($0, inner) }
    try resolve(with.body, inner)
  }

  private mutating func resolve(_ loop: Loop, _ frame: Frame) throws(Fault) {
    if NameFinder.setsLoop(loop) {
      throw Fault(.badTemplate("The name “loop” belongs to the loop and cannot be set in it."))
    }
    if loop.isRecursive { loop.function = FunctionPlan(parent: frame.function) }
    func inner() -> Frame { loop.isRecursive ? frame.inner(loop.function) : frame.inner() }
    var body = inner()
    body.isInLoop = true
    let readsLoop =
      loop.isRecursive || NameFinder.read(["loop"], in: loop.body).contains("loop")
      || loop.body.contains(where: \.holdsScopedBlock)
    if readsLoop { body.symbols.declareParameter("loop") }
    body.symbols.analyse(loop.target, asParameter: true)
    body.symbols.analyse(loop.body)
    loop.scope = body.symbols.scope
    loop.targetPlace = target(loop.target, body)
    loop.loopSlot = readsLoop ? reference("loop", body) : nil

    let otherwise = inner()
    otherwise.symbols.analyse(loop.otherwise)
    loop.elseScope = otherwise.symbols.scope

    if let test = loop.test {
      loop.testFunction = FunctionPlan(parent: frame.function)
      let inside = frame.inner(loop.testFunction)
      inside.symbols.analyse(loop.target, asParameter: true)
      inside.symbols.analyse(test)
      loop.testScope = inside.symbols.scope
      loop.testTarget = target(loop.target, inside)
      try resolve(test, inside)
    }
    try resolve(loop.iterable, frame)
    try resolve(loop.body, body)
    try resolve(loop.otherwise, otherwise)
  }

  private mutating func resolve(_ macro: Macro, _ frame: Frame) throws(Fault) {
    let inner = frame.inner(FunctionPlan(parent: frame.function))
    let symbols = inner.symbols
    for name in macro.parameters { symbols.declareParameter(name) }
    let special = NameFinder.read(["caller", "kwargs", "varargs"], in: macro.body)
    if special.contains("caller") {
      if let index = macro.parameters.firstIndex(of: "caller") {
        guard index >= macro.parameters.count - macro.defaults.count else {
          throw Fault(.badTemplate("The parameter “caller” of a macro needs a default."))
        }
      } else {
        symbols.declareParameter("caller")
      }
      macro.callerSlot = symbols.find("caller")?.slot
    }
    for name in ["kwargs", "varargs"]
    where special.contains(name) && !macro.parameters.contains(name) {
      symbols.declareParameter(name)
      let slot = symbols.find(name)?.slot
      if name == "kwargs" { macro.namedSlot = slot } else { macro.positionalSlot = slot }
    }
    for value in macro.defaults { symbols.analyse(value) }
    symbols.analyse(macro.body)
    macro.function = inner.function
    macro.parameterSlots = macro.parameters.compactMap { symbols.find($0)?.slot }
    macro.scope = symbols.scope
    for value in macro.defaults { try resolve(value, inner) }
    try resolve(macro.body, inner)
  }

  private mutating func resolve(
    _ block: NamedBlock, _ frame: Frame, _ offset: Int
  ) throws(Fault) {
    guard blocks.updateValue(block, forKey: block.name) == nil else {
      throw Fault(.badTemplate("The block “\(block.name)” is defined twice; rename one."))
    }
    if block.isScoped {
      block.visible = frame.symbols.visibleStores.map {
        (Text($0.name), $0.place.reference(from: frame.function))
      }
    }
    // A block sees the template's variables, not the scopes around it.
    block.function = FunctionPlan(parent: nil)
    let inner = Frame(symbols: Symbols(parent: nil, function: block.function))
    inner.symbols.analyse(block.body)
    block.scope = inner.symbols.scope
    try resolve(block.body, inner)
  }

  // MARK: Names

  private func reference(_ name: String, _ frame: Frame) -> Reference {
    guard let place = frame.symbols.find(name) else {
      preconditionFailure("a name was not analysed before it was resolved")
    }
    return place.reference(from: frame.function)
  }

  private func target(_ syntax: TargetSyntax, _ frame: Frame) -> Target {
    switch syntax {
    case .name(let name, _): return .slot(reference(name, frame))
    case .tuple(let elements, _): return .tuple(elements.map { target($0, frame) })
    case .attribute(let name, let attribute, _):
      name.reference = reference(name.text, frame)
      return .attribute(name, attribute)
    }
  }

  private func exported(
    _ target: TargetSyntax, _ frame: Frame
  ) -> [(name: Text, reference: Reference)] {
    guard frame.isTop else { return [] }
    switch target {
    case .name(let name, _): return [(Text(name), reference(name, frame))]
    case .tuple(let elements, _): return elements.flatMap { exported($0, frame) }
    case .attribute: return []
    }
  }

  // MARK: Expressions

  private func resolve(_ expression: Expression, _ frame: Frame) throws(Fault) {
    switch expression.kind {
    case .name(let name): name.reference = reference(name.text, frame)
    case .filter(_, let use):
      use.filter = Filters.all[use.name]
      if use.filter == nil, !frame.isSoft { throw use.unknownFilter }
      for child in expression.kind.children { try resolve(child, frame) }
    case .test(_, let use):
      use.test = Tests.all[use.name]
      if use.test == nil, !frame.isSoft { throw use.unknownTest }
      for child in expression.kind.children { try resolve(child, frame) }
    case .condition:
      let soft = frame.soft()
      for child in expression.kind.children { try resolve(child, soft) }
    default: for child in expression.kind.children { try resolve(child, frame) }
    }
  }
}

extension FilterUse {
  var unknownFilter: Fault {
    Fault(.unknownFilter(name, near: Near.name(to: name, among: Filters.all.keys)), at: offset)
  }
}

extension TestUse {
  var unknownTest: Fault {
    Fault(.unknownTest(name, near: Near.name(to: name, among: Tests.all.keys)), at: offset)
  }
}
