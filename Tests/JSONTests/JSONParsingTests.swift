import JSON
import Testing

private func parse(
  _ text: String, maximumDepth: Int = 128, allowingNonFinite: Bool = false
) throws(JSONError) -> JSON {
  try JSON(
    parsing: Array(text.utf8), maximumDepth: maximumDepth, allowingNonFinite: allowingNonFinite)
}

private func parse(_ bytes: [UInt8]) throws(JSONError) -> JSON { try JSON(parsing: bytes) }

@Test func membersKeepTheOrderOfTheText() throws {
  let object = try #require(try parse(#" { "z" : 1 , "a":[true,false,null] , "":{} } "#).object)
  #expect(object.keys == ["z", "a", ""])
  #expect(object["z"] == .integer(1))
  #expect(object["a"] == .array([.bool(true), .bool(false), .null]))
  #expect(object[""] == .object(JSONObject()))
}

@Test(arguments: [
  ("0", JSON.integer(0)), ("-0", .integer(0)), ("-17", .integer(-17)),
  ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
  ("9223372036854775808", .number(0x1p63)), ("-9223372036854775809", .number(-0x1p63)),
  ("1.0", .number(1)), ("1e2", .number(100)), ("2.5E-1", .number(0.25)), ("1E+2", .number(100)),
])
func wholeNumbersThatFitAreIntegersAndOthersDoubles(text: String, expected: JSON) throws {
  #expect(try parse(text) == expected)
}

@Test(arguments: [
  "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x10", "- 1", "--1", "1.e1", "NaN", "Infinity",
  "-Infinity", "nan", "1_000",
])
func numbersThatTheGrammarLacksAreRefused(text: String) {
  #expect(throws: JSONError.self) { try parse(text) }
}

@Test func bareTokensOfPythonAreReadOnlyWhenAllowed() throws {
  let array = try #require(
    try parse("[NaN, Infinity, -Infinity, 1e999]", allowingNonFinite: true).array)
  #expect(array[0].double?.isNaN == true)
  #expect(array[1...] == [.number(.infinity), .number(-.infinity), .number(.infinity)])
  #expect(throws: JSONError.syntax(offset: 1, expected: "a digit", found: UInt8(ascii: "I"))) {
    try parse("-Infinity")
  }
  #expect(throws: JSONError.numberOutOfRange(offset: 1)) { try parse("[1e999]") }
}

@Test func escapesStandForTheirCharacters() throws {
  #expect(
    try parse(#""a\"\\\/\b\f\n\r\t\u0041\u00e9\u4E2D\ud83c\udf0d\u0000z""#)
      == .string("a\"\\/\u{8}\u{C}\n\r\tA\u{E9}\u{4E2D}\u{1F30D}\0z"))
}

@Test(arguments: [
  #""\ud83c""#, #""\ud83c x""#, #""\udf0d""#, #""\ud83c\ud83c""#, #""\ud83c\n""#,
])
func halfASurrogatePairIsRefused(text: String) {
  #expect(throws: JSONError.loneSurrogate(offset: 1)) { try parse(text) }
}

@Test(arguments: [#""\x""#, #""\u12g4""#, #""\u123""#, #""\"#, #""\u"#, "\"\n\"", "\"\u{0}\""])
func badEscapesAndBareControlCharactersAreRefused(text: String) {
  #expect(throws: JSONError.self) { try parse(text) }
}

@Test(
  arguments: [
    [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0x28],  // stray, overlong, cut
    [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF], [0xE2, 0x82], [0xE2, 0x28, 0xA1], [0xE2, 0x82, 0x28],
    [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],  // surrogates
    [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x9F, 0x8C],
    [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF],  // beyond U+10FFFF
  ] as [[UInt8]])
func bytesThatAreNotUTF8AreRefusedWithTheirPlace(bytes: [UInt8]) {
  let quote = UInt8(ascii: "\"")
  #expect(throws: JSONError.invalidUTF8(offset: 3)) {
    try parse([quote, 0x61, 0x62] + bytes + [quote])
  }
  #expect(throws: JSONError.invalidUTF8(offset: 1)) { try parse([quote] + bytes) }
}

@Test func theFirstAndLastCharactersOfEachLengthAreRead() throws {
  let text = "\u{7F}\u{80}\u{7FF}\u{800}\u{D7FF}\u{E000}\u{FFFF}\u{10000}\u{10FFFF}"
  #expect(try parse("\"\(text)\"") == .string(text))
}

@Test func aNameThatOccursTwiceIsRefusedWithNameAndPlace() {
  #expect(throws: JSONError.duplicateName("a", offset: 15)) { try parse(#"{"a":1, "b":2, "a":3}"#) }
  #expect(throws: JSONError.duplicateName("a", offset: 7)) { try parse(#"{"a":1,"\u0061":3}"#) }
}

@Test func textIsReadToTheDepthLimitAndNoDeeper() throws {
  func nested(_ depth: Int) -> String {
    String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
  }
  _ = try parse(nested(128))
  #expect(throws: JSONError.tooDeep(offset: 128, limit: 128)) { try parse(nested(129)) }
  #expect(throws: JSONError.tooDeep(offset: 128, limit: 128)) {
    try parse(String(repeating: "[", count: 1_000_000))
  }
  #expect(throws: JSONError.tooDeep(offset: 10, limit: 2)) {
    try parse(#"{"a":{"b":{}}}"#, maximumDepth: 2)
  }
}

@Test func textAfterTheValueIsRefused() {
  #expect(throws: JSONError.trailingText(offset: 3)) { try parse("{} {}") }
  #expect(throws: JSONError.trailingText(offset: 2)) { try parse("1 x") }
  #expect(throws: JSONError.trailingText(offset: 2)) { try parse("{}\0") }
}

@Test(arguments: [
  "", " ", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "{\"a\"", "{\"a\":", "{\"a\":1",
  "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "{'a':1}", "{1:1}", "\"", "tru", "True", "nul", "]", "}", ":",
  "// comment\n1", "[1]//", "\u{FEFF}1", "[\u{A0}1]", "\u{C}1",
])
func textsThatTheGrammarLacksAreRefused(text: String) {
  #expect(throws: JSONError.self) { try parse(text) }
}

@Test func aSyntaxErrorSaysWhereAndWhatWasExpected() {
  #expect(
    throws: JSONError.syntax(offset: 6, expected: "a value", found: UInt8(ascii: "}"))
  ) { try parse(#"{"a": }"#) }
  #expect(throws: JSONError.syntax(offset: 5, expected: "a value", found: nil)) {
    try parse(#"{"a":"#)
  }
  let error = JSONError.syntax(offset: 6, expected: "a value", found: UInt8(ascii: "}"))
  #expect(error.description.contains("byte 6"))
  #expect(error.description.contains("a value is expected, “}” is found"))
}
