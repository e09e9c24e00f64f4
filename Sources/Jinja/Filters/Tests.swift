/// The tests of jinja2: what stands behind `is`.
enum Tests {
  static let all: [String: Filter] = [
    "defined": plain { !$0.isUndefined },
    "undefined": plain { $0.isUndefined },
    "none": plain { $0.isNone },
    "boolean": plain { if case .bool = $0 { true } else { false } },
    "true": plain { if case .bool(true) = $0 { true } else { false } },
    "false": plain { if case .bool(false) = $0 { true } else { false } },
    "integer": plain { if case .integer = $0 { true } else { false } },
    "float": plain { if case .float = $0 { true } else { false } },
    "number": plain { $0.number != nil },
    "string": plain { $0.text != nil },
    "mapping": plain { if case .dictionary = $0 { true } else { false } },
    "escaped": plain { $0.text?.isMarkup ?? false },
    "sequence": plain {
      switch $0 {
      case .undefined, .string, .list, .tuple, .dictionary: true
      case .object(let object): object is RangeObject
      default: false
      }
    },
    "callable": plain {
      switch $0 {
      case .undefined: true
      case .object(let object): object.isCallable
      default: false
      }
    },
    "iterable": Filter("iterable") { value, _, renderer throws(Fault) in
      if case .string = value { return .bool(true) }
      if case .object(is LoopObject) = value { return .bool(true) }
      return .bool(try renderer.elementsIfAny(value) != nil)
    },
    "lower": Filter("lower") { value, _, renderer throws(Fault) in
      .bool(try Printer.text(value, renderer).isLowercase)
    },
    "upper": Filter("upper") { value, _, renderer throws(Fault) in
      .bool(try Printer.text(value, renderer).isUppercase)
    },
    "odd": remainder("odd", of: 2, is: 1), "even": remainder("even", of: 2, is: 0),
    "divisibleby": Filter("divisibleby", ["num"], required: 1) {
      value, bound, renderer throws(Fault) in
      let rest = try Arithmetic.apply(.remainder, value, bound[0] ?? .none, renderer)
      return .bool(try renderer.isEqual(rest, .integer(0)))
    },
    "in": Filter("in", ["seq"], required: 1) { value, bound, renderer throws(Fault) in
      .bool(try renderer.contains(bound[0] ?? .none, value))
    },
    "sameas": Filter("sameas", ["other"], required: 1) { value, bound, _ throws(Fault) in
      .bool(isSame(value, bound[0] ?? .none))
    },
    "filter": Filter("filter") { value, _, _ throws(Fault) in
      if value.isUndefined { return .bool(false) }
      _ = try Mapping.Key(value)
      return .bool(value.text.map { Filters.all[$0.string] != nil } ?? false)
    },
    "test": Filter("test") { value, _, _ throws(Fault) in
      if value.isUndefined { return .bool(false) }
      _ = try Mapping.Key(value)
      return .bool(value.text.map { all[$0.string] != nil } ?? false)
    },
    "==": compared(.equal), "eq": compared(.equal), "equalto": compared(.equal),
    "!=": compared(.unequal), "ne": compared(.unequal),
    "<": compared(.less), "lt": compared(.less), "lessthan": compared(.less),
    "<=": compared(.lessOrEqual), "le": compared(.lessOrEqual),
    ">": compared(.greater), "gt": compared(.greater), "greaterthan": compared(.greater),
    ">=": compared(.greaterOrEqual), "ge": compared(.greaterOrEqual),
  ]

  private static func plain(_ holds: @escaping @Sendable (Value) -> Bool) -> Filter {
    Filter("test") { value, _, _ in .bool(holds(value)) }
  }

  private static func compared(_ comparison: Comparison) -> Filter {
    Filter(comparison.rawValue, ["other"], required: 1) { value, bound, renderer throws(Fault) in
      .bool(try renderer.compare(comparison, value, bound[0] ?? .none))
    }
  }

  private static func remainder(_ name: String, of divisor: Int, is rest: Int) -> Filter {
    Filter(name) { value, _, renderer throws(Fault) in
      let found = try Arithmetic.apply(.remainder, value, .integer(divisor), renderer)
      return .bool(try renderer.isEqual(found, .integer(rest)))
    }
  }

  /// What Python's `is` says; equal texts and numbers of one type count as one here.
  private static func isSame(_ left: Value, _ right: Value) -> Bool {
    switch (left, right) {
    case (.none, .none): true
    case (.bool(let left), .bool(let right)): left == right
    case (.integer(let left), .integer(let right)): left == right
    case (.float(let left), .float(let right)): left == right
    case (.string(let left), .string(let right)): left == right && left.isMarkup == right.isMarkup
    case (.list(let left), .list(let right)): left === right
    case (.tuple(let left), .tuple(let right)):
      left === right || left.values.isEmpty && right.values.isEmpty
    case (.dictionary(let left), .dictionary(let right)): left === right
    case (.undefined(let left), .undefined(let right)): left === right
    case (.object(let left), .object(let right)): left === right
    default: false
    }
  }
}
