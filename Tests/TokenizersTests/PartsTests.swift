import JSON
import Support
import Testing

@testable import Tokenizers

/// Tokenizers of one part each, held against what the Rust crate made of the same texts
/// (fixtures/generate_tokenizers.py).
struct PartsTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let file: [UInt8]
    let texts: [String]
    let answers: String
    let ids: [[Int32]]
    let decoded: String

    var testDescription: String { name }
  }

  static let cases: [Case] = {
    do {
      let file = Support.fixtures.appending(path: "tokenizers/parts.json").path
      guard let parts = try JSON(parsing: bytes(of: file)).object else { return [] }
      let texts = (parts["texts"]?.array ?? []).compactMap(\.string)
      return (parts["cases"]?.array ?? []).compactMap { element in
        guard let row = element.object, var tokenizer = row["file"]?.object,
          let model = row["model"]?.integer
        else { return nil }
        tokenizer["model"] = parts["models"]?.array?[model]
        if let added = row["added"]?.integer {
          tokenizer["added_tokens"] = parts["added"]?.array?[added]
        }
        let ids = (row["ids"]?.array ?? []).map { list in
          (list.array ?? []).compactMap { $0.integer.map(Int32.init) }
        }
        return Case(
          name: row["name"]?.string ?? "", file: JSON.object(tokenizer).serializedBytes(),
          texts: texts, answers: row["answers"]?.string ?? "", ids: ids,
          decoded: row["decoded"]?.string ?? "")
      }
    } catch { return [] }
  }()

  @Test func allPartsAreThere() {
    #expect(Self.cases.count == 196)
    #expect(Self.cases.allSatisfy { $0.texts.count == 16 && $0.answers.utf8.count == 64 })
  }

  @Test(arguments: cases)
  func tokensAndTheirPlacesAreTheCrates(_ part: Case) throws {
    let tokenizer = Tokenizer(try Pipeline(tokenizerJSON: part.file))
    for (index, text) in part.texts.enumerated() {
      let encoding = try tokenizer.encoding(text, addsSpecialTokens: true)
      let rows = zip(encoding.ids, encoding.ranges).map { id, range in
        "[\(id),\(range.lowerBound),\(range.upperBound)]"
      }
      let answer = "[\(rows.joined(separator: ","))]"
      let expected = part.answers.dropFirst(index * 4).prefix(4)
      #expect(fingerprint(answer) == expected, "\(text): \(answer)")
      #expect(try tokenizer.encode(text, addsSpecialTokens: true) == encoding.ids)
    }
  }

  @Test(arguments: cases.filter { !$0.ids.isEmpty })
  func decodedTextsAreTheCrates(_ part: Case) throws {
    let tokenizer = Tokenizer(try Pipeline(tokenizerJSON: part.file))
    for (index, ids) in part.ids.enumerated() {
      let text = try tokenizer.decode(ids)
      #expect(
        fingerprint(text) == part.decoded.dropFirst(index * 4).prefix(4), "\(ids): \(text)")
    }
  }

  /// The first 16 bits of the FNV-1a hash, in hexadecimal.
  private func fingerprint(_ text: String) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    let digits = String(hash >> 48, radix: 16)
    return String(repeating: "0", count: 4 - digits.utf8.count) + digits
  }
}
