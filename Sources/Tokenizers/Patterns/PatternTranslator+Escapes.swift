// What a backslash means.

extension PatternTranslator {
  /// A backslash outside sets.
  mutating func escape() throws(PatternFault) {
    guard place + 1 < source.count else { throw fault("a backslash ends the pattern") }
    let byte = source[place + 1]
    if let code = try codePoint() {
      write(Self.spelled(code))
      return
    }
    if let members = try classMembers() {
      write(members.spelled)
      return
    }
    place += 2
    let word = PatternClasses.word(language)
    switch byte {
    case UInt8(ascii: "b"):
      write("(?:(?<=[\(word)])(?![\(word)])|(?<![\(word)])(?=[\(word)]))")
    case UInt8(ascii: "B"):
      write("(?:(?<=[\(word)])(?=[\(word)])|(?<![\(word)])(?![\(word)]))")
    case UInt8(ascii: "A"), UInt8(ascii: "z"), UInt8(ascii: "Z"), UInt8(ascii: "G"),
      UInt8(ascii: "K"), UInt8(ascii: "R"):
      write("\\\(UnicodeScalar(byte))")
    case UInt8(ascii: "N") where language == .oniguruma: write("[^\\n]")
    case UInt8(ascii: "O") where language == .oniguruma: write("(?s:.)")
    case UInt8(ascii: "1")...UInt8(ascii: "9"):
      place -= 1
      var number = 0
      while let digit = current, digit >= 0x30, digit <= 0x39, number < 1000 {
        number = number * 10 + Int(digit - 0x30)
        place += 1
      }
      write("\\g{\(number)}")
    case UInt8(ascii: "k"), UInt8(ascii: "g"): try reference(byte)
    default: throw fault("“\\\(UnicodeScalar(byte))” is not known here")
    }
  }

  /// `\k<name>`, `\k<1>`, `\k'name'`; `\g<name>` calls a group.
  private mutating func reference(_ kind: UInt8) throws(PatternFault) {
    guard let opening = current, opening == UInt8(ascii: "<") || opening == UInt8(ascii: "'") else {
      throw fault("a group's name is expected")
    }
    place += 1
    let closing = opening == UInt8(ascii: "<") ? UInt8(ascii: ">") : opening
    let start = place
    while let byte = current, byte != closing {
      guard byte < 0x80, Scalars.isWord(UInt32(byte)) || byte == UInt8(ascii: "-") else {
        throw fault("a group's name must be of letters and digits")
      }
      place += 1
    }
    guard current == closing, place > start else { throw fault("a group's name is not closed") }
    let name = String(decoding: source[start..<place], as: UTF8.self)
    place += 1
    if kind == UInt8(ascii: "g") {
      write("\\g<\(name)>")
    } else {
      write(Int(name) == nil ? "\\k<\(name)>" : "\\g{\(name)}")
    }
  }

  /// The code point that a backslash here stands for, if it stands for one; steps over it then.
  mutating func codePoint() throws(PatternFault) -> UInt32? {
    guard place + 1 < source.count else { throw fault("a backslash ends the pattern") }
    let byte = source[place + 1]
    switch byte {
    case UInt8(ascii: "n"): return step(2, 0x0A)
    case UInt8(ascii: "t"): return step(2, 0x09)
    case UInt8(ascii: "r"): return step(2, 0x0D)
    case UInt8(ascii: "f"): return step(2, 0x0C)
    case UInt8(ascii: "v"): return step(2, 0x0B)
    case UInt8(ascii: "a"): return step(2, 0x07)
    case UInt8(ascii: "e"): return step(2, 0x1B)
    case UInt8(ascii: "x"):
      if place + 2 < source.count, source[place + 2] == UInt8(ascii: "{") {
        return try braced(start: place + 3)
      }
      return try hexadecimal(at: place + 2, most: 2)
    case UInt8(ascii: "u"):
      if language == .rust, place + 2 < source.count, source[place + 2] == UInt8(ascii: "{") {
        return try braced(start: place + 3)
      }
      return try hexadecimal(at: place + 2, most: 4)
    case UInt8(ascii: "0")...UInt8(ascii: "7"): return octal()
    case 0x80...:
      let end = place + 1 + scalarLength(byte)
      return step(end - place, scalar(source, place + 1))
    case _ where !Scalars.isWord(UInt32(byte)) || byte == UInt8(ascii: "_"):
      return step(2, UInt32(byte))
    case _ where language == .oniguruma && !Self.letters.contains(byte):
      // A letter that means nothing stands for itself.
      return step(2, UInt32(byte))
    default: return nil
    }
  }

