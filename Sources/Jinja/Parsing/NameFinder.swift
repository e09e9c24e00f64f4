/// Walks over a template's names, in the order of the text.
struct NameFinder {
  /// Called with each name and whether it is read, not set.
  let visit: (_ name: String, _ isRead: Bool) -> Void

  /// Which of some names are read in statements, before they are set there.
  static func read(_ wanted: Set<String>, in statements: [Statement]) -> Set<String> {
    var open = wanted
    var found: Set<String> = []
    NameFinder { name, isRead in
      if isRead {
        if open.contains(name) { found.insert(name) }
      } else {
        open.remove(name)
      }
    }.walk(statements)
    return found
  }

  func walk(_ expression: Expression) {
    if case .name(let name) = expression.kind {
      visit(name.text, true)
    } else {
      for child in expression.kind.children { walk(child) }
    }
  }

  func walk(_ target: TargetSyntax) {
    switch target {
    case .name(let name, _): visit(name, false)
    case .tuple(let elements, _): for element in elements { walk(element) }
    case .attribute: break
    }
  }

  func walk(_ statements: [Statement]) { for statement in statements { walk(statement) } }

  private func walk(_ macro: Macro) {
    for name in macro.parameters { visit(name, false) }
    for value in macro.defaults { walk(value) }
    walk(macro.body)
  }

  func walk(_ statement: Statement) {
    switch statement.kind {
    case .text, .breakLoop, .continueLoop, .refusal, .block: break
    case .output(let value): walk(value)
    case .condition(let branches, let otherwise):
      for branch in branches {
        walk(branch.test)
        walk(branch.body)
      }
      walk(otherwise)
    case .loop(let loop):
      walk(loop.target)
      walk(loop.iterable)
      walk(loop.body)
      walk(loop.otherwise)
      if let test = loop.test { walk(test) }
    case .assign(let assignment):
      walk(assignment.target)
      walk(assignment.value)
    case .assignBlock(let block):
      walk(block.target)
      if let filter = block.filter { walk(filter) }
      walk(block.body)
    case .macro(let macro), .generation(let macro): walk(macro)
    case .callBlock(let block):
      walk(block.call)
      walk(block.caller)
    case .filterBlock(let block):
      walk(block.body)
      walk(block.filter)
    case .with(let with):
      for target in with.targets { walk(target) }
      for value in with.values { walk(value) }
      walk(with.body)
    case .scope(let scope): walk(scope.body)
    }
  }

  /// Where a loop sets the name `loop`, which is its own.
  static func setsLoop(_ loop: Loop) -> Bool {
    var found = false
    let finder = NameFinder { name, isRead in if name == "loop", !isRead { found = true } }
    finder.walk(loop.target)
    finder.walk(loop.body)
    finder.walk(loop.otherwise)
    return found
  }
}
