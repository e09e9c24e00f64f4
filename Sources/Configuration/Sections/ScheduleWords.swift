import Engine

/// The words of Megatron's and Automodel's schedules.
enum DecayWord: String, CaseIterable {
  case constant, linear, cosine
  case inverseSquareRoot = "inverse-square-root"
  case stable = "WSD"
}

enum FallWord: String, CaseIterable {
  case exponential, linear, cosine
  case squareRoot = "minus_sqrt"

  var fall: Schedule.Fall {
    switch self {
    case .exponential: .exponential
    case .linear: .linear
    case .cosine: .cosine
    case .squareRoot: .squareRoot
    }
  }
}

enum GrowthWord: String, CaseIterable {
  case constant, linear, cosine

  var growth: Schedule.Growth {
    switch self {
    case .constant: .constant
    case .linear: .linear
    case .cosine: .cosine
    }
  }
}

enum DropoutPosition: String, CaseIterable {
  case pre, post
}

extension ConfigurationSection {
  /// How a rate falls.
  ///
  /// - Parameter falling: the steps of the fall at the end, and the key that says them, for a rate that is stable before.
  func decay(
    _ key: String, default fallback: DecayWord, falling: (key: String, steps: Int?),
    _ fall: FallWord
  ) throws(ConfigurationError) -> Schedule.Decay {
    switch try choice(key, of: DecayWord.self, default: fallback) {
    case .constant: return .constant
    case .linear: return .linear
    case .cosine: return .cosine
    case .inverseSquareRoot: return .inverseSquareRoot
    case .stable:
      guard let steps = falling.steps else {
        throw fault(falling.key, "It is missing: WSD needs to know how long the rate falls.")
      }
      return .stable(falling: steps, fall.fall)
    }
  }

  /// One of several words, and which one where none is said.
  func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, of type: Choice.Type, default fallback: Choice
  ) throws(ConfigurationError) -> Choice where Choice.RawValue == String {
    if let choice = try choice(key, of: type) { return choice }
    noteDefault(key, .string(fallback.rawValue))
    return fallback
  }
}
