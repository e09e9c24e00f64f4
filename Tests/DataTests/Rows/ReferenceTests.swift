import Foundation
import JSON
import Jinja
import Support
import Testing

@testable import Data

/// The full reference set: SQuAD's rows as Automodel made tokens of them, with published tokenizers.
@Suite(.enabled(if: Support.reference != nil)) struct ReferenceTests {
  private struct Case {
    var folder: String
    /// What the configuration says beside the file's own.
    var configuration: [String: JSON] = [:]
    /// Whether the text begins with a token, as the tokenizer's file is changed to say.
    var begins = false
  }

  /// The folders of the tokenizers; the one of OPT is not there, that of Phi-3-vision is Phi-3's, which begins its
  /// texts with a token.
  private static let cases = [
    "falcon": Case(
      folder: "ortx__falcon-tokenizer__tokenizer",
      configuration: ["eos_token": .string("<|endoftext|>")]),
    "phi3": Case(folder: "ortx__phi-3-mini__tokenizer"),
    "phi3vision_bos": Case(
      folder: "ortx__phi-3-mini__tokenizer",
      configuration: [
        "add_bos_token": .bool(true), "eos_token": .string("</s>"), "pad_token": .string("</s>"),
      ],
      begins: true),
    "minimind_chat": Case(folder: "minimind__tokenizer"),
  ]

  private func tokenizer(_ item: Case) throws -> FolderTokenizer {
    let folder = Support.data("tokenizers/\(item.folder)")
    func text(_ name: String) throws -> String {
      try String(contentsOf: folder.appending(path: name), encoding: .utf8)
    }
    var data = try text("tokenizer.json")
    let bytes = (try? text("tokenizer_config.json")) ?? "{}"
    var configuration = try #require(try JSON(parsing: Array(bytes.utf8)).object)
    for (key, value) in item.configuration { configuration[key] = value }
    if item.begins {
      // As bytes: the vocabulary has pieces that are equal to Swift's strings.
      let start = try #require(data.utf8.firstRange(of: "\"post_processor\":".utf8))
      let end = try #require(data.utf8[start.upperBound...].firstRange(of: "\"decoder\":".utf8))
      data.replaceSubrange(
        start.upperBound..<end.lowerBound,
        with: """
          {"type": "TemplateProcessing",
           "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
           "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
           "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
          """)
    }
    return try Support.withTemporaryFolder { temporary in
      _ = try write(data, "tokenizer.json", in: temporary)
      _ = try write(JSON.object(configuration).serialized(), "tokenizer_config.json", in: temporary)
      return try FolderTokenizer(path: temporary.path)
    }
  }

  private func squad() throws -> Rows {
    let shared = try #require(Support.reference).deletingLastPathComponent()
    return try Rows([shared.appending(path: "data/squad/dev-v1.1.json").path])
  }

  @Test("SQuAD's own file holds its 10,570 questions")
  func squadDocument() throws {
    let rows = try squad()
    #expect(rows.count == 10_570)
    #expect(rows.kind == .question)
    for index in 0..<rows.count { _ = try rows.example(index) }
  }

  @Test("SQuAD's questions become Automodel's tokens and labels")
  func automodel() throws {
    let rows = try squad()
    var places: [String: Int] = [:]
    for index in 0..<rows.count {
      if let id = try rows.row(index)["id"]?.string { places[id] = index }
    }
    let reference = try Rows([Support.data("sft/automodel_squad.jsonl.gz").path])
    var tokenizers: [String: FolderTokenizer] = [:]
    var seen = 0
    for index in 0..<reference.count {
      let row = try reference.row(index)
      let name = try #require(row["tok"]?.string)
      guard let item = Self.cases[name] else { continue }
      let length = row["padding"]?.string == "max_length" ? row["seq_length"]?.integer : nil
      let tokenizer = try tokenizers[name] ?? self.tokenizer(item)
      tokenizers[name] = tokenizer
      let source = name.hasSuffix("_chat") ? tokenizer.tokenizer.templates.first?.text : nil
      let template = try source.map { try ChatTemplate($0, variables: tokenizer.templateVariables) }
      // What was filled up was cut as well.
      var options = FormatOptions(.automodel, length: length)
      options.automodel.truncates = length != nil
      let maker = try SampleMaker(tokenizer: tokenizer, template: template, options: options)
      let place = try #require(places[row["id"]?.string ?? ""])
      let end = try #require(tokenizer.end)
      let filler = tokenizer.padding ?? end
      // `pad_token_id or eos_token_id`: 0 is none.
      let made = try maker.sample(rows, place).automodelRow(
        length: length, filler: filler, last: filler == 0 ? end : filler)
      #expect(made.tokens == row["input_ids"]?.ids, "\(name) \(index)")
      #expect(made.labels == row["labels"]?.ids, "\(name) \(index)")
      seen += 1
    }
    #expect(seen == 160)
  }

  @Test("published templates are masked as Automodel masks them")
  func templates() throws {
    let recorded = try fixture("rows/templates.json")
    var tokenizers: [String: FolderTokenizer] = [:]
    var learnt = 0
    for item in try #require(recorded["cases"]?.array).compactMap(\.object) {
      let name = try #require(item["tokenizer"]?.string)
      let tokenizer =
        try tokenizers[name]
        ?? FolderTokenizer(path: Support.data("tokenizers/\(name)").path)
      tokenizers[name] = tokenizer
      let file = try #require(item["template"]?.string)
      let source = try String(contentsOf: Support.data("chat/\(file)"), encoding: .utf8)
      let chat = try #require(item["chat"]?.string)
      let messages = try #require(recorded["chats"]?.object?[chat]?.array)
      var options = FormatOptions(.automodel)
      options.automodel.masksReasoning = item["reasoning"]?.bool == true
      let maker = try SampleMaker(
        tokenizer: tokenizer,
        // The day on which Automodel's masks were recorded.
        template: ChatTemplate(
          source, variables: tokenizer.templateVariables, now: LocalTime(iso: "2026-11-21")),
        options: options)
      let made = Result {
        try maker.sample(
          .conversation(Conversation(messages: messages.compactMap(\.object))),
          row: { JSONObject() })
      }
      let place = "\(file) \(name) \(chat)"
      guard let count = item["count"]?.integer else {
        #expect(throws: (any Error).self, "\(place)") { try made.get() }
        continue
      }
      let row = try made.get().automodelRow(length: nil, filler: 0, last: 0)
      var mask = [Bool](repeating: false, count: count)
      for run in item["runs"]?.array ?? [] { mask.set(run.numbers[0]..<run.numbers[1]) }
      #expect(row.mask == mask, "\(place)")
      learnt += 1
    }
    #expect(learnt > 50)
  }
}
