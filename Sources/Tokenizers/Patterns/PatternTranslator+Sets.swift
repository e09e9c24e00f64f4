/// A class of characters, as what stands between brackets in PCRE2's language.
struct PatternClass {
  var members: String
  var isNegated = false

  /// As a pattern that matches one character.
  var spelled: String {
    if members.isEmpty { return isNegated ? "(?s:.)" : "(?!)" }
    return "[\(isNegated ? "^" : "")\(members)]"
  }
}

extension PatternTranslator {
  /// A set in brackets: what PCRE2 can write between its own, and patterns for the rest.
  struct CharacterSet {
    var isNegated = false
    /// Members that can stand between brackets.
    var members = ""
    /// Patterns that each match one character of the set.
    var others: [String] = []
    /// Patterns that must match too, of the sets before each `&&`.
    var conditions: [String] = []

    var isPlain: Bool { others.isEmpty && conditions.isEmpty }

    private var union: String {
      let own = PatternClass(members: members).spelled
      if others.isEmpty { return own }
      let all = members.isEmpty ? others : [own] + others
      return "(?:\(all.joined(separator: "|")))"
    }

    /// As a pattern that matches one character.
    var spelled: String {
      if isPlain { return PatternClass(members: members, isNegated: isNegated).spelled }
      let positive = conditions.map { "(?=\($0))" }.joined() + union
      return isNegated ? "(?:(?!\(positive))(?s:.))" : "(?:\(positive))"
    }

    mutating func add(_ code: UInt32) { members += PatternTranslator.spelled(code) }

    mutating func add(_ other: PatternClass) {
      if other.isNegated {
        if let members = PatternClasses.complement(of: other.members) {
          self.members += members
        } else {
          others.append(other.spelled)
        }
      } else {
        members += other.members
      }
    }

    mutating func add(_ other: CharacterSet) {
      if other.isPlain {
        add(PatternClass(members: other.members, isNegated: other.isNegated))
      } else {
        others.append(other.spelled)
      }
    }

    /// Ends an operand of `&&`.
    mutating func intersect() {
      conditions.append(union)
      members = ""
      others = []
    }
  }

  /// A set whose opening bracket was read.
  mutating func set(depth: Int) throws(PatternFault) -> CharacterSet {
    guard depth < Self.deepest else { throw fault("sets are nested too deep") }
    let start = place
    var set = CharacterSet()
    if take("^") { set.isNegated = true }
    var isFirst = true
    while let byte = current {
      if byte == UInt8(ascii: "]"), !isFirst {
        place += 1
        return set
      }
      isFirst = false
      if byte == UInt8(ascii: "["), let bracket = try posixBracket() {
        set.add(bracket)
      } else if take("[") {
        set.add(try self.set(depth: depth + 1))
      } else if take("&&") {
        set.intersect()
      } else if byte == UInt8(ascii: "\\"), let members = try setClass() {
        set.add(members)
      } else {
        try range(into: &set)
      }
    }
    place = start
    throw fault("a set is not closed")
  }

  /// A class behind a backslash.
  private mutating func setClass() throws(PatternFault) -> PatternClass? {
    guard place + 1 < source.count else { throw fault("a backslash ends the pattern") }
    return try classMembers()
  }

  /// A character, or a range of them.
  private mutating func range(into set: inout CharacterSet) throws(PatternFault) {
    let first = try member()
    guard isNext("-"), place + 1 < source.count, source[place + 1] != UInt8(ascii: "]") else {
      set.add(first)
      return
    }
    let dash = place
    place += 1
    if isNext("[") || isNext("&&") {
      place = dash
      set.add(first)
      return
    }
    if isNext("\\"), let members = try setClass() {
      // No range: the dash stands for itself.
      set.add(first)
      set.add(UInt32(UInt8(ascii: "-")))
      set.add(members)
      return
    }
    let last = try member()
    guard first <= last else { throw fault("a range goes backwards") }
    set.members += "\(Self.spelled(first))-\(Self.spelled(last))"
  }

  private mutating func member() throws(PatternFault) -> UInt32 {
    guard let byte = current else { throw fault("a set is not closed") }
    if byte == UInt8(ascii: "\\") {
      if isNext("\\b") {
        place += 2
        return 0x08
      }
      guard let code = try codePoint() else { throw fault("that means nothing in a set") }
      return code
    }
    let code = scalar(source, place)
    place += scalarLength(byte)
    return code
  }

  /// `[:name:]` or `[:^name:]`, if that is what comes next.
  private mutating func posixBracket() throws(PatternFault) -> PatternClass? {
    guard isNext("[:") else { return nil }
    var end = place + 2
    let isNegated = end < source.count && source[end] == UInt8(ascii: "^")
    if isNegated { end += 1 }
    let start = end
    while end < source.count, end - start < 20, Scalars.isWord(UInt32(source[end])) { end += 1 }
    guard end + 1 < source.count, source[end] == UInt8(ascii: ":"),
      source[end + 1] == UInt8(ascii: "]")
    else { return nil }
    let name = String(decoding: source[start..<end], as: UTF8.self)
    guard let members = PatternClasses.posix(name) else {
      throw fault("the class “\(name)” is not known here")
    }
    place = end + 2
    return PatternClass(members: members, isNegated: isNegated)
  }
}
