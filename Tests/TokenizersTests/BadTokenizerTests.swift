import JSON
import Testing

@testable import Tokenizers

/// What is wrong in a tokenizer.json is said, with its place.
struct BadTokenizerTests {
  private func fault(_ json: String) -> TokenizerFault? {
    do throws(TokenizerFault) {
      _ = try Pipeline(tokenizerJSON: Array(json.utf8))
      return nil
    } catch { return error }
  }

  private func model(_ vocabulary: String, _ merges: String = "[]", _ more: String = "") -> String {
    #"{"model":{"type":"BPE","vocab":\#(vocabulary),"merges":\#(merges)\#(more)}}"#
  }

  private func words(_ more: String) -> String {
    #"{"model":{"type":"WordLevel","vocab":{"<unk>":0},"unk_token":"<unk>"},\#(more)}"#
  }

  @Test func twoPiecesMayNotShareAnID() {
    #expect(fault(model(#"{"a":0,"b":0}"#)) == .repeatedID(0, "a", "b"))
  }

  @Test func aPieceMayNotComeTwice() {
    #expect(fault(model(#"{"a":0,"\u0061":1}"#)) == .repeatedPiece("a", 0, 1))
  }

  @Test func canonicallyEquivalentPiecesAreTwo() {
    #expect(fault(model(#"{"\u00e9":0,"e\u0301":1}"#)) == nil)
  }

