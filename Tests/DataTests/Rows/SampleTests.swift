import Foundation
import JSON
import Support
import Testing

@testable import Data

/// What Automodel and Megatron-Bridge made of the same rows with the demo's tokenizer.
private let recorded = Result { try fixture("rows/samples.json") }

/// The demo's tokenizer, as `generate_samples.py` varies it.
func demoTokenizer(begins: Bool = false, configured: Bool? = nil) throws -> FolderTokenizer {
  try (configured == true ? demo.configured : begins ? demo.begins : demo.plain).get()
}

/// Each is read once.
private let demo = (
  plain: Result { try readDemo() }, begins: Result { try readDemo(begins: true) },
  configured: Result { try readDemo(begins: true, configured: true) }
)

private func readDemo(begins: Bool = false, configured: Bool? = nil) throws -> FolderTokenizer {
  try Support.withTemporaryFolder { folder in
    var data = try fixture("demo/tokenizer.json")
    if begins {
      data["post_processor"] = try JSON(
        parsing: Array(
          """
          {"type": "TemplateProcessing",
           "single": [{"SpecialToken": {"id": "<|begin|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
           "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
           "special_tokens": {"<|begin|>": {"id": "<|begin|>", "ids": [0], "tokens": ["<|begin|>"]}}}
          """.utf8))
    }
    var configuration = try fixture("demo/tokenizer_config.json")
    if let configured { configuration["add_bos_token"] = .bool(configured) }
    _ = try write(JSON.object(data).serialized(), "tokenizer.json", in: folder)
    _ = try write(JSON.object(configuration).serialized(), "tokenizer_config.json", in: folder)
    return try FolderTokenizer(path: folder.path)
  }
}

extension JSON {
  /// A string of zeros and ones.
  var bits: [Bool] { (string ?? "").map { $0 == "1" } }
  var ids: [Int32] { numbers.map { Int32($0) } }
}

extension PaddedRow {
  /// The labels that count.
  var learnt: [Int32] { labels.filter { $0 != -100 } }
}

@Suite struct SampleTests {
  private func cases(_ name: String) throws -> [JSONObject] {
    try #require(recorded.get()[name]?.array).compactMap(\.object)
  }

  /// Rows of the fixture in a file.
  private func rows(_ name: String, in folder: URL) throws -> Rows {
    let list = try #require(recorded.get()[name])
    return try Rows([write(list.serialized(), name + ".json", in: folder)])
  }

  @Test("SQuAD's rows become the tokens and labels that Automodel makes")
  func automodel() throws {
    try Support.withTemporaryFolder { folder in
      let rows = try rows("questions", in: folder)
      for item in try cases("automodel") {
        let tokenizer = try demoTokenizer(
          begins: item["begins"]?.bool == true, configured: item["configured"]?.bool)
        var options = FormatOptions(.automodel, length: item["length"]?.integer)
        options.automodel.truncates = item["truncates"]?.bool == true
        let maker = try SampleMaker(tokenizer: tokenizer, options: options)
        let index = try #require(["a", "b", "c"].firstIndex(of: item["row"]?.string))
        let end = try #require(tokenizer.end)
        let row = try maker.sample(rows, index).automodelRow(
          length: item["pads"]?.bool == true ? item["length"]?.integer : nil, filler: end, last: end
        )
        #expect(row.tokens == item["ids"]?.ids)
        #expect(row.mask == item["marks"]?.bits)
        #expect(row.learnt == item["learnt"]?.ids)
      }
    }
  }

  private func bridge(_ item: JSONObject) throws -> FormatOptions {
    let given = try #require(item["options"]?.object)
    var options = FormatOptions(
      .bridge, trained: given["answer_only_loss"]?.bool == false ? .all : .assistant,
      length: given["max_seq_length"]?.integer)
    options.bridge.addsBegin = given["add_bos"]?.bool ?? false
    options.bridge.addsEnd = given["add_eos"]?.bool ?? true
    options.bridge.addsSeparator = given["add_sep"]?.bool ?? false
    options.bridge.separator = given["sep_id"]?.integer.map { Int32($0) }
    options.bridge.promptTemplate = item["template"]?.string
    options.bridge.label = "output"
    options.bridge.truncationFields = (given["truncation_field"]?.string ?? "").split(
      separator: ","
    ).map(String.init)
    options.bridge.truncation = given["truncation_method"]?.string == "left" ? .left : .right
    return options
  }

