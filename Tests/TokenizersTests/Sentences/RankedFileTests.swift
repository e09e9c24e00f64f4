import Foundation
import Support
import Testing

@testable import Tokenizers

@Suite struct RankedFileTests {
  private func lines(_ text: String) -> TokenizerFault? {
    do throws(TokenizerFault) {
      _ = try RankedTokens.model(TiktokenFile(Array(text.utf8)).tokens)
      return nil
    } catch { return error }
  }

  private var bytes: String {
    (0..<256).map { Data([UInt8($0)]).base64EncodedString() + " \($0)\n" }.joined()
  }

  @Test func allBytesAreEnough() { #expect(lines(bytes) == nil) }

  @Test(arguments: [
    "aGVsbG8", "aGVsbG8=", "aGVsbG8= x", "aGVsbG8= -1", "a*== 300", "aGVsbG8 300", "= 300",
    "aGVs=G8= 300",
    "aGVsbG8= 99999999999",
  ])
  func aLineThatIsNoneIsToldWithItsNumber(_ line: String) throws {
    guard case .line(257, _, let found) = lines(bytes + line + "\n") else {
      Issue.record("\(String(describing: lines(bytes + line)))")
      return
    }
    #expect(found.contains(line.prefix(20)))
  }

  @Test func ranksAndTokensTwiceAndMissingBytesAreRefused() {
    #expect(lines(bytes + "aGVsbG8= 7\n") != nil)
    #expect(lines(bytes + "aGVsbG8= 300\naGVsbG8= 301\n") == .repeatedPiece("hello", 300, 301))
    #expect(lines("aGVsbG8= 0\n") == .missing("a token for the byte 0", in: "vocabulary"))
    // Ranks may leave places out, for tokens that stand elsewhere.
    #expect(lines(bytes + "\r\naGVsbG8= 999\r\n\n") == nil)
  }

  @Test func aBareFileWithoutAPatternAsksForIt() throws {
    let path = try SentenceCases.file("ranks.tiktoken").path
    let error = #expect(throws: TokenizerError.needsPattern(file: path)) {
      try Tokenizer(path: path)
    }
    #expect(error?.description.contains("--pattern") == true)
  }

  @Test func base64IsReadStrictly() {
    for count in 0..<40 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
      #expect(Base64.bytes(Array(Data(bytes).base64EncodedString().utf8)) == bytes)
    }
    for text in ["A", "AA", "AAA", "A===", "====", "AA=A", "AA==AAAA", "AA\n=", "AA-_"] {
      #expect(Base64.bytes(Array(text.utf8)) == nil, "\(text)")
    }
  }

  // MARK: tekken.json

  private func tekken(_ change: (inout [String: Any]) -> Void) throws -> TokenizerFault? {
    let data = try Data(contentsOf: URL(filePath: SentenceCases.file("tekken.json").path))
    var object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    change(&object)
    let bytes = Array(try JSONSerialization.data(withJSONObject: object))
    do throws(TokenizerFault) {
      _ = try TekkenFile(bytes)
      return nil
    } catch { return error }
  }

  @Test func specialTokensComeFirstAndAreNotFoundInTexts() throws {
    let tokenizer = try SentenceCases.file("tekken.json").tokenizer()
    #expect(tokenizer.special.bos == SpecialTokens.Token(text: "<s>", id: 1))
    #expect(tokenizer.token(3) == "[INST]")
    #expect(tokenizer.token(11) == "<SPECIAL_11>")
    #expect(try tokenizer.encode("<s>").allSatisfy { $0 >= 12 })
    #expect(try tokenizer.decode([1, 3]) == "<s>[INST]")
  }

  @Test func tekkenFilesThatContradictThemselvesAreRefused() throws {
    #expect(try tekken { _ in } == nil)
    #expect(try tekken { $0["config"] = nil } == .missing("config", in: "tekken.json"))
    #expect(try tekken { $0["vocab"] = nil } == .missing("vocab", in: "tekken.json"))
    func configuration(_ key: String, _ value: Any?) throws -> TokenizerFault? {
      try tekken { object in
        var inner = object["config"] as? [String: Any] ?? [:]
        inner[key] = value
        object["config"] = inner
      }
    }
    #expect(try configuration("pattern", nil) == .missing("pattern", in: "config"))
    #expect(try configuration("default_vocab_size", 100_000) != nil)
    #expect(try configuration("default_vocab_size", 3) != nil)
    #expect(try configuration("default_num_special_tokens", -1) != nil)
    #expect(try configuration("default_num_special_tokens", 2) != nil)
    func token(_ key: String, _ value: Any?) throws -> TokenizerFault? {
      try tekken { object in
        var list = object["vocab"] as? [[String: Any]] ?? []
        list[7][key] = value
        object["vocab"] = list
      }
    }
    #expect(try token("rank", 8) != nil)
    #expect(try token("token_bytes", "***") != nil)
    #expect(try token("token_bytes", nil) == .missing("token_bytes", in: "vocab[7]"))
  }
}
