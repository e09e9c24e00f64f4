/// Upper and lower case as Python has them: by Unicode's full mappings, for each scalar.
extension Text {
  func uppercased() -> Text {
    if isASCII { return Text(bytes.map { $0 >= 97 && $0 <= 122 ? $0 - 32 : $0 }, isASCII: true) }
    return mapped { scalar, _ in scalar.properties.uppercaseMapping }
  }

  func lowercased() -> Text {
    if isASCII { return Text(bytes.map { $0 >= 65 && $0 <= 90 ? $0 + 32 : $0 }, isASCII: true) }
    return mapped { scalar, place in lower(scalar, at: place) }
  }

  /// The lower case of a scalar; a sigma at the end of a word has one of its own.
  private func lower(_ scalar: Unicode.Scalar, at place: Int) -> String {
    guard scalar == "Σ" else { return scalar.properties.lowercaseMapping }
    var before = place
    var follows = false
    while before > 0 {
      before = previous(before)
      let properties = self.scalar(at: before).properties
      if properties.isCaseIgnorable { continue }
      follows = properties.isCased
      break
    }
    var after = next(place)
    var leads = false
    while after < bytes.count {
      let properties = self.scalar(at: after).properties
      if !properties.isCaseIgnorable {
        leads = properties.isCased
        break
      }
      after = next(after)
    }
    return follows && !leads ? "ς" : "σ"
  }

  private func mapped(_ map: (Unicode.Scalar, Int) -> String) -> Text {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var place = 0
    while place < bytes.count {
      result += map(scalar(at: place), place).utf8
      place = next(place)
    }
    return Text(result)
  }

  func capitalized() -> Text {
    mapped { scalar, place in
      place == 0 ? scalar.properties.titlecaseMapping : lower(scalar, at: place)
    }
  }

  /// Each word, that is each run of letters with case, begins with a capital.
  func titlecased() -> Text {
    var follows = false
    return mapped { scalar, place in
      defer { follows = scalar.properties.isCased }
      return follows ? lower(scalar, at: place) : scalar.properties.titlecaseMapping
    }
  }

  func caseSwapped() -> Text {
    mapped { scalar, place in
      if scalar.properties.isUppercase { return lower(scalar, at: place) }
      return scalar.properties.isLowercase
        ? scalar.properties.uppercaseMapping : String(Character(scalar))
    }
  }

  /// Like lower case, made for comparing: only the common differences are known here.
  func casefolded() -> Text {
    mapped { scalar, _ in
      switch scalar {
      case "ß", "ẞ": "ss"
      case "ς": "σ"
      case "ſ": "s"
      case "µ": "μ"
      default: scalar.properties.lowercaseMapping
      }
    }
  }

  // MARK: Questions

  private func all(_ holds: (Unicode.Scalar) -> Bool) -> Bool {
    !isEmpty && scalars.allSatisfy(holds)
  }

  var isUppercase: Bool { hasCase(\.isUppercase, not: \.isLowercase) }

  var isLowercase: Bool { hasCase(\.isLowercase, not: \.isUppercase) }

  private func hasCase(
    _ wanted: (Unicode.Scalar.Properties) -> Bool, not other: (Unicode.Scalar.Properties) -> Bool
  ) -> Bool {
    var found = false
    for scalar in scalars {
      let properties = scalar.properties
      if other(properties) || properties.generalCategory == .titlecaseLetter { return false }
      if wanted(properties) { found = true }
    }
    return found
  }

  var isTitlecase: Bool {
    var found = false
    var follows = false
    for scalar in scalars {
      let properties = scalar.properties
      if properties.isUppercase || properties.generalCategory == .titlecaseLetter {
        if follows { return false }
        follows = true
        found = true
      } else if properties.isLowercase {
        if !follows { return false }
        found = true
      } else {
        follows = false
      }
    }
    return found
  }

  var isAlphabetic: Bool { all(\.isPythonLetter) }
  var isDecimal: Bool { all { $0.properties.numericType == .decimal } }
  var isDigits: Bool {
    all { $0.properties.numericType == .decimal || $0.properties.numericType == .digit }
  }
  var isNumeric: Bool { all { $0.properties.numericType != nil } }
  var isAlphanumeric: Bool { all { $0.isPythonLetter || $0.properties.numericType != nil } }
  var isSpace: Bool { all(\.isPythonSpace) }
  var isPrintable: Bool { scalars.allSatisfy(\.isPythonPrintable) }

  var isIdentifier: Bool {
    guard let first = scalars.first, first == "_" || first.properties.isXIDStart else {
      return false
    }
    return scalars.dropFirst().allSatisfy { $0.properties.isXIDContinue }
  }
}

extension Unicode.Scalar {
  var isPythonLetter: Bool {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }

  /// What `\w` is in Python's expressions.
  var isPythonWord: Bool { self == "_" || isPythonLetter || properties.numericType != nil }
}
