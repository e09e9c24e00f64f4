extension Symbols {
  /// Finds the names that statements set and read in this scope; inner scopes are left out.
  func analyse(_ statements: [Statement]) {
    for statement in statements { analyse(statement) }
  }

  func analyse(_ expression: Expression) {
    NameFinder { name, _ in self.load(name) }.walk(expression)
  }

  func analyse(_ target: TargetSyntax, asParameter: Bool = false) {
    switch target {
    case .name(let name, _): if asParameter { declareParameter(name) } else { store(name) }
    case .tuple(let elements, _):
      for element in elements { analyse(element, asParameter: asParameter) }
    case .attribute(let name, _, _): load(name.text)
    }
  }

  private func analyse(_ statement: Statement) {
    switch statement.kind {
    case .text, .breakLoop, .continueLoop, .refusal, .block, .scope, .generation: break
    case .output(let value): analyse(value)
    case .condition(let branches, let otherwise): analyse(branches[...], otherwise)
    case .loop(let loop): analyse(loop.iterable)
    case .assign(let assignment):
      analyse(assignment.value)
      analyse(assignment.target)
    case .assignBlock(let block): analyse(block.target)
    case .macro(let macro): if let name = macro.name { store(name) }
    case .callBlock(let block): analyse(block.call)
    case .filterBlock(let block): analyse(block.filter)
    case .with(let with): for value in with.values { analyse(value) }
    }
  }

  /// The first condition's test, then its branches: its body, all the others as one, and the rest.
  private func analyse(
    _ branches: ArraySlice<(test: Expression, body: [Statement])>, _ otherwise: [Statement]
  ) {
    guard let first = branches.first else { return }
    analyse(first.test)
    branch([
      { $0.analyse(first.body) },
      { symbols in
        for other in branches.dropFirst() {
          symbols.analyse(other.test)
          symbols.branch([{ $0.analyse(other.body) }])
        }
      },
      { $0.analyse(otherwise) },
    ])
  }
}

extension Statement {
  var holdsScopedBlock: Bool {
    switch kind {
    case .block(let block): block.isScoped || block.body.contains(where: \.holdsScopedBlock)
    case .condition(let branches, let otherwise):
      branches.contains { $0.body.contains(where: \.holdsScopedBlock) }
        || otherwise.contains(where: \.holdsScopedBlock)
    case .loop(let loop):
      loop.body.contains(where: \.holdsScopedBlock)
        || loop.otherwise.contains(where: \.holdsScopedBlock)
    case .assignBlock(let block): block.body.contains(where: \.holdsScopedBlock)
    case .filterBlock(let block): block.body.contains(where: \.holdsScopedBlock)
    case .with(let with): with.body.contains(where: \.holdsScopedBlock)
    case .scope(let scope): scope.body.contains(where: \.holdsScopedBlock)
    default: false
    }
  }
}

/// A template that is ready to be rendered.
final class Program {
  let body: [Statement]
  let function: FunctionPlan
  let scope: Scope
  let blocks: [String: NamedBlock]

  init(
    body: [Statement], function: FunctionPlan, scope: Scope, blocks: [String: NamedBlock]
  ) {
    self.body = body
    self.function = function
    self.scope = scope
    self.blocks = blocks
  }
}

/// The nearest of some names, for what is misspelt.
enum Near {
  static func name(to wanted: String, among names: some Sequence<String>) -> String? {
    let best = names.map { ($0, distance(Array(wanted.utf8), Array($0.utf8))) }
      .min { ($0.1, $0.0) < ($1.1, $1.0) }
    guard let best, best.1 <= max(1, wanted.utf8.count / 3) else { return nil }
    return best.0
  }

  private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    guard left.count < 40 else { return left.count }
    var row = Array(0...right.count)
    for (i, a) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, b) in right.enumerated() {
        let substituted = diagonal + (a == b ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[right.count]
  }
}
