extension Renderer {
  // MARK: Truth, length and elements

  func isTrue(_ value: Value) throws(Fault) -> Bool {
    switch value {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .float(let value): value != 0
    case .string(let text): !text.isEmpty
    case .list(let items), .tuple(let items): !items.values.isEmpty
    case .dictionary(let mapping): mapping.count > 0
    case .object(let object): try object.isTrue(self)
    }
  }

  /// What Python's `len` gives; `nil` where it would throw.
  func length(_ value: Value) throws(Fault) -> Int? {
    switch value {
    case .undefined: 0
    case .string(let text): text.count
    case .list(let items), .tuple(let items): items.values.count
    case .dictionary(let mapping): mapping.count
    case .object(let object): try object.count(self)
    case .none, .bool, .integer, .float: nil
    }
  }

  /// The elements of a value, or `nil` where it cannot be walked over.
  func elementsIfAny(_ value: Value) throws(Fault) -> Elements? {
    switch value {
    case .undefined: return Elements([])
    case .list(let items), .tuple(let items): return Elements(items.values)
    case .dictionary(let mapping): return Elements(mapping.keys)
    case .string(let text):
      try spend(text.bytes.count)
      return Elements(text.characters.map { .string($0) })
    case .object(let object): return try object.iterator(self)
    case .none, .bool, .integer, .float: return nil
    }
  }

  func elements(_ value: Value) throws(Fault) -> Elements {
    guard let elements = try elementsIfAny(value) else {
      throw .type("A value of type \(value.type) has no elements to go through.")
    }
    return elements
  }

  /// All elements of a value.
  func list(_ value: Value) throws(Fault) -> [Value] {
    if let items = value.items {
      try spend(items.count)
      return items
    }
    let elements = try elements(value)
    var values: [Value] = []
    while let element = try elements.next() {
      try spend(1)
      values.append(element)
    }
    return values
  }

  // MARK: Attributes and items

  /// `value.name`: an attribute, else the item of that name.
  func attribute(_ name: Text, of value: Value) throws(Fault) -> Value {
    if case .undefined(let undefined) = value {
      guard Methods.isInternal(name.string, value) else { throw undefined.fault }
      return unsafe(name, of: value)
    }
    if let found = try ownAttribute(name, of: value) { return found }
    if case .dictionary(let mapping) = value, let member = mapping[name] { return member }
    return absent(name, of: value)
  }

  /// `value[index]`: an item, else the attribute of that name.
  func item(_ index: Value, of value: Value) throws(Fault) -> Value {
    if case .undefined(let undefined) = value { throw undefined.fault }
    if let found = try ownItem(index, of: value) { return found }
    if case .string(let name) = index {
      if let found = try ownAttribute(name, of: value) { return found }
      return absent(name, of: value)
    }
    return .missing("A value of type \(value.type) has no such element")
  }

  private func absent(_ name: Text, of value: Value) -> Value {
    .missing("A value of type \(value.type) has no attribute “\(name.string)”")
  }

  /// An item, or `nil` where Python would throw a TypeError or LookupError.
  private func ownItem(_ index: Value, of value: Value) throws(Fault) -> Value? {
    switch value {
    case .list(let items), .tuple(let items):
      guard let index = index.integer, let place = position(index, items.values.count) else {
        return nil
      }
      return items.values[place]
    case .string(let text):
      guard let index = index.integer, let place = position(index, text.count) else { return nil }
      if text.isASCII { return .string(text.part(place..<place + 1).marked(text.isMarkup)) }
      try spend(text.bytes.count >> 6)
      let starts = text.starts
      return .string(text.part(starts[place]..<starts[place + 1]).marked(text.isMarkup))
    case .dictionary(let mapping):
      guard let place = try? mapping.place(index) else { return nil }
      return mapping.values[place]
    case .object(let object): return try object.element(index, self)
    case .undefined, .none, .bool, .integer, .float: return nil
    }
  }

  private func position(_ index: Int, _ count: Int) -> Int? {
    let place = index < 0 ? index &+ count : index
    return place >= 0 && place < count ? place : nil
  }

  /// What Python's `getattr` finds, seen through the sandbox; `nil` where it finds nothing.
  func ownAttribute(_ name: Text, of value: Value) throws(Fault) -> Value? {
    if name.bytes.first == UInt8(ascii: "_") {
      guard Methods.isInternal(name.string, value) else { return nil }
      return unsafe(name, of: value)
    }
    if case .object(let object) = value { return try object.attribute(name, self) }
    if case .tuple(let items) = value, !items.names.isEmpty,
      let index = items.names.firstIndex(of: name.string)
    {
      return items.values[index]
    }
    return Methods.attribute(name, of: value) { unsafe(name, of: value) }
  }

