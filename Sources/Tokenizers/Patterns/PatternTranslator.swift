/// Why a pattern cannot be used.
struct PatternFault: Error, Equatable {
  var offset: Int
  var reason: String
}

/// Spells a pattern in PCRE2's language, so that it matches what it matches in its own.
///
/// What PCRE2 reads in another way is written out: `\h`, options in the middle, quantifiers of quantified
/// things, sets in sets, classes whose members differ. What cannot be spelled is refused. Sets lie in
/// PatternTranslator+Sets, classes in PatternClasses.
struct PatternTranslator {
  let source: [UInt8]
  let language: Regex.Language
  var place = 0
  var output: [UInt8] = []
  /// Where in the output the thing starts that a quantifier here would repeat.
  private var atom: Int?
  private var isQuantified = false
  private var groups: [Group] = []

  /// A group that is open.
  private struct Group {
    var start: Int
    /// How many more brackets its end closes: those of options in its middle.
    var extra = 0
    var isExtended: Bool
  }
  private var extra = 0
  private var isExtended = false

  /// How deep groups and sets may be nested.
  static let deepest = 50

  init(_ source: String, _ language: Regex.Language) {
    self.source = Array(source.utf8)
    self.language = language
  }

  mutating func translate() throws(PatternFault) -> [UInt8] {
    while place < source.count { try next() }
    guard groups.isEmpty else { throw fault("a bracket is not closed") }
    close(extra)
    return output
  }

  func fault(_ reason: String) -> PatternFault { PatternFault(offset: place, reason: reason) }

  var current: UInt8? { place < source.count ? source[place] : nil }

  func isNext(_ text: StaticString) -> Bool {
    source[place...].starts(with: text.description.utf8)
  }

  mutating func take(_ text: StaticString) -> Bool {
    guard isNext(text) else { return false }
    place += text.utf8CodeUnitCount
    return true
  }

  mutating func write(_ text: String) { output.append(contentsOf: text.utf8) }

  /// A code point as PCRE2 reads it anywhere.
  static func spelled(_ code: UInt32) -> String { "\\x{\(String(code, radix: 16))}" }

  private mutating func close(_ count: Int) {
    output.append(contentsOf: repeatElement(UInt8(ascii: ")"), count: count))
  }

  private mutating func begin() {
    atom = output.count
    isQuantified = false
  }

  private mutating func next() throws(PatternFault) {
    let byte = source[place]
    switch byte {
    case UInt8(ascii: "\\"):
      begin()
      try escape()
    case UInt8(ascii: "["):
      begin()
      place += 1
      let set = try set(depth: 0)
      write(set.spelled)
    case UInt8(ascii: "("): try open()
    case UInt8(ascii: ")"):
      guard let group = groups.popLast() else { throw fault("a bracket closes nothing") }
      close(extra + 1)
      (extra, isExtended) = (group.extra, group.isExtended)
      (atom, isQuantified) = (group.start, false)
      place += 1
    case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"):
      place += 1
      try quantify(String(UnicodeScalar(byte)), isInterval: false, isFixed: false)
    case UInt8(ascii: "{"): try interval()
    case UInt8(ascii: "|"):
      output.append(byte)
      place += 1
      atom = nil
    case UInt8(ascii: "#") where isExtended:
      while let byte = current, byte != UInt8(ascii: "\n") {
        _ = byte
        place += 1
      }
    case 0x09...0x0D, 0x20:
      if !isExtended {
        begin()
        output.append(byte)
      }
      place += 1
    case UInt8(ascii: "^"), UInt8(ascii: "$"), UInt8(ascii: "."):
      begin()
      output.append(byte)
      place += 1
    default:
      begin()
      let end = min(place + scalarLength(byte), source.count)
      output.append(contentsOf: source[place..<end])
      place = end
    }
  }

  // MARK: - Quantifiers

  /// `{n}`, `{n,}`, `{,m}` or `{n,m}`; anything else in braces stands for itself.
  private mutating func interval() throws(PatternFault) {
    let start = place
    place += 1
    let least = digits()
    let hasComma = take(",")
    let most = hasComma ? digits() : least
    guard least != nil || hasComma && most != nil, take("}") else {
      place = start + 1
      begin()
      write("\\{")
      return
    }
    let low = least ?? 0
    if let most, most < low { throw fault("the repetition goes from \(low) to \(most)") }
    let text = hasComma ? "{\(low),\(most.map(String.init) ?? "")}" : "{\(low)}"
    try quantify(text, isInterval: true, isFixed: !hasComma)
  }