  @Test(arguments: ["-1", "2147483647", "99999999999999999999", "1.5", "1e3"])
  func anIDMustBeAWholeNumberInRange(_ id: String) {
    guard case .idOutOfRange("a", _) = fault(model(#"{"a":\#(id)}"#)) else {
      Issue.record("\(String(describing: fault(model(#"{"a":\#(id)}"#))))")
      return
    }
  }

  @Test func aFarIDCostsNoTable() throws {
    let pipeline = try Pipeline(tokenizerJSON: Array(model(#"{"a":2147483646}"#).utf8))
    #expect(pipeline.size == 2_147_483_647)
    #expect(try Tokenizer(pipeline).encode("aa") == [2_147_483_646, 2_147_483_646])
  }

  @Test func aMergeNeedsItsPartsAndItsResult() {
    let pieces = #"{"a":0,"b":1,"ab":2}"#
    #expect(fault(model(pieces, #"["a b"]"#)) == nil)
    #expect(fault(model(pieces, #"[["a","b"]]"#)) == nil)
    #expect(
      fault(model(pieces, #"["a b","a c"]"#))
        == .merge(number: 2, left: "a", right: "c", missing: "c"))
    #expect(
      fault(model(pieces, ##"["#version: 0.2","b a"]"##))
        == .merge(number: 1, left: "b", right: "a", missing: "ba"))
    // Out of order: the parts of a merge may come from a later one, as in the crate.
    #expect(fault(model(#"{"a":0,"b":1,"ab":2,"abb":3}"#, #"["ab b","a b"]"#)) == nil)
  }

  @Test(arguments: [#"["a"]"#, #"["a b c"]"#, #"[["a"]]"#, #"[["a","b","c"]]"#, "[1]", "[[1,2]]"])
  func aMergeIsTwoPieces(_ merges: String) {
    guard case .malformedMerge(number: 1, _) = fault(model(#"{"a":0}"#, merges)) else {
      Issue.record("\(String(describing: fault(model(#"{"a":0}"#, merges))))")
      return
    }
  }

  @Test func loneSurrogatesAndBadUTF8AreRefusedWithTheirPlace() {
    #expect(fault(model(#"{"\ud800":0}"#)) == .json(.loneSurrogate(offset: 33)))
    var bytes = Array(model(#"{"a":0}"#).utf8)
    bytes[33] = 0xFF
    #expect(throws: TokenizerFault.json(.invalidUTF8(offset: 33))) {
      try Pipeline(tokenizerJSON: bytes)
    }
  }

  @Test func nestingIsBounded() {
    let deep = String(repeating: #"{"type":"Sequence","normalizers":["#, count: 200)
    guard case .json(.tooDeep) = fault(#"{"normalizer":\#(deep)"#) else {
      Issue.record("nesting without end was taken")
      return
    }
    guard case .json(.tooDeep) = fault(#"{"more":\#(String(repeating: "[", count: 100_000))"#)
    else {
      Issue.record("nesting without end was taken")
      return
    }
  }

  @Test func unknownKindsAreNamed() {
    guard
      case .unknownKind("Magic", at: "pre_tokenizer.pretokenizers[0]", _) = fault(
        words(#""pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Magic"}]}"#))
    else {
      Issue.record("an unknown kind was taken")
      return
    }
    #expect(
      fault(words(#""normalizer":{"type":"Prepend"}"#)) == .missing("prepend", in: "normalizer"))
    #expect(
      fault(words(#""decoder":{"type":"Strip","content":"ab","start":0,"stop":0}"#))
        == .value(
          at: "decoder.content", expected: "a string of one character", found: #""ab""#))
  }

  @Test(arguments: [
    ("(", "a bracket is not closed"), ("a)", "a bracket closes nothing"),
    ("[a", "a set is not closed"), ("*a", "there is nothing to repeat"),
    ("a\\", "a backslash ends the pattern"), ("(?s)a", "the option “s” is not known here"),
    (#"\p{Klingon}"#, "unknown property after \\P or \\p"), (#"\X"#, "“\\X” is not known here"),
    ("(*FAIL)", "callouts and verbs are not known here"), ("[b-a]", "a range goes backwards"),
    (#"(?<=a+)b"#, "lookbehind assertion is not fixed length"),
    ("a{3,1}", "the repetition goes from 3 to 1"),
  ])
  func patternsThatCannotBeUsedAreRefused(_ pattern: String, _ reason: String) {
    let json = JSON.string(pattern).serialized()
    let found = fault(
      words(
        #""pre_tokenizer":{"type":"Split","pattern":{"Regex":\#(json)},"behavior":"Isolated","invert":false}"#
      ))
    guard case .pattern(pattern, at: "pre_tokenizer.pattern.Regex", _, reason) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
  }

  @Test func nestedGroupsAndSetsAreBounded() {
    for text in [String(repeating: "(", count: 10_000), String(repeating: "[", count: 10_000)] {
      #expect(throws: TokenizerFault.self) { try Regex(text, .oniguruma, at: "") }
    }
  }

  @Test func aPatternThatBacktracksForEverIsGivenUp() throws {
    let json = words(
      #""pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a|aa|aaa)+$"},"behavior":"Isolated","invert":false}"#
    )
    let tokenizer = Tokenizer(try Pipeline(tokenizerJSON: Array(json.utf8)))
    let text = String(repeating: "a", count: 5_000) + "b"
    #expect(throws: TokenizerError.patternGaveUp(pattern: "(a|aa|aaa)+$", offset: 0)) {
      try tokenizer.encode(text)
    }
  }

  @Test func replacementsMayNotGrowWithoutEnd() throws {
    let part = #"{"type":"Replace","pattern":{"String":"a"},"content":"aa"}"#
    let parts = [String](repeating: part, count: 60).joined(separator: ",")
    let json =
      #"{"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"},"#
      + #""normalizer":{"type":"Sequence","normalizers":[\#(parts)]},"#
      + #""decoder":{"type":"Sequence","decoders":[\#(parts)]}}"#
    let tokenizer = Tokenizer(try Pipeline(tokenizerJSON: Array(json.utf8)))
    let limit = (1 << 20) + 64
    #expect(throws: TokenizerError.textGrows(limit: limit)) { try tokenizer.encode("a") }
    #expect(throws: TokenizerError.textGrows(limit: limit)) { try tokenizer.decode([0]) }
  }

  @Test func textsMustBeUTF8() throws {
    let tokenizer = Tokenizer(try Pipeline(tokenizerJSON: Array(words(#""version":"1.0""#).utf8)))
    for (text, offset) in [
      ([0x61, 0xFF], 1), ([0xC0, 0x80], 0), ([0xED, 0xA0, 0x80], 0), ([0x61, 0xF0, 0x9F], 1),
    ] as [([UInt8], Int)] {
      #expect(throws: TokenizerError.invalidText(offset: offset)) { try tokenizer.encode(text) }
    }
    #expect(throws: TokenizerError.unknownID(7, size: 1)) { try tokenizer.decode([7]) }
    #expect(throws: TokenizerError.unknownID(-1, size: 1)) { try tokenizer.decode([-1]) }
  }

  @Test func everySentenceNamesItsPlace() {
    let fault = TokenizerFault.merge(number: 3, left: "a", right: "b", missing: "ab")
    #expect(
      TokenizerError.content(file: "t.json", fault).description
        == "t.json: merge 3, “a” and “b”, needs the piece “ab”, which the vocabulary lacks.")
  }
}
