/// What a template says, as the parser finds it.
///
/// Names of variables get their places from the Resolver, once, before anything is rendered.
final class Expression {
  let kind: Kind
  let offset: Int
  /// How many expressions lie in one another, this one counted.
  let height: Int

  init(_ kind: Kind, at offset: Int) {
    self.kind = kind
    self.offset = offset
    height = 1 + (kind.children.map(\.height).max() ?? 0)
  }

  enum Kind {
    case constant(Value)
    case name(Name)
    case tuple([Expression])
    case list([Expression])
    case dictionary([(key: Expression, value: Expression)])
    case attribute(Expression, Text)
    case item(Expression, Expression)
    case slice(Expression, start: Expression?, stop: Expression?, step: Expression?)
    case call(Expression, ArgumentList)
    /// Without an expression: of what a block has rendered.
    case filter(Expression?, FilterUse)
    case test(Expression, TestUse)
    case not(Expression)
    case sign(Expression, isNegative: Bool)
    case binary(Operation, Expression, Expression)
    case and(Expression, Expression)
    case or(Expression, Expression)
    case concatenation([Expression])
    case comparison(Expression, [(comparison: Comparison, right: Expression)])
    case condition(test: Expression, then: Expression, otherwise: Expression?)
  }
}

extension Expression.Kind {
  /// The expressions in it, in the order of the text.
  var children: [Expression] {
    switch self {
    case .constant, .name: []
    case .tuple(let elements), .list(let elements), .concatenation(let elements): elements
    case .dictionary(let members): members.flatMap { [$0.key, $0.value] }
    case .attribute(let value, _), .not(let value), .sign(let value, _): [value]
    case .item(let left, let right), .binary(_, let left, let right), .and(let left, let right),
      .or(let left, let right):
      [left, right]
    case .slice(let value, let start, let stop, let step):
      [value] + [start, stop, step].compactMap { $0 }
    case .call(let callee, let list): [callee] + list.all
    case .filter(let value, let use): (value.map { [$0] } ?? []) + use.arguments.all
    case .test(let value, let use): [value] + use.arguments.all
    case .comparison(let left, let links): [left] + links.map(\.right)
    case .condition(let test, let then, let otherwise):
      [test, then] + (otherwise.map { [$0] } ?? [])
    }
  }
}

enum Operation: String {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case floorDivide = "//"
  case remainder = "%"
  case power = "**"
}

enum Comparison: String {
  case equal = "=="
  case unequal = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case isIn = "in"
  case isNotIn = "not in"
}

/// A variable that is read.
final class Name {
  let text: String
  var reference = Reference(hops: 0, slot: 0)

  init(_ text: String) { self.text = text }
}

/// Where a variable lies: in a slot of the function so many functions further out.
struct Reference {
  let hops: Int
  let slot: Int
}

/// The arguments of a call, in the order of Python's own.
struct ArgumentList {
  var positional: [Expression] = []
  var named: [(name: String, value: Expression)] = []
  var unpacked: Expression?
  var unpackedNamed: Expression?

  /// All of them, in the order in which they are evaluated.
  var all: [Expression] {
    positional + named.map(\.value) + [unpacked, unpackedNamed].compactMap { $0 }
  }
}

final class FilterUse {
  let name: String
  let arguments: ArgumentList
  let offset: Int
  /// `nil` for a name that no filter has, which is an error only where it is used.
  var filter: Filter?

  init(_ name: String, _ arguments: ArgumentList, at offset: Int) {
    self.name = name
    self.arguments = arguments
    self.offset = offset
  }
}

final class TestUse {
  let name: String
  let arguments: ArgumentList
  let offset: Int
  var test: Filter?

  init(_ name: String, _ arguments: ArgumentList, at offset: Int) {
    self.name = name
    self.arguments = arguments
    self.offset = offset
  }
}

/// What is assigned to, as it is written.
indirect enum TargetSyntax {
  case name(String, offset: Int)
  case tuple([TargetSyntax], offset: Int)
  /// `namespace.attribute`
  case attribute(Name, Text, offset: Int)
}

/// What is assigned to, with the places of variables.
indirect enum Target {
  case slot(Reference)
  case tuple([Target])
  case attribute(Name, Text)
}

struct Statement {
  let kind: Kind
  let offset: Int