  func unsafe(_ name: Text, of value: Value) -> Value {
    .undefined(
      Undefined(.unsafe("The attribute “\(name.string)” belongs to the inside of a \(value.type)")))
  }

  // MARK: Comparison

  func compare(_ comparison: Comparison, _ left: Value, _ right: Value) throws(Fault) -> Bool {
    switch comparison {
    case .equal: try isEqual(left, right)
    case .unequal: try !isEqual(left, right)
    case .less: try precedes(left, right, comparison)
    case .greater: try precedes(right, left, comparison)
    case .lessOrEqual: try precedesOrEqual(left, right, comparison)
    case .greaterOrEqual: try precedesOrEqual(right, left, comparison)
    case .isIn: try contains(right, left)
    case .isNotIn: try !contains(right, left)
    }
  }

  func isEqual(_ left: Value, _ right: Value) throws(Fault) -> Bool {
    try spend(1)
    switch (left, right) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let left), .string(let right)): return left == right
    case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
      guard left !== right else { return true }
      guard left.values.count == right.values.count else { return false }
      try enter()
      defer { leave() }
      for (left, right) in zip(left.values, right.values) where try !isEqual(left, right) {
        return false
      }
      return true
    case (.dictionary(let left), .dictionary(let right)):
      guard left !== right else { return true }
      guard left.count == right.count else { return false }
      try enter()
      defer { leave() }
      for (key, value) in zip(left.keys, left.values) {
        guard let other = try right.value(key), try isEqual(value, other) else { return false }
      }
      return true
    case (.object(let left), .object(let right)):
      if left === right { return true }
      if let range = left as? RangeObject { return range.equals(right) }
      guard let view = left as? MappingView else { return false }
      return try view.equals(right, self)
    default:
      if let left = left.integer, let right = right.integer { return left == right }
      guard let left = left.number, let right = right.number else { return false }
      return left == right
    }
  }

  private func incomparable(_ comparison: Comparison, _ left: Value, _ right: Value) -> Fault {
    for value in [left, right] {
      if case .undefined(let undefined) = value { return undefined.fault }
    }
    return .type("“\(comparison.rawValue)” does not compare \(left.type) and \(right.type).")
  }

  /// Whether one value is less than another.
  func precedes(
    _ left: Value, _ right: Value, _ comparison: Comparison = .less
  ) throws(Fault) -> Bool {
    try spend(1)
    switch (left, right) {
    case (.string(let left), .string(let right)): return left < right
    case (.list(let first), .list(let second)), (.tuple(let first), .tuple(let second)):
      try enter()
      defer { leave() }
      for (left, right) in zip(first.values, second.values) where try !isEqual(left, right) {
        return try precedes(left, right, comparison)
      }
      return first.values.count < second.values.count
    default:
      if let left = left.integer, let right = right.integer { return left < right }
      guard let first = left.number, let second = right.number else {
        throw incomparable(comparison, left, right)
      }
      return first < second
    }
  }

  private func precedesOrEqual(
    _ left: Value, _ right: Value, _ comparison: Comparison
  ) throws(Fault) -> Bool {
    if let left = left.number, let right = right.number, left.isNaN || right.isNaN { return false }
    switch (left, right) {
    case (.list(let first), .list(let second)), (.tuple(let first), .tuple(let second)):
      try enter()
      defer { leave() }
      for (left, right) in zip(first.values, second.values) where try !isEqual(left, right) {
        return try precedesOrEqual(left, right, comparison)
      }
      return first.values.count <= second.values.count
    default: return try !precedes(right, left, comparison)
    }
  }

  func contains(_ container: Value, _ value: Value) throws(Fault) -> Bool {
    switch container {
    case .string(let text):
      guard case .string(let part) = value else {
        if case .undefined(let undefined) = value { throw undefined.fault }
        throw .type("“in” looks for a string in a string, not for a \(value.type).")
      }
      try spend(text.bytes.count >> 6)
      return text.find(part) != nil
    case .dictionary(let mapping): return try mapping.place(value) != nil
    default:
      guard let elements = try elementsIfAny(container) else {
        throw .type("“in” cannot look into a \(container.type).")
      }
      while let element = try elements.next() {
        try spend(1)
        if try isEqual(element, value) { return true }
      }
      return false
    }
  }
}