  @Test("rows become the tokens and masks of Megatron-Bridge's GPTSFTDataset, whatever it is told")
  func bridge() throws {
    try Support.withTemporaryFolder { folder in
      for item in try cases("bridge") {
        let rows = try rows(try #require(item["rows"]?.string), in: folder)
        let tokenizer = try demoTokenizer(begins: item["begins"]?.bool == true)
        let maker = try SampleMaker(tokenizer: tokenizer, options: bridge(item))
        for (index, expected) in try #require(item["samples"]?.array).enumerated() {
          let sample = try maker.sample(rows, index)
          #expect(
            sample.tokens == expected.object?["ids"]?.ids,
            "\(item["template"]?.string ?? "") \(index)")
          #expect(sample.trained == expected.object?["mask"]?.bits)
        }
      }
    }
  }

  @Test("batches are filled up as GPTSFTDataset fills them")
  func collation() throws {
    try Support.withTemporaryFolder { folder in
      for item in try cases("collated") {
        let rows = try rows(try #require(item["rows"]?.string), in: folder)
        let tokenizer = try demoTokenizer(begins: item["begins"]?.bool == true)
        let options = try bridge(item)
        let maker = try SampleMaker(tokenizer: tokenizer, options: options)
        let samples = try (0..<rows.count).map { try maker.sample(rows, $0) }
        let batch = Sample.bridgeRows(
          samples, filler: try #require(tokenizer.end), limit: try #require(options.length))
        #expect(batch.map(\.tokens) == item["tokens"]?.array?.map(\.ids))
        #expect(batch.map(\.labels) == item["labels"]?.array?.map(\.ids))
        #expect(batch.map(\.mask) == item["loss_mask"]?.array?.map { $0.numbers.map { $0 == 1 } })
      }
    }
  }

  @Test("NeMo's turns with masked roles become the tokens and masks of its chat data set")
  func maskedTurns() throws {
    try Support.withTemporaryFolder { folder in
      for item in try cases("masked") {
        let row = try #require(item["row"])
        let rows = try Rows([write(row.serialized(), "row.jsonl", in: folder)])
        #expect(rows.kind == .maskedConversations)
        let tokenizer = try demoTokenizer(begins: item["begins"]?.bool == true)
        let maker = try SampleMaker(tokenizer: tokenizer, options: FormatOptions(.bridge))
        let sample = try maker.sample(rows, 0)
        #expect(sample.tokens == item["ids"]?.ids)
        #expect(sample.trained == item["mask"]?.bits, "\(row.serialized())")
      }
    }
  }

  private func chat(_ item: JSONObject) throws -> Conversation {
    let name = try #require(item["chat"]?.string)
    let messages = try #require(recorded.get()["chats"]?.object?[name]?.array)
    return Conversation(messages: messages.compactMap(\.object))
  }

  private func maker(_ item: JSONObject, _ options: FormatOptions) throws -> SampleMaker {
    let name = try #require(item["template"]?.string)
    let source = try #require(recorded.get()["templates"]?.object?[name]?.string)
    let tokenizer = try demoTokenizer()
    return try SampleMaker(
      tokenizer: tokenizer,
      template: ChatTemplate(source, variables: tokenizer.templateVariables), options: options)
  }

  private func sample(_ item: JSONObject, _ options: FormatOptions) throws -> Sample {
    try maker(item, options).sample(.conversation(chat(item)), row: { JSONObject() })
  }

  @Test("conversations are masked as Automodel masks them, with and without marks in the template")
  func automodelChat() throws {
    var seen = 0
    for item in try cases("automodel chat") {
      let given = try #require(item["options"]?.object)
      let trainsAll = given["answer_only_loss_mask"]?.bool == false
      // With marks the peer learns what is marked, whatever it is told; here everything is everything.
      if trainsAll, item["template"]?.string == "marked" { continue }
      var options = FormatOptions(
        .automodel, trained: trainsAll ? .all : .assistant, length: given["seq_length"]?.integer)
      options.automodel.truncates = given["truncation"]?.bool == true
      options.automodel.masksReasoning = given["mask_reasoning_content"]?.bool == true
      options.automodel.masksGenerationPrompt = given["mask_generation_prompt"]?.bool == true
      seen += 1
      if item["error"] != nil {
        #expect(throws: RowFaultOrData.self) { try sample(item, options) }
        continue
      }
      let row = try sample(item, options).automodelRow(length: nil, filler: 1, last: 1)
      #expect(row.mask == item["marks"]?.bits, "\(JSON.object(item).serialized())")
      if let ids = item["ids"]?.ids {
        #expect(row.tokens == ids)
        #expect(row.learnt == item["learnt"]?.ids)
      }
    }
    #expect(seen > 30)
  }

  @Test("conversations are masked as Megatron-Bridge masks them")
  func bridgeChat() throws {
    for item in try cases("bridge chat") {
      let sample = try sample(item, FormatOptions(.bridge))
      #expect(sample.trained == item["mask"]?.bits, "\(JSON.object(item).serialized())")
      #expect(Array(sample.tokens.suffix(2)) == item["end"]?.ids)
    }
  }

  @Test("of several turns the last alone is learnt when it is asked for")
  func lastTurn() throws {
    for name in ["marked", "unmarked"] {
      let item: JSONObject = ["template": .string(name), "chat": .string("talk")]
      let all = try sample(item, FormatOptions(.automodel))
      let last = try sample(item, FormatOptions(.automodel, trained: .last))
      #expect(last.tokens == all.tokens)
      let start = try #require(last.trained.firstIndex(of: true))
      #expect(last.trained[start...] == all.trained[start...])
      #expect(all.trained[..<start].contains(true))
      #expect(!all.trained[start - 1])
    }
  }

  @Test("of a prompt and a completion given as messages the completion is learnt")
  func splitConversation() throws {
    let messages: [JSONObject] = [
      ["role": .string("user"), "content": .string("a")],
      ["role": .string("assistant"), "content": .string("b")],
      ["role": .string("user"), "content": .string("c")],
      ["role": .string("assistant"), "content": .string("d")],
    ]
    let item: JSONObject = ["template": .string("unmarked")]
    let maker = try maker(item, FormatOptions(.automodel))
    func sample(_ count: Int?) throws -> Sample {
      try maker.sample(
        .conversation(Conversation(messages: messages, promptCount: count)), row: { JSONObject() })
    }
    let all = try sample(nil)
    let part = try sample(3)
    #expect(part.tokens == all.tokens)
    #expect(part.trainedCount > 0 && part.trainedCount < all.trainedCount)
    #expect(part.trained.lastIndex(of: true) == all.trained.lastIndex(of: true))
  }

  @Test("a system message that a template does not know is put before the user's first")
  func systemMessages() throws {
    let source =
      "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
      + "{{ m.role + ': ' + m.content + '\n' }}{% endfor %}"
    let tokenizer = try demoTokenizer()
    let maker = try SampleMaker(
      tokenizer: tokenizer, template: ChatTemplate(source), options: FormatOptions(.automodel))
    let messages: [JSONObject] = [
      ["role": .string("system"), "content": .string("S")],
      ["role": .string("user"), "content": .string("U")],
      ["role": .string("assistant"), "content": .string("A")],
    ]
    let sample = try maker.sample(
      .conversation(Conversation(messages: messages)), row: { JSONObject() })
    #expect(try tokenizer.tokenizer.decode(sample.tokens) == "user: S\nU\nassistant: A\n")
    let learnt = zip(sample.tokens, sample.trained).filter(\.1).map(\.0)
    #expect(try tokenizer.tokenizer.decode(learnt) == "assistant: A\n")
  }

  @Test("conversations with tools go through the template that a model ships for them")
  func toolTemplates() throws {
    let template = try ChatTemplate("plain", tools: "tools: {{ tools | length }}")
    #expect(try template.render([]).text == "plain")
    #expect(try template.render([], tools: .array([.integer(1)])).text == "tools: 1")
  }
}
