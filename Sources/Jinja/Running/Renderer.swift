/// One rendering of a template: its variables, what is written so far, and what it has spent of its limits.
final class Renderer {
  let program: Program
  let limits: Limits
  let now: LocalTime?
  private let variables: Mapping
  /// What is set at the top of the template, where blocks see it.
  let exported = Mapping()
  /// What a scoped block sees of the scopes around it.
  var around: Mapping?
  private var output: [UInt8] = []
  /// How many bodies are being rendered into values, and not into the text.
  private var captures = 0
  /// The bytes of the text itself when the outermost of them began.
  private var outerCount = 0
  private var spans: [Span] = []
  private var steps = 0
  private var depth = 0
  /// What may hold itself, and would stay in memory.
  private var cycles: [() -> Void] = []

  /// What a generation block has rendered: from a byte of the text, so many scalars.
  private struct Span {
    let start: Int
    let scalars: Int
  }

  init(_ program: Program, _ variables: Mapping, now: LocalTime?, limits: Limits) {
    self.program = program
    self.variables = variables
    self.now = now
    self.limits = limits
  }

  func run() throws(Fault) -> Rendering {
    defer { for cycle in cycles { cycle() } }
    let activation = Activation(program.function, parent: nil)
    register(activation)
    enter(program.scope, activation)
    _ = try execute(program.body, activation)
    return Rendering(text: String(decoding: output, as: UTF8.self), generated: spans.map(range))
  }

  /// Has `clear` called when the rendering ends.
  func atEnd(_ clear: @escaping () -> Void) { cycles.append(clear) }

  /// Has a function's variables dropped when the rendering ends, since they may hold what holds the function.
  func register(_ activation: Activation) {
    guard !activation.isRegistered else { return }
    activation.isRegistered = true
    atEnd { activation.slots = [] }
  }

  // MARK: Limits

  /// Counts work done; what takes longer counts more.
  func spend(_ count: Int) throws(Fault) {
    steps += min(count, limits.steps + 1)
    guard steps <= limits.steps else {
      throw Fault(
        .limit(
          "The template has not ended after \(limits.steps) steps",
          advice: "Look for a loop that grows; longer conversations need a larger limit."))
    }
  }

  /// What a call of a macro counts for in the depth: about as much of the stack as so many expressions.
  static let callDepth = 6

  /// Counts what is entered, which must be left again.
  func enter(_ weight: Int = 1) throws(Fault) {
    depth += weight
    guard depth <= limits.depth else {
      throw Fault(
        .limit(
          "Macros, loops or expressions are nested more than \(limits.depth) deep",
          advice: "Look for a macro that calls itself without end."))
    }
  }

  /// Refuses a value that is nested too deeply.
  func checked(_ value: Value) throws(Fault) -> Value {
    guard value.height <= limits.depth / 2 else {
      throw Fault(
        .limit(
          "A value is nested more than \(limits.depth / 2) deep",
          advice: "Look for a loop that puts a list into itself."))
    }
    return value
  }

  func leave(_ weight: Int = 1) { depth -= weight }

  var tooLong: Fault {
    Fault(
      .limit(
        "A text grows beyond \(limits.bytes) bytes", advice: "Look for a loop that grows."))
  }

  /// Counts the making of a text.
  func made(_ text: Text) throws(Fault) -> Value {
    try spend(text.bytes.count >> 6)
    guard text.bytes.count <= limits.bytes else { throw tooLong }
    return .string(text)
  }

  // MARK: Output

  func write(_ text: Text) throws(Fault) {
    try spend(1 + text.bytes.count >> 6)
    guard output.count + text.bytes.count <= limits.bytes else { throw tooLong }
    output += text.bytes
  }

  /// What `body` writes, as a text of its own.
  func capture<Result>(_ body: () throws(Fault) -> Result) throws(Fault) -> (Text, Result) {
    if captures == 0 { outerCount = output.count }
    captures += 1
    var written: [UInt8] = []
    swap(&written, &output)
    defer {
      swap(&written, &output)
      captures -= 1
    }
    let result = try body()
    return (Text(output), result)
  }

  /// Notes what a generation block has rendered, where transformers' tracker sees it: behind what the template's
  /// own text holds by then, whatever it is rendered into.
  func note(_ generated: Text) {
    spans.append(
      Span(start: captures == 0 ? output.count : outerCount, scalars: generated.count))
  }

  private func range(_ span: Span) -> Range<Int> {
    var end = span.start
    var left = span.scalars
    while left > 0, end < output.count {
      end += 1
      while end < output.count, output[end] & 0xC0 == 0x80 { end += 1 }
      left -= 1
    }
    return span.start..<end
  }

  // MARK: Variables

  /// A variable of the template, or a global function.
  func variable(_ name: Text) -> Value? {
    around?[name] ?? exported[name] ?? variables[name] ?? Globals.value(name, self)
  }

  func enter(_ scope: Scope, _ activation: Activation) {
    for step in scope.steps {
      switch step {
      case .variable(let slot, let name): activation.slots[slot] = variable(name)
      case .copy(let slot, let from): activation.slots[slot] = activation[from]
      case .clear(let slot): activation.slots[slot] = nil
      }
    }
  }

  func value(_ name: Name, _ activation: Activation) -> Value {
    activation[name.reference] ?? .missing("“\(name.text)” is undefined")
  }

  func set(_ target: Target, _ value: Value, _ activation: Activation) throws(Fault) {
    switch target {
    case .slot(let reference): activation[reference] = value
    case .attribute(let name, let attribute):
      guard case .object(let object) = self.value(name, activation),
        let namespace = object as? Namespace
      else {
        throw .type("“\(name.text)” is no namespace; only a namespace's attributes can be set.")
      }
      try namespace.set(attribute, value)
    case .tuple(let targets):
      let elements = try list(value)
      guard elements.count == targets.count else {
        throw .value(
          "\(targets.count) names are set at once, yet the value has \(elements.count) elements.")
      }
      for (target, element) in zip(targets, elements) { try set(target, element, activation) }
    }
  }
}

/// The variables of a function that is running.
final class Activation {
  var slots: [Value?]
  let parent: Activation?
  var isRegistered = false

  init(_ function: FunctionPlan, parent: Activation?) {
    slots = Array(repeating: nil, count: function.count)
    self.parent = parent
  }

  subscript(reference: Reference) -> Value? {
    get {
      var activation: Activation? = self
      for _ in 0..<reference.hops { activation = activation?.parent }
      guard let activation, reference.slot < activation.slots.count else { return nil }
      return activation.slots[reference.slot]
    }
    set {
      var activation: Activation? = self
      for _ in 0..<reference.hops { activation = activation?.parent }
      guard let activation, reference.slot < activation.slots.count else { return }
      activation.slots[reference.slot] = newValue
    }
  }
}
