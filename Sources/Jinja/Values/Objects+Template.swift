/// A macro with the variables around it, as they are when it is called.
final class MacroObject: Object {
  private let macro: Macro
  private let outer: Activation

  init(_ macro: Macro, _ outer: Activation) {
    self.macro = macro
    self.outer = outer
  }

  private var described: String { macro.name.map { "macro “\($0)”" } ?? "call block" }

  var type: String { "Macro" }
  var isCallable: Bool { true }

  func representation(_ renderer: Renderer) throws(Fault) -> Text? {
    guard let name = macro.name else { return Text("<Macro anonymous>") }
    return Text("<Macro ") + (try Printer.representation(.text(name), renderer)) + Text(">")
  }

  func attribute(_ name: Text, _ renderer: Renderer) throws(Fault) -> Value? {
    switch name.string {
    case "name": macro.name.map { .text($0) } ?? Value.none
    case "arguments": .tuple(macro.parameters.map { .text($0) })
    case "catch_kwargs": .bool(macro.namedSlot != nil)
    case "catch_varargs": .bool(macro.positionalSlot != nil)
    case "caller": .bool(macro.callerSlot != nil)
    case "explicit_caller": .bool(macro.parameters.contains("caller"))
    default: nil
    }
  }

  func call(_ arguments: Arguments, _ renderer: Renderer) throws(Fault) -> Value {
    try renderer.enter(Renderer.callDepth)
    defer { renderer.leave(Renderer.callDepth) }
    let inner = Activation(macro.function, parent: outer)
    try bind(arguments, inner)
    renderer.enter(macro.scope, inner)
    let firstDefault = macro.parameters.count - macro.defaults.count
    for (index, slot) in macro.parameterSlots.enumerated() where inner.slots[slot] == nil {
      inner.slots[slot] =
        index >= firstDefault
        ? try renderer.evaluate(macro.defaults[index - firstDefault], inner)
        : .missing("The parameter “\(macro.parameters[index])” was not given")
    }
    let (text, _) = try renderer.capture { () throws(Fault) -> Renderer.Flow in
      try renderer.execute(macro.body, inner)
    }
    return try renderer.made(text)
  }

  /// Puts the arguments into their slots, as jinja2's Macro does.
  private func bind(_ arguments: Arguments, _ inner: Activation) throws(Fault) {
    var named = arguments.named
    func take(_ name: String) -> Value? {
      guard let index = named.firstIndex(where: { $0.name == name }) else { return nil }
      return named.remove(at: index).value
    }
    var givesCaller = false
    for (index, slot) in macro.parameterSlots.enumerated() {
      if index < arguments.positional.count {
        inner.slots[slot] = arguments.positional[index]
      } else {
        inner.slots[slot] = take(macro.parameters[index])
        if macro.parameters[index] == "caller" { givesCaller = true }
      }
    }
    if arguments.positional.count >= macro.parameters.count {
      givesCaller = macro.parameters.contains("caller")
    }
    if let slot = macro.callerSlot, !givesCaller {
      let caller = take("caller") ?? .none
      inner.slots[slot] = caller.isNone ? .missing("No caller is defined") : caller
    }
    if let slot = macro.namedSlot {
      let rest = Mapping()
      for (name, value) in named { rest.set(Text(name), value) }
      inner.slots[slot] = .dictionary(rest)
    } else if let first = named.first {
      throw .arguments(described, "has no argument “\(first.name)”")
    }
    let surplus = arguments.positional.dropFirst(macro.parameters.count)
    if let slot = macro.positionalSlot {
      inner.slots[slot] = .tuple(Array(surplus))
    } else if !surplus.isEmpty {
      throw .arguments(
        described,
        "takes at most \(macro.parameters.count) arguments, and \(arguments.positional.count) are given"
      )
    }
  }
}

/// The variable `loop` of a loop.
final class LoopObject: Object {
  private var elements: Elements
  private var knownCount: Int?
  private let depth: Int
  private var index = -1
  private var current: Value?
  private var before: Value?
  /// The next element, where it has been asked for already; doubly optional: there may be none.
  private var after: Value??
  private var lastChange: [Value]?
  /// Renders a recursive loop anew.
  var recursion: ((Value) throws(Fault) -> Value)?
  let height: Int

