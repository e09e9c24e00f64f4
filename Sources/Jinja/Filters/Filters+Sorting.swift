extension Filters {
  static let sorting: [String: Filter] = [
    "sort": Filter("sort", ["reverse", "case_sensitive", "attribute"]) {
      value, bound, renderer throws(Fault) in
      let caseCounts = try flag(bound[1], renderer)
      var paths: [Path] = []
      if let words = bound[2]?.text?.split(Text(",")) {
        for word in words { paths.append(try Path(.string(word))) }
      } else {
        paths = [try Path(bound[2])]
      }
      return .list(
        try sorted(
          renderer.list(value), isReversed: Methods.integer(bound[0], otherwise: 0) != 0, renderer
        ) {
          element throws(Fault) in
          var keys: [Value] = []
          for path in paths {
            keys.append(folded(try path.value(element, renderer), caseCounts: caseCounts))
          }
          return .list(keys)
        })
    },
    "dictsort": Filter("dictsort", ["case_sensitive", "by", "reverse"]) {
      value, bound, renderer throws(Fault) in
      let by = try bound[1].map { value throws(Fault) in try Methods.text(value).string } ?? "key"
      guard by == "key" || by == "value" else {
        throw .arguments("dictsort", "sorts by “key” or “value”")
      }
      if case .undefined(let undefined) = value { throw undefined.fault }
      guard case .dictionary(let mapping) = value else { throw .type("dictsort takes a dict.") }
      let caseCounts = try flag(bound[0], renderer)
      return .list(
        try sorted(
          mapping.pairs, isReversed: Methods.integer(bound[2], otherwise: 0) != 0, renderer
        ) {
          pair throws(Fault) in
          folded(pair.items?[by == "key" ? 0 : 1] ?? .none, caseCounts: caseCounts)
        })
    },
    "groupby": Filter("groupby", ["attribute", "default", "case_sensitive"], required: 1) {
      value, bound, renderer throws(Fault) in
      try groups(value, bound, renderer)
    },
    "min": extreme(isGreatest: false), "max": extreme(isGreatest: true),
  ]

  /// Sorts as Python does: elements of equal keys keep their order, in reverse too.
  static func sorted(
    _ values: [Value], isReversed: Bool, _ renderer: Renderer,
    by key: (Value) throws(Fault) -> Value
  ) throws(Fault) -> [Value] {
    var entries: [(key: Value, value: Value)] = []
    for value in values { entries.append((try key(value), value)) }
    if isReversed { entries.reverse() }
    entries = try merged(entries, renderer)
    if isReversed { entries.reverse() }
    return entries.map(\.value)
  }

  private static func merged(
    _ entries: [(key: Value, value: Value)], _ renderer: Renderer
  ) throws(Fault) -> [(key: Value, value: Value)] {
    guard entries.count > 1 else { return entries }
    let middle = entries.count / 2
    let left = try merged(Array(entries[..<middle]), renderer)
    let right = try merged(Array(entries[middle...]), renderer)
    var result: [(key: Value, value: Value)] = []
    result.reserveCapacity(entries.count)
    var (i, j) = (0, 0)
    while i < left.count, j < right.count {
      if try renderer.precedes(right[j].key, left[i].key) {
        result.append(right[j])
        j += 1
      } else {
        result.append(left[i])
        i += 1
      }
    }
    return result + left[i...] + right[j...]
  }

  private static func groups(
    _ value: Value, _ bound: [Value?], _ renderer: Renderer
  ) throws(Fault) -> Value {
    let path = try Path(bound[0], otherwise: bound[1])
    let caseCounts = try flag(bound[2], renderer)
    func key(_ element: Value) throws(Fault) -> Value {
      folded(try path.value(element, renderer), caseCounts: caseCounts)
    }
    let values = try sorted(renderer.list(value), isReversed: false, renderer, by: key)
    var groups: [Value] = []
    var start = 0
    while start < values.count {
      let own = try key(values[start])
      var end = start + 1
      while end < values.count, try renderer.isEqual(own, key(values[end])) { end += 1 }
      let shown = caseCounts ? own : try path.value(values[start], renderer)
      groups.append(
        .tuple(Items([shown, .list(Array(values[start..<end]))], names: ["grouper", "list"])))
      start = end
    }
    return .list(groups)
  }

  private static func extreme(isGreatest: Bool) -> Filter {
    Filter(isGreatest ? "max" : "min", ["case_sensitive", "attribute"]) {
      value, bound, renderer throws(Fault) in
      let path = try Path(bound[1])
      let caseCounts = try flag(bound[0], renderer)
      var best: (key: Value, value: Value)?
      let elements = try renderer.elements(value)
      while let element = try elements.next() {
        try renderer.spend(1)
        let key = folded(try path.value(element, renderer), caseCounts: caseCounts)
        if let found = best {
          let isBetter =
            isGreatest
            ? try renderer.precedes(found.key, key, .greater)
            : try renderer.precedes(key, found.key)
          if isBetter { best = (key, element) }
        } else {
          best = (key, element)
        }
      }
      return best?.value ?? .missing("The sequence is empty")
    }
  }
}
