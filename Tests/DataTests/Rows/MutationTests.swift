import Foundation
import JSON
import Support
import Testing

@testable import Data

/// Numbers that are the same in every run (SplitMix64).
private struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}

@Suite struct MutationTests {
  private static let seeds: [String] = [
    #"{"messages":[{"role":"user","content":[{"type":"text","text":"é"}]},{"role":"assistant","content":"b","tool_calls":[{"function":{"name":"f","arguments":{"x":1}}}]}],"tools":[{"type":"function"}]}"#,
    #"{"conversations":[{"from":"User","value":"a","label":"q:1"},{"from":"Assistant","value":"b"}],"mask":"User","system":"s","type":"VALUE_TO_TEXT"}"#,
    #"{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}],"tools":"[]"}"#,
    #"{"context":"abc","question":"q","answers":{"text":["b"],"answer_start":[1]}}"#,
    #"{"instruction":"i","input":"x","output":"o","history":[["a","b"]]}"#,
    #"{"prompt":"p","completion":"c"}"#, #"{"text":"t😀"}"#,
    #"{"input_ids":[1,2,3],"labels":[-100,2,3],"attention_mask":[1,1,1]}"#,
    #"{"data":[{"title":"t","paragraphs":[{"context":"abc","qas":[{"id":"1","question":"q","answers":[{"text":"b","answer_start":1}]}]}]}]}"#,
    #"[{"text":"a"},{"text":"b"}]"#,
  ]

  private static let pieces: [String] = [
    "{", "}", "[", "]", ",", ":", "\"", "\\", "\n", "null", "-1", "1e999", "99999999999999999999",
    "\u{0}",
    "\\ud800", "\"\"", "[]", "{}", "true", "\"role\":", "\"text\"", "{%", "<|end|>", "-100",
  ]

  private func mutated(_ seed: [UInt8], _ random: inout Seeded) -> [UInt8] {
    var bytes = seed
    for _ in 0...Int.random(in: 0..<2, using: &random) {
      let place = Int.random(in: 0...bytes.count, using: &random)
      let end = min(bytes.count, place + Int.random(in: 0..<8, using: &random))
      switch Int.random(in: 0..<5, using: &random) {
      case 0: bytes.removeSubrange(place..<end)
      case 1:
        let piece = Self.pieces[Int.random(in: 0..<Self.pieces.count, using: &random)]
        bytes.replaceSubrange(place..<end, with: Array(piece.utf8))
      case 2: if place < bytes.count { bytes[place] = UInt8.random(in: 0...255, using: &random) }
      case 3: bytes.insert(contentsOf: bytes[place..<end], at: place)
      default: bytes.removeSubrange(place...)
      }
    }
    return bytes
  }

  private static let values: [JSON] = [
    .null, .bool(true), .integer(-1), .integer(1 << 40), .number(0.5), .string(""),
    .string("assistant"),
    .string("b"), .array([]), .array([.integer(0)]), .object(JSONObject()),
  ]

  /// A value with a few of its parts exchanged, taken out or doubled.
  private func changed(_ value: JSON, _ random: inout Seeded) -> JSON {
    if Int.random(in: 0..<12, using: &random) == 0 {
      return Self.values[Int.random(in: 0..<Self.values.count, using: &random)]
    }
    switch value {
    case .array(let items):
      var result: [JSON] = []
      for item in items {
        let choice = Int.random(in: 0..<20, using: &random)
        if choice == 0 { continue }
        result.append(changed(item, &random))
        if choice == 1 { result.append(changed(item, &random)) }
      }
      return .array(result)
    case .object(let object):
      var result = JSONObject()
      for (key, item) in object.members where Int.random(in: 0..<20, using: &random) > 0 {
        result[key] = changed(item, &random)
      }
      return .object(result)
    default: return value
    }
  }

  @Test("changed rows are refused with a sentence, or become samples whose tokens and masks match")
  func rows() throws {
    let tokenizer = try demoTokenizer()
    let template = try ChatTemplate(
      "{% for m in messages %}{{ m.role }}: {{ m.content }}{% if m.role == 'assistant' %}{% generation %}{{ m.tool_calls }}<|end|>{% endgeneration %}{% endif %}{% endfor %}"
    )
    let makers = try FormatStyle.allCases.flatMap { style in
      try [nil, 5].map { length in
        var options = FormatOptions(style, length: length)
        options.automodel.truncates = true
        options.automodel.masksReasoning = true
        return try SampleMaker(
          tokenizer: tokenizer, template: length == nil ? template : nil, options: options)
      }
    }
    var random = Seeded(state: 20_261_121)
    var (accepted, refused) = (0, 0)
    try Support.withTemporaryFolder { folder in
      for round in 0..<400 {
        let seed = Array(Self.seeds[round / 2 % Self.seeds.count].utf8)
        let bytes =
          round % 2 == 0
          ? mutated(seed, &random)
          : changed(try JSON(parsing: seed), &random).serializedBytes()
        let path = try write(bytes, "row", in: folder)
        do {
          let rows = try Rows([path], limits: ReadingLimits(row: 4096))
          for index in 0..<rows.count {
            let sample = try makers[round / Self.seeds.count / 2 % makers.count].sample(rows, index)
            #expect(sample.tokens.count == sample.trained.count)
            accepted += 1
          }
        } catch let error as DataError {
          #expect(!error.description.isEmpty)
          refused += 1
        }
      }
    }
    #expect(accepted > 30)
    #expect(refused > 100)
  }

  @Test("changed containers are refused with a sentence, or hold rows")
  func containers() throws {
    var random = Seeded(state: 7)
    try Support.withTemporaryFolder { folder in
      for name in ["members.jsonl.gz", "frames.jsonl.zst"] {
        let url = Support.fixtures.appending(path: "rows/\(name)")
        let whole = Array(try Foundation.Data(contentsOf: url))
        for _ in 0..<150 {
          let path = try write(mutated(whole, &random), "file", in: folder)
          do {
            let scanner = try RowScanner(path, ReadingLimits(row: 1 << 20))
            var count = 0
            while try scanner.next() != nil { count += 1 }
            #expect(count < 1000)
          } catch let error as DataError { #expect(!error.description.isEmpty) }
        }
      }
    }
  }
}
