/// Measures a value that was read: how deep it is and how large it would be without sharing.
///
/// Each container is followed once, so the walk is linear where the written-out size is exponential;
/// tuples, which have no identity, are followed each time, and every step counts against the limit.
struct PickleCensus {
  /// By container: the levels below it, −1 before it was met, −2 while it is being followed.
  private(set) var heights: [Int]
  private var sizes: [Int]
  private let limits: Unpickler.Limits
  private var steps = 0

  struct Extent {
    var size = 1
    var height = 0

    mutating func add(_ inner: Extent, limit: Int) throws(PickleError) {
      let (sum, overflow) = size.addingReportingOverflow(inner.size)
      guard !overflow, sum <= limit else { throw .expandsTooFar(limit: limit) }
      size = sum
      height = max(height, inner.height + 1)
    }
  }

  init(containers: Int, limits: Unpickler.Limits) {
    heights = Array(repeating: -1, count: containers)
    sizes = Array(repeating: 0, count: containers)
    self.limits = limits
  }

  mutating func measure(_ value: PickleValue, level: Int) throws(PickleError) -> Extent {
    steps += 1
    guard steps <= limits.expanded else { throw .expandsTooFar(limit: limits.expanded) }
    switch value {
    case .none, .bool, .integer, .bigInteger, .float, .string, .bytes, .global:
      return Extent()
    case .tuple(let items):
      guard level <= limits.depth else { throw .tooDeep(limit: limits.depth) }
      var extent = Extent()
      try add(items, to: &extent, level: level)
      return extent
    case .persistent(let reference):
      guard level <= limits.depth else { throw .tooDeep(limit: limits.depth) }
      var extent = Extent()
      try extent.add(measure(reference.value, level: level + 1), limit: limits.expanded)
      return extent
    case .list(let list), .set(let list):
      return try container(list.serial, "list", level) { (census, extent) throws(PickleError) in
        try census.add(list.items, to: &extent, level: level)
      }
    case .dictionary(let dictionary):
      return try container(dictionary.serial, "dictionary", level) {
        (census, extent) throws(PickleError) in
        try census.add(dictionary, to: &extent, level: level)
      }
    case .object(let object):
      return try container(object.serial, object.name, level) {
        (census, extent) throws(PickleError) in
        try census.add(object, to: &extent, level: level)
      }
    }
  }

  private mutating func container(
    _ serial: Int, _ name: String, _ level: Int,
    _ body: (inout PickleCensus, inout Extent) throws(PickleError) -> Void
  ) throws(PickleError) -> Extent {
    guard heights[serial] != -2 else { throw .recursive(name) }
    var extent = Extent()
    if heights[serial] >= 0 {
      extent = Extent(size: sizes[serial], height: heights[serial])
      guard level + extent.height <= limits.depth else { throw .tooDeep(limit: limits.depth) }
      return extent
    }
    guard level <= limits.depth else { throw .tooDeep(limit: limits.depth) }
    heights[serial] = -2
    try body(&self, &extent)
    heights[serial] = extent.height
    sizes[serial] = extent.size
    return extent
  }

  private mutating func add(
    _ items: [PickleValue], to extent: inout Extent, level: Int
  ) throws(PickleError) {
    for item in items {
      try extent.add(measure(item, level: level + 1), limit: limits.expanded)
    }
  }

  private mutating func add(
    _ dictionary: PickleDictionary, to extent: inout Extent, level: Int
  ) throws(PickleError) {
    for (key, value) in dictionary.items {
      try extent.add(measure(key, level: level + 1), limit: limits.expanded)
      try extent.add(measure(value, level: level + 1), limit: limits.expanded)
    }
  }

  private mutating func add(
    _ object: PickleObject, to extent: inout Extent, level: Int
  ) throws(PickleError) {
    try add(object.arguments, to: &extent, level: level)
    if let state = object.state {
      try extent.add(measure(state, level: level + 1), limit: limits.expanded)
    }
    if let dictionary = object.dictionary { try add(dictionary, to: &extent, level: level) }
    if let list = object.list { try add(list.items, to: &extent, level: level) }
  }
}