  /// The letters and digits that mean something behind a backslash.
  private static let letters = Set("bBAzZGKRXNO123456789kgsSwWdDhHpPcCMyYuxnrtfvae0".utf8)

  private mutating func step(_ count: Int, _ code: UInt32) -> UInt32 {
    place += count
    return code
  }

  private mutating func braced(start: Int) throws(PatternFault) -> UInt32 {
    guard let end = source[start...].firstIndex(of: UInt8(ascii: "}")), end > start,
      end - start < 9,
      let code = UInt32(String(decoding: source[start..<end], as: UTF8.self), radix: 16),
      Unicode.Scalar(code) != nil
    else { throw fault("a code point in braces is expected") }
    place = end + 1
    return code
  }

  private mutating func hexadecimal(at start: Int, most: Int) throws(PatternFault) -> UInt32 {
    var code: UInt32 = 0
    var end = start
    while end < source.count, end - start < most,
      let digit = Character(Unicode.Scalar(source[end])).hexDigitValue
    {
      code = code << 4 | UInt32(digit)
      end += 1
    }
    guard end > start, Unicode.Scalar(code) != nil, code < 0x80 || most > 2 else {
      throw fault("a code point is expected")
    }
    place = end
    return code
  }

  /// Up to three octal digits; a single one but 0 refers to a group.
  private mutating func octal() -> UInt32? {
    var code: UInt32 = 0
    var end = place + 1
    while end < source.count, end < place + 4, source[end] >= 0x30, source[end] <= 0x37 {
      code = code << 3 | UInt32(source[end] - 0x30)
      end += 1
    }
    guard source[place + 1] == 0x30 || end == place + 4, code < 0x80 else { return nil }
    place = end
    return code
  }

  /// The class that a backslash here stands for, if it stands for one; steps over it then.
  mutating func classMembers() throws(PatternFault) -> PatternClass? {
    let byte = source[place + 1]
    var result: PatternClass
    switch byte | 0x20 {
    case UInt8(ascii: "s"): result = PatternClass(members: PatternClasses.space)
    case UInt8(ascii: "w"): result = PatternClass(members: PatternClasses.word(language))
    case UInt8(ascii: "d"): result = PatternClass(members: "\\p{Nd}")
    case UInt8(ascii: "h"): result = PatternClass(members: PatternClasses.hexadecimal)
    case UInt8(ascii: "p"): return try property()
    default: return nil
    }
    result.isNegated = byte & 0x20 == 0
    place += 2
    return result
  }

  /// `\p{…}`, `\P{…}`, `\p{^…}`; in Rust's language also `\pL`.
  private mutating func property() throws(PatternFault) -> PatternClass {
    var isNegated = source[place + 1] == UInt8(ascii: "P")
    let start = place + 2
    var name: ArraySlice<UInt8>
    if start < source.count, source[start] == UInt8(ascii: "{") {
      guard let end = source[start...].firstIndex(of: UInt8(ascii: "}")) else {
        throw fault("a property is not closed")
      }
      name = source[(start + 1)..<end]
      if name.first == UInt8(ascii: "^") {
        name = name.dropFirst()
        isNegated.toggle()
      }
      guard
        var result = PatternClasses.property(String(decoding: name, as: UTF8.self))
      else {
        let text = String(decoding: name, as: UTF8.self)
        throw fault("the property “\(text)” is not known here")
      }
      if isNegated { result.isNegated.toggle() }
      place = end + 1
      return result
    }
    guard language == .rust, start < source.count else {
      throw fault("a property in braces is expected")
    }
    name = source[start...start]
    guard var result = PatternClasses.property(String(decoding: name, as: UTF8.self))
    else { throw fault("a property is expected") }
    result.isNegated = isNegated
    place = start + 1
    return result
  }
}
