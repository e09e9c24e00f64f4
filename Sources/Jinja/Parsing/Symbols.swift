/// The slots that a function's variables need: one for each name at each depth of scopes.
///
/// What becomes a function here is one of Python's in jinja2's compiled templates: the template itself, a macro,
/// the body of a call block or of a recursive loop, the test of a loop. Whether a variable is shared or
/// copied follows from that.
final class FunctionPlan {
  let parent: FunctionPlan?
  private(set) var count = 0
  private var slots: [Identifier: Int] = [:]

  private struct Identifier: Hashable {
    let level: Int
    let name: String
  }

  init(parent: FunctionPlan?) { self.parent = parent }

  func slot(_ name: String, level: Int) -> Int {
    let identifier = Identifier(level: level, name: name)
    if let slot = slots[identifier] { return slot }
    slots[identifier] = count
    count += 1
    return count - 1
  }
}

/// A slot of a function, seen from anywhere.
struct Place: Hashable {
  let function: FunctionPlan
  let slot: Int

  static func == (left: Place, right: Place) -> Bool {
    left.function === right.function && left.slot == right.slot
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(ObjectIdentifier(function))
    hasher.combine(slot)
  }

  /// How a function inside reaches it.
  func reference(from function: FunctionPlan) -> Reference {
    var hops = 0
    var current: FunctionPlan? = function
    while let step = current, step !== self.function {
      hops += 1
      current = step.parent
    }
    precondition(current != nil, "a variable is read where its function does not reach")
    return Reference(hops: hops, slot: slot)
  }
}

/// What a variable holds when its scope is entered.
enum Load {
  /// Set by a call or a loop.
  case parameter
  /// Looked up in the variables given.
  case variable(String)
  /// Copied from a scope further out.
  case copy(Place)
  case nothing
}

/// What is done on entering a scope.
struct Scope {
  enum Step {
    case variable(slot: Int, name: Text)
    case copy(slot: Int, from: Reference)
    case clear(slot: Int)
  }

  var steps: [Step] = []
}

/// The names of one scope, and where they lie.
///
/// Source of the rules: jinja2/idtracking.py. A name belongs to the scope that first stores it, whatever the order
/// at run time; one that is only read is shared with the scope further out.
final class Symbols {
  let parent: Symbols?
  let level: Int
  let function: FunctionPlan
  private var places: [String: Place] = [:]
  private var loads: [Place: Load] = [:]
  /// In the order of definition, so that scopes are entered the same way each time.
  private var order: [Place] = []
  private(set) var stores: Set<String> = []

  init(parent: Symbols?, function: FunctionPlan) {
    self.parent = parent
    level = parent.map { $0.level + 1 } ?? 0
    self.function = function
  }

  private init(copying other: Symbols) {
    parent = other.parent
    level = other.level
    function = other.function
    places = other.places
    loads = other.loads
    order = other.order
    stores = other.stores
  }

  private func define(_ name: String, _ load: Load) {
    let place = Place(function: function, slot: function.slot(name, level: level))
    places[name] = place
    if loads.updateValue(load, forKey: place) == nil { order.append(place) }
  }

  func find(_ name: String) -> Place? { places[name] ?? parent?.find(name) }

  func store(_ name: String) {
    stores.insert(name)
    guard places[name] == nil else { return }
    define(name, parent?.find(name).map { .copy($0) } ?? .nothing)
  }

  func declareParameter(_ name: String) {
    stores.insert(name)
    define(name, .parameter)
  }

  func load(_ name: String) {
    if find(name) == nil { define(name, .variable(name)) }
  }

  /// Finds the names of branches, of which one at most is taken.
  func branch(_ visits: [(Symbols) -> Void]) {
    let branches = visits.map { visit in
      let copy = Symbols(copying: self)
      visit(copy)
      return copy
    }
    var stored: Set<String> = []
    for branch in branches { stored.formUnion(branch.stores) }
    stored.subtract(stores)
    for branch in branches {
      places.merge(branch.places) { $1 }
      for place in branch.order {
        if loads.updateValue(branch.loads[place] ?? .nothing, forKey: place) == nil {
          order.append(place)
        }
      }
      stores.formUnion(branch.stores)
    }
    for name in stored {
      guard let place = find(name) else { continue }
      loads[place] = parent?.find(name).map { .copy($0) } ?? .variable(name)
    }
  }

  /// What entering the scope does.
  var scope: Scope {
    var scope = Scope()
    for place in order {
      switch loads[place] {
      case .parameter?, nil: break
      case .variable(let name)?: scope.steps.append(.variable(slot: place.slot, name: Text(name)))
      case .copy(let from)?:
        scope.steps.append(.copy(slot: place.slot, from: from.reference(from: function)))
      case .nothing?: scope.steps.append(.clear(slot: place.slot))
      }
    }
    return scope
  }

  /// Every variable stored here and further out, the innermost of each name.
  var visibleStores: [(name: String, place: Place)] {
    var found: [(name: String, place: Place)] = []
    var seen: Set<String> = []
    var symbols: Symbols? = self
    while let current = symbols {
      for name in current.stores.sorted() where seen.insert(name).inserted {
        if let place = find(name) { found.append((name, place)) }
      }
      symbols = current.parent
    }
    return found
  }
}
