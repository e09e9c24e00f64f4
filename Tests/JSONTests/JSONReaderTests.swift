import Testing

@testable import JSON

/// The reader that takes a text apart without building it.
struct JSONReaderTests {
  @Test func membersComeOneByOneUnderTheBytesOfTheirNames() throws {
    var reader = JSONReader(Array(#" {"\u00e9": 1, "e\u0301": [true, null], "s": "x\ny"} "#.utf8))
    var names: [[UInt8]] = []
    try reader.beginObject()
    while try reader.nextName() {
      names.append(reader.name)
      switch names.count {
      case 1: #expect(try reader.number() == .integer(1))
      case 2: try reader.skip()
      default:
        var text = Array("> ".utf8)
        try reader.string(into: &text)
        #expect(text == Array("> x\ny".utf8))
      }
    }
    try reader.finish()
    #expect(names == [[0xC3, 0xA9], [0x65, 0xCC, 0x81], [0x73]])
  }

  @Test func whatIsSkippedIsReadAsStrictly() throws {
    for text in [#"[1,]"#, #"{"a" 1}"#, #"["\ud800"]"#, "[01]", "[[1,2],{\"a\":[}]]", "[1", "nul"] {
      #expect(throws: JSONError.self) {
        var reader = JSONReader(Array(text.utf8))
        try reader.skip()
        try reader.finish()
      }
      #expect(throws: JSONError.self) { try JSON(parsing: Array(text.utf8)) }
    }
    var reader = JSONReader(Array(#"{"a":[{},[],"x",-1.5e3],"b":{"c":[[]]}} "#.utf8))
    try reader.skip()
    try reader.finish()
  }

  @Test func valuesOfAnotherKindAreRefusedWithTheirPlace() {
    var reader = JSONReader(Array(" [1]".utf8))
    #expect(throws: JSONError.syntax(offset: 1, expected: "an object", found: 0x5B)) {
      try reader.beginObject()
    }
    #expect(throws: JSONError.syntax(offset: 1, expected: "a string", found: 0x5B)) {
      _ = try reader.string()
    }
  }

  @Test func skippingIsBoundedInDepth() {
    var reader = JSONReader([UInt8](repeating: 0x5B, count: 100_000))
    #expect(throws: JSONError.tooDeep(offset: 128, limit: 128)) { try reader.skip() }
  }
}