  enum Kind {
    case text(Text)
    case output(Expression)
    case condition(branches: [(test: Expression, body: [Statement])], otherwise: [Statement])
    case loop(Loop)
    case assign(Assignment)
    case assignBlock(BlockAssignment)
    case macro(Macro)
    case callBlock(CallBlock)
    case filterBlock(FilterBlock)
    case with(With)
    case scope(ScopedBody)
    case block(NamedBlock)
    case generation(Macro)
    case breakLoop
    case continueLoop
    /// Needs what is not there; an error once it is reached.
    case refusal(TemplateError.Fact)
  }
}

final class Loop {
  let target: TargetSyntax
  let iterable: Expression
  let test: Expression?
  let isRecursive: Bool
  let body: [Statement]
  let otherwise: [Statement]
  let offset: Int

  var scope = Scope()
  var elseScope = Scope()
  var targetPlace = Target.tuple([])
  /// Where the special variable `loop` lies, if the body reads it.
  var loopSlot: Reference?
  /// The function of a recursive loop.
  var function = FunctionPlan(parent: nil)
  /// The test runs in a function of its own.
  var testFunction = FunctionPlan(parent: nil)
  var testScope = Scope()
  var testTarget = Target.tuple([])

  init(
    target: TargetSyntax, iterable: Expression, test: Expression?, isRecursive: Bool,
    body: [Statement], otherwise: [Statement], offset: Int
  ) {
    self.target = target
    self.iterable = iterable
    self.test = test
    self.isRecursive = isRecursive
    self.body = body
    self.otherwise = otherwise
    self.offset = offset
  }
}

final class Assignment {
  let target: TargetSyntax
  let value: Expression
  var place = Target.tuple([])
  /// Names that are set at the top of the template, where blocks see them.
  var exported: [(name: Text, reference: Reference)] = []

  init(_ target: TargetSyntax, _ value: Expression) {
    self.target = target
    self.value = value
  }
}

final class BlockAssignment {
  let target: TargetSyntax
  let filter: Expression?
  let body: [Statement]
  var scope = Scope()
  var place = Target.tuple([])
  var exported: [(name: Text, reference: Reference)] = []

  init(_ target: TargetSyntax, _ filter: Expression?, _ body: [Statement]) {
    self.target = target
    self.filter = filter
    self.body = body
  }
}

/// A macro, or the body of a call block, which is one without a name.
final class Macro {
  let name: String?
  let parameters: [String]
  /// The defaults of the last parameters.
  let defaults: [Expression]
  let body: [Statement]

  var function = FunctionPlan(parent: nil)
  var scope = Scope()
  var parameterSlots: [Int] = []
  var callerSlot: Int?
  var namedSlot: Int?
  var positionalSlot: Int?
  var place = Reference(hops: 0, slot: 0)
  var isExported = false

  init(name: String?, parameters: [String], defaults: [Expression], body: [Statement]) {
    self.name = name
    self.parameters = parameters
    self.defaults = defaults
    self.body = body
  }
}

final class CallBlock {
  let call: Expression
  let callee: Expression
  let arguments: ArgumentList
  let caller: Macro

  init(_ call: Expression, _ callee: Expression, _ arguments: ArgumentList, _ caller: Macro) {
    self.call = call
    self.callee = callee
    self.arguments = arguments
    self.caller = caller
  }
}

final class FilterBlock {
  let filter: Expression
  let body: [Statement]
  var scope = Scope()

  init(_ filter: Expression, _ body: [Statement]) {
    self.filter = filter
    self.body = body
  }
}

final class With {
  let targets: [TargetSyntax]
  let values: [Expression]
  let body: [Statement]
  var scope = Scope()
  var places: [Target] = []

  init(_ targets: [TargetSyntax], _ values: [Expression], _ body: [Statement]) {
    self.targets = targets
    self.values = values
    self.body = body
  }
}

final class ScopedBody {
  let body: [Statement]
  var scope = Scope()

  init(_ body: [Statement]) { self.body = body }
}

final class NamedBlock {
  let name: String
  let isScoped: Bool
  let isRequired: Bool
  let body: [Statement]
  var function = FunctionPlan(parent: nil)
  var scope = Scope()
  /// Variables around a scoped block, which it sees.
  var visible: [(name: Text, reference: Reference)] = []

  init(_ name: String, isScoped: Bool, isRequired: Bool, _ body: [Statement]) {
    self.name = name
    self.isScoped = isScoped
    self.isRequired = isRequired
    self.body = body
  }
}
