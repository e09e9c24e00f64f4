extension Renderer {
  /// How a body has ended.
  enum Flow { case done, broke, continued }

  func execute(_ statements: [Statement], _ activation: Activation) throws(Fault) -> Flow {
    try enter()
    defer { leave() }
    for statement in statements {
      do throws(Fault) {
        let flow = try execute(statement, activation)
        if flow != .done { return flow }
      } catch {
        throw Fault(error.fact, at: error.offset ?? statement.offset)
      }
    }
    return .done
  }

  private func execute(_ statement: Statement, _ activation: Activation) throws(Fault) -> Flow {
    switch statement.kind {
    case .text(let text): try write(text)
    case .output(let value): try write(Printer.text(evaluate(value, activation), self))
    case .condition(let branches, let otherwise):
      for branch in branches where try isTrue(evaluate(branch.test, activation)) {
        return try execute(branch.body, activation)
      }
      return try execute(otherwise, activation)
    case .loop(let loop): return try run(loop, activation)
    case .assign(let assignment):
      try assign(assignment, activation)
    case .assignBlock(let block): return try assign(block, activation)
    case .macro(let macro):
      let value = Value.object(MacroObject(macro, activation))
      activation[macro.place] = value
      if macro.isExported, let name = macro.name { exported.set(Text(name), value) }
      register(activation)
    case .callBlock(let block): try run(block, activation)
    case .filterBlock(let block): return try run(block, activation)
    case .with(let with): return try run(with, activation)
    case .scope(let scope):
      enter(scope.scope, activation)
      return try execute(scope.body, activation)
    case .block(let block): try run(block, activation)
    case .generation(let macro):
      let value = try MacroObject(macro, activation).call(Arguments(), self)
      guard case .string(let text) = value else { break }
      note(text)
      try write(text)
    case .breakLoop: return .broke
    case .continueLoop: return .continued
    case .refusal(let fact): throw Fault(fact)
    }
    return .done
  }

  private func export(_ names: [(name: Text, reference: Reference)], _ activation: Activation) {
    for (name, reference) in names {
      if let value = activation[reference] { exported.set(name, value) }
    }
  }

  private func assign(_ assignment: Assignment, _ activation: Activation) throws(Fault) {
    let value = try evaluate(assignment.value, activation)
    try set(assignment.place, value, activation)
    export(assignment.exported, activation)
  }

  private func assign(_ block: BlockAssignment, _ activation: Activation) throws(Fault) -> Flow {
    enter(block.scope, activation)
    let (text, flow) = try capture { () throws(Fault) -> Flow in
      try execute(block.body, activation)
    }
    if flow != .done { return flow }
    var value = try made(text)
    if let filter = block.filter { value = try apply(filter, to: value, activation) }
    try set(block.place, value, activation)
    export(block.exported, activation)
    return .done
  }

  private func run(_ block: FilterBlock, _ activation: Activation) throws(Fault) -> Flow {
    enter(block.scope, activation)
    let (text, flow) = try capture { () throws(Fault) -> Flow in
      try execute(block.body, activation)
    }
    if flow != .done { return flow }
    try writeText(apply(block.filter, to: made(text), activation), of: "A filter block")
    return .done
  }

  private func run(_ with: With, _ activation: Activation) throws(Fault) -> Flow {
    enter(with.scope, activation)
    for (place, value) in zip(with.places, with.values) {
      try set(place, evaluate(value, activation), activation)
    }
    return try execute(with.body, activation)
  }

  private func run(_ block: CallBlock, _ activation: Activation) throws(Fault) {
    register(activation)
    let callee = try evaluate(block.callee, activation)
    var arguments = try evaluate(block.arguments, activation)
    guard !arguments.named.contains(where: { $0.name == "caller" }) else {
      throw .arguments("call", "the argument “caller” is the block itself and cannot be given")
    }
    arguments.named.append(("caller", .object(MacroObject(block.caller, activation))))
    try writeText(call(callee, arguments), of: "A call block")
  }

  /// Writes what a block gives, which jinja2 does not turn into text by itself.
  private func writeText(_ value: Value, of block: String) throws(Fault) {
    guard case .string(let text) = value else {
      throw .type("\(block) gives a \(value.type), yet only text can stand in its place.")
    }
    try write(text)
  }

  private func run(_ block: NamedBlock, _ activation: Activation) throws(Fault) {
    guard !block.isRequired else {
      throw Fault(.unsupported("The block “\(block.name)” must come from another template."))
    }
    try run(block, visible: block.visible.map { ($0.name, activation[$0.reference]) })
  }

  /// Renders a block in place.
  func run(_ block: NamedBlock, visible: [(name: Text, value: Value?)] = []) throws(Fault) {
    try enter(Self.callDepth)
    defer { leave(Self.callDepth) }
    let outer = around
    defer { around = outer }
    if !visible.isEmpty {
      let all = around?.copy() ?? Mapping()
      for (name, value) in visible { if let value { all.set(name, value) } }
      around = all
    }
    let inner = Activation(block.function, parent: nil)
    enter(block.scope, inner)
    register(inner)
    _ = try execute(block.body, inner)
  }

  // MARK: Loops

  private func run(_ loop: Loop, _ activation: Activation) throws(Fault) -> Flow {
    let iterable = try evaluate(loop.iterable, activation)
    if loop.isRecursive {
      register(activation)
      try write(Printer.text(recurse(loop, iterable, depth: 0, outer: activation), self))
      return .done
    }
    return try iterate(loop, iterable, activation, depth: 0, outer: activation)
  }

  /// A recursive loop over `iterable`, as a text.
  func recurse(
    _ loop: Loop, _ iterable: Value, depth: Int, outer: Activation
  ) throws(Fault) -> Value {
    try enter(Self.callDepth)
    defer { leave(Self.callDepth) }
    let inner = Activation(loop.function, parent: outer)
    let (text, _) = try capture { () throws(Fault) -> Flow in
      try iterate(loop, iterable, inner, depth: depth, outer: outer)
    }
    return try made(text)
  }

  /// - Parameter outer: where the loop stands; its test sees that alone.
  private func iterate(
    _ loop: Loop, _ iterable: Value, _ activation: Activation, depth: Int, outer: Activation
  ) throws(Fault) -> Flow {
    var elements = try elements(iterable)
    var known: Int? = loop.test == nil ? try length(iterable) : nil
    if loop.test != nil {
      elements = filtered(elements, loop, outer)
      known = nil
    }
    let state = LoopObject(elements, of: iterable, count: known, depth: depth)
    if loop.isRecursive {
      state.recursion = { [self] (iterable: Value) throws(Fault) -> Value in
        try recurse(loop, iterable, depth: depth + 1, outer: outer)
      }
    }
    var isEmpty = true
    while let element = try state.advance() {
      try spend(1)
      // What the body sets is gone when it begins anew.
      if let slot = loop.loopSlot { activation[slot] = .object(state) }
      try set(loop.targetPlace, element, activation)
      enter(loop.scope, activation)
      switch try execute(loop.body, activation) {
      case .done: isEmpty = false
      case .continued: continue
      case .broke: return try finish(loop, isEmpty, activation)
      }
    }
    return try finish(loop, isEmpty, activation)
  }

  /// Runs what stands behind `else`: where no body came to its end.
  private func finish(
    _ loop: Loop, _ isEmpty: Bool, _ activation: Activation
  ) throws(Fault) -> Flow {
    guard isEmpty, !loop.otherwise.isEmpty else { return .done }
    enter(loop.elseScope, activation)
    return try execute(loop.otherwise, activation)
  }

  /// The elements that pass a loop's test, found one by one as they are asked for.
  private func filtered(_ elements: Elements, _ loop: Loop, _ outer: Activation) -> Elements {
    let inner = Activation(loop.testFunction, parent: outer)
    enter(loop.testScope, inner)
    return Elements { [self] () throws(Fault) -> Value? in
      while let element = try elements.next() {
        try spend(1)
        try set(loop.testTarget, element, inner)
        guard let test = loop.test, try isTrue(evaluate(test, inner)) else { continue }
        return element
      }
      return nil
    }
  }
}