  init(_ elements: Elements, of source: Value, count: Int?, depth: Int) {
    height = source.height + 1
    self.elements = elements
    knownCount = count
    self.depth = depth
  }

  var type: String { "LoopContext" }
  var isCallable: Bool { true }

  func advance() throws(Fault) -> Value? {
    let next: Value?
    if let after {
      next = after
      self.after = nil
    } else {
      next = try elements.next()
    }
    guard let next else { return nil }
    index += 1
    before = current
    current = next
    return next
  }

  private func peek() throws(Fault) -> Value? {
    if let after { return after }
    let next = try elements.next()
    after = .some(next)
    return next
  }

  private func count() throws(Fault) -> Int {
    if let knownCount { return knownCount }
    var rest: [Value] = []
    while let element = try elements.next() { rest.append(element) }
    elements = Elements(rest)
    var isAhead = false
    if case .some(.some) = after { isAhead = true }
    let count = rest.count + index + 1 + (isAhead ? 1 : 0)
    knownCount = count
    return count
  }

  func count(_ renderer: Renderer) throws(Fault) -> Int? { try count() }

  func isTrue(_ renderer: Renderer) throws(Fault) -> Bool { try count() != 0 }

  func representation(_ renderer: Renderer) throws(Fault) -> Text? {
    Text("<LoopContext \(index + 1)/\(try count())>")
  }

  func attribute(_ name: Text, _ renderer: Renderer) throws(Fault) -> Value? {
    switch name.string {
    case "index": return .integer(index + 1)
    case "index0": return .integer(index)
    case "revindex": return .integer(try count() - index)
    case "revindex0": return .integer(try count() - index - 1)
    case "first": return .bool(index == 0)
    case "last": return .bool(try peek() == nil)
    case "length": return .integer(try count())
    case "depth": return .integer(depth + 1)
    case "depth0": return .integer(depth)
    case "previtem":
      return index == 0 ? .missing("There is no previous element") : before ?? .none
    case "nextitem": return try peek() ?? .missing("There is no next element")
    case "cycle":
      return .object(
        FunctionObject { [index] (arguments: Arguments, _: Renderer) throws(Fault) -> Value in
          guard !arguments.positional.isEmpty, arguments.named.isEmpty else {
            throw .arguments("loop.cycle", "needs values to go through")
          }
          return arguments.positional[index % arguments.positional.count]
        })
    case "changed":
      return .object(
        FunctionObject { [self] (arguments: Arguments, renderer: Renderer) throws(Fault) -> Value in
          guard arguments.named.isEmpty else { throw .arguments("loop.changed", "names nothing") }
          if let lastChange,
            try renderer.isEqual(.tuple(lastChange), .tuple(arguments.positional))
          {
            return .bool(false)
          }
          lastChange = arguments.positional
          return .bool(true)
        })
    default: return nil
    }
  }

  func call(_ arguments: Arguments, _ renderer: Renderer) throws(Fault) -> Value {
    let bound = try arguments.bind("loop", ["iterable"], required: 1)
    guard let recursion else {
      throw .type("Only a loop marked “recursive” can be called.")
    }
    return try recursion(bound[0] ?? .none)
  }
}

/// The variable `self`: the template's blocks, each of which can be called.
final class BlocksObject: Object {
  var type: String { "TemplateReference" }

  func element(_ index: Value, _ renderer: Renderer) throws(Fault) -> Value? {
    guard let name = index.text, let block = renderer.program.blocks[name.string] else {
      return nil
    }
    return .object(
      FunctionObject(type: "BlockReference") {
        (arguments: Arguments, renderer: Renderer) throws(Fault) -> Value in
        try arguments.none(name.string)
        let (text, _) = try renderer.capture { () throws(Fault) -> Void in try renderer.run(block) }
        return try renderer.made(text)
      })
  }

  func attribute(_ name: Text, _ renderer: Renderer) throws(Fault) -> Value? {
    try element(.string(name), renderer)
  }
}