  private mutating func digits() -> Int? {
    var number: Int?
    while let byte = current, byte >= 0x30, byte <= 0x39 {
      number = min((number ?? 0) * 10 + Int(byte - 0x30), 1_000_000)
      place += 1
    }
    return number
  }

  private mutating func quantify(
    _ text: String, isInterval: Bool, isFixed: Bool
  ) throws(PatternFault) {
    guard let atom else { throw fault("there is nothing to repeat") }
    if isQuantified { wrap(atom) }
    write(text)
    isQuantified = true
    if take("?") {
      if isFixed, language == .oniguruma {
        // There, `{n}?` is n of them or none.
        wrap(atom)
      }
      write("?")
    } else if isNext("+") {
      if isInterval, language == .oniguruma {
        // There, `{n,m}+` is a repetition of the repetition: the plus comes next.
        return
      }
      place += 1
      write("+")
    }
  }

  private mutating func wrap(_ atom: Int) {
    output.insert(contentsOf: "(?:".utf8, at: atom)
    write(")")
  }

  // MARK: - Groups

  private mutating func open() throws(PatternFault) {
    guard groups.count < Self.deepest else {
      throw fault("groups are nested more than \(Self.deepest) deep")
    }
    guard !isNext("(*") else { throw fault("callouts and verbs are not known here") }
    let start = output.count
    guard isNext("(?") else {
      place += 1
      return enter(start, "(")
    }
    for opening: StaticString in ["(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"] where take(opening) {
      return enter(start, opening.description)
    }
    if take("(?#") {
      guard let end = source[place...].firstIndex(of: UInt8(ascii: ")")) else {
        throw fault("a comment is not closed")
      }
      place = end + 1
    } else if take("(?<") || take("(?P<") {
      enter(start, "(?<\(try name(until: UInt8(ascii: ">")))>")
    } else if take("(?'") {
      enter(start, "(?<\(try name(until: UInt8(ascii: "'")))>")
    } else {
      place += 2
      try options(start)
    }
  }

  private mutating func enter(_ start: Int, _ text: String) {
    write(text)
    groups.append(Group(start: start, extra: extra, isExtended: isExtended))
    extra = 0
    atom = nil
  }

  private mutating func name(until end: UInt8) throws(PatternFault) -> String {
    let start = place
    while let byte = current, byte != end {
      guard byte == UInt8(ascii: "_") || Scalars.isWord(UInt32(byte)), byte < 0x80 else {
        throw fault("a group's name must be of letters and digits")
      }
      place += 1
    }
    guard current == end, place > start else { throw fault("a group's name is not closed") }
    place += 1
    return String(decoding: source[start..<place - 1], as: UTF8.self)
  }

  /// `(?imx-imx)` or `(?imx-imx:`; Oniguruma's m is what others call s.
  private mutating func options(_ start: Int) throws(PatternFault) {
    var flags = ""
    var isOff = false
    var extended = isExtended
    while let byte = current, byte != UInt8(ascii: ")"), byte != UInt8(ascii: ":") {
      switch (byte, language) {
      case (UInt8(ascii: "-"), _) where !isOff:
        isOff = true
        flags += "-"
      case (UInt8(ascii: "i"), _): flags += "i"
      case (UInt8(ascii: "x"), _): extended = !isOff
      case (UInt8(ascii: "m"), .oniguruma): flags += "s"
      case (UInt8(ascii: "m"), .rust): flags += "m"
      case (UInt8(ascii: "s"), .rust): flags += "s"
      case (UInt8(ascii: "u"), .rust) where !isOff: break
      default: throw fault("the option “\(UnicodeScalar(byte))” is not known here")
      }
      place += 1
    }
    guard let end = current else { throw fault("a bracket is not closed") }
    place += 1
    if flags.hasSuffix("-") { flags.removeLast() }
    if end == UInt8(ascii: ":") {
      enter(start, "(?\(flags):")
    } else {
      // To the end of the group, over all of its alternatives that follow.
      write("(?\(flags):")
      extra += 1
      atom = nil
    }
    isExtended = extended
  }
}
