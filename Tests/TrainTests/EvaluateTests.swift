import Foundation
import HDF5
import Support
import Testing

/// `train evaluate`: losses, and answers with their marks.
@Suite struct EvaluateTests {
  private func evaluate(_ arguments: [String]) throws -> [String: Any] {
    let outcome = try program.run(["evaluate", "--json", "--dtype", "float32"] + arguments)
    #expect(outcome.status == 0, "\(outcome.error)")
    return try outcome.object
  }

  private func number(_ object: [String: Any], _ key: String) throws -> Double {
    try #require(object[key] as? Double, "\(key)")
  }

  /// Rows of tokens, and the same as a batch for a capture.
  private static let rows: [(ids: [Int], labels: [Int])] = [
    ([1, 5, 9, 4, 7, 3, 20, 2], [-100, -100, 9, 4, -100, 3, 20, 2]),
    ([2, 8, 40, 41, 42, 3, 3, 1], [-100, 8, 40, -100, -100, -100, -100, -100]),
  ]

  private func write(_ rows: [(ids: [Int], labels: [Int])], to file: URL) throws {
    let lines = rows.map { "{\"input_ids\": \($0.ids), \"labels\": \($0.labels)}\n" }
    try Data(lines.joined().utf8).write(to: file)
  }

  @Test func theLossIsTheCaptures() throws {
    try Support.withTemporaryFolder { folder in
      let (file, inputs) = (
        folder.appending(path: "rows.jsonl"), folder.appending(path: "in.safetensors")
      )
      try write(Self.rows, to: file)
      try writeInputs(
        [
          "input_ids": ([2, 8], Self.rows.flatMap(\.ids).map(Int64.init)),
          "labels": ([2, 8], Self.rows.flatMap(\.labels).map(Int64.init)),
        ], to: inputs)
      let output = folder.appending(path: "out.h5").path
      let captured = try program.run([
        "capture", "--model", llama, "--inputs", inputs.path, "--output", output, "--json",
      ])
      let expected = try number(captured.object, "loss")
      let data = ["--model", llama, "--data", file.path, "--tokenizer", demo]
      let found = try evaluate(data)
      #expect(abs(try number(found, "loss") - expected) < 1e-5)
      #expect(abs(try number(found, "perplexity") - exp(expected)) < 1e-2)
      #expect(found["labels"] as? Int == 7 && found["samples"] as? Int == 2)
      // One sample at a time is the same but for the rounding of other products.
      let apart = try evaluate(data + ["--batch-tokens", "1"])
      #expect(abs(try number(apart, "loss") - expected) < 1e-5)
      let one = try evaluate(data + ["--limit", "1"])
      #expect(one["labels"] as? Int == 5)
    }
  }

  @Test func eachSamplesLossIsWritten() throws {
    try Support.withTemporaryFolder { folder in
      let (file, losses) = (
        folder.appending(path: "rows.jsonl"), folder.appending(path: "losses.jsonl")
      )
      try write(Self.rows + [([7], [7])] + Self.rows, to: file)
      let found = try evaluate([
        "--model", llama, "--data", file.path, "--tokenizer", demo, "--sample-losses", losses.path,
      ])
      struct Line: Decodable {
        var index: Int
        var loss: Double?
        var labels: Int
        var tokens: Int
      }
      let lines = try String(contentsOf: losses, encoding: .utf8).split(separator: "\n").map {
        try JSONDecoder().decode(Line.self, from: Data($0.utf8))
      }
      #expect(lines.map(\.index) == [0, 1, 2, 3, 4])
      #expect(lines.map(\.labels) == [5, 2, 0, 5, 2] && lines.map(\.tokens) == [8, 8, 1, 8, 8])
      #expect(lines[2].loss == nil)
      let nats = lines.reduce(0) { $0 + ($1.loss ?? 0) * Double($1.labels) }
      #expect(abs(nats / 14 - (try number(found, "loss"))) < 1e-9)
    }
  }

  @Test func runningTextIsEveryTokenOnce() throws {
    let corpus = Support.fixtures.appending(path: "indexed/corpus_text_document")
    let whole = try evaluate(["--model", demo, "--data", corpus.path, "--max-length", "64"])
    let cut = try evaluate(["--model", demo, "--data", corpus.path + ".bin", "--max-length", "50"])
    #expect(try #require(whole["labels"] as? Int) > 100)
    #expect(whole["labels"] as? Int == cut["labels"] as? Int)
    #expect(try #require(cut["samples"] as? Int) > (try #require(whole["samples"] as? Int)))
  }

  @Test func aConfigurationsDataAreTaken() throws {
    try Support.withTemporaryFolder { folder in
      let corpus = Support.fixtures.appending(path: "indexed/corpus_text_document").path
      let file = folder.appending(path: "run.yaml")
      let lines = [
        "dataset:", "  blend: [[\(corpus)], null]", "  split: \"1,0,0\"", "  sequence_length: 64",
        "  random_seed: 7",
      ]
      try Data(lines.joined(separator: "\n").utf8).write(to: file)
      let blend = try evaluate([file.path, "--model", demo])
      let plain = try evaluate(["--model", demo, "--data", corpus, "--max-length", "64"])
      // Training's windows leave the rest out that fills none.
      let labels = try #require(blend["labels"] as? Int)
      let all = try #require(plain["labels"] as? Int)
      #expect(labels > 0 && labels % 64 == 0 && labels <= all)
      let rows = folder.appending(path: "automodel.yaml")
      let squad = Support.fixtures.appending(path: "rows/squad.json").path
      let target = "nemo_automodel.components.datasets.llm.squad.make_squad_dataset"
      try Data(
        "dataset:\n  _target_: \(target)\n  dataset_name: \(squad)\n  split: train[:1]\n".utf8
      ).write(to: rows)
      let one = try evaluate([rows.path, "--model", demo, "--no-answers"])
      #expect(one["samples"] as? Int == 1)
    }
  }

  // MARK: Answers

  private static let squad = """
    {"version": "1.1", "data": [{"title": "t", "paragraphs": [
      {"context": "The cat sat on the mat.", "qas": [
        {"id": "q1", "question": "Who sat?", "answers": [{"text": "The cat", "answer_start": 0}]},
        {"id": "q2", "question": "Where?", "answers": [{"text": "on the mat", "answer_start": 12}]}]},
      {"context": "It rains in Oslo.", "qas": [
        {"id": "q3", "question": "Where does it rain?", "answers": [{"text": "Oslo", "answer_start": 12}]}]}]}]}
    """

  private func predictions(_ style: String, _ more: [String] = []) throws -> (
    found: [String: Any], texts: [String: String]
  ) {
    try Support.withTemporaryFolder { folder in
      let (data, file) = (folder.appending(path: "squad.json"), folder.appending(path: "said.json"))
      try Data(Self.squad.utf8).write(to: data)
      let found = try evaluate(
        [
          "--model", demo, "--data", data.path, "--style", style, "--predictions", file.path,
          "--max-new-tokens", "6",
        ] + more)
      let said = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
      return (found, try #require(said as? [String: String]))
    }
  }

  /// The answer is what the model generates behind the prompt that training has.
  @Test func answersFollowThePromptOfTheStyle() throws {
    let (found, texts) = try predictions("bridge")
    #expect(Set(texts.keys) == ["q1", "q2", "q3"])
    #expect(found["questions"] as? Int == 3)
    let continued = try program.run([
      "generate", "--model", demo, "--dtype", "float32", "--max-new-tokens", "6", "--json",
      "--prompt", "Context: The cat sat on the mat. Question: Who sat? Answer:",
    ])
    let text = try #require(try continued.object["text"] as? String)
    #expect(
      texts["q1"] == text.components(separatedBy: "\n")[0].trimmingCharacters(in: .whitespaces))
    let chat = try predictions("automodel")
    let asked = try program.run([
      "generate", "--model", demo, "--dtype", "float32", "--max-new-tokens", "6", "--json",
      "--chat", "--prompt", "Context: The cat sat on the mat. Question: Who sat? Answer: ",
    ])
    let answer = try #require(try asked.object["text"] as? String)
    #expect(chat.texts["q1"] == answer.trimmingCharacters(in: .whitespacesAndNewlines))
  }

  @Test func aContextIsReadOnce() throws {
    let (found, _) = try predictions("bridge", ["--no-loss"])
    #expect(found["loss"] == nil)
    #expect(try #require(found["promptTokensReused"] as? Int) > 5)
  }

  @Test func theMarksAreThoseOfTheWrittenAnswers() throws {
    try Support.withTemporaryFolder { folder in
      // Answers that are what the model says, so that they are right.
      let said = try predictions("bridge").texts
      func squad(_ answers: [String: String]) throws -> URL {
        var root = try #require(
          try JSONSerialization.jsonObject(with: Data(Self.squad.utf8)) as? [String: Any])
        var article = try #require((root["data"] as? [[String: Any]])?.first)
        var paragraphs = try #require(article["paragraphs"] as? [[String: Any]])
        for index in paragraphs.indices {
          var questions = try #require(paragraphs[index]["qas"] as? [[String: Any]])
          for place in questions.indices {
            let id = try #require(questions[place]["id"] as? String)
            questions[place]["answers"] = [["text": "zebra"], ["text": answers[id] ?? "zebra"]]
          }
          paragraphs[index]["qas"] = questions
        }
        article["paragraphs"] = paragraphs
        root["data"] = [article]
        let file = folder.appending(path: "answers.json")
        try JSONSerialization.data(withJSONObject: root).write(to: file)
        return file
      }
      func marks(_ answers: [String: String]) throws -> (exact: Double, f1: Double) {
        let found = try evaluate([
          "--model", demo, "--data", try squad(answers).path, "--style", "bridge", "--no-loss",
          "--max-new-tokens", "6",
        ])
        return (try number(found, "exactMatch"), try number(found, "f1"))
      }
      #expect(try marks(said) == (100, 100))
      let one = try marks(["q2": try #require(said["q2"])])
      #expect(abs(one.exact - 100.0 / 3) < 1e-9)
      #expect(try marks([:]).exact == 0)
    }
  }

  @Test(arguments: [
    [], ["--no-loss", "--no-answers", "--data", "x"],
    ["--no-answers", "--predictions", "x", "--data", "x"], ["--limit", "0", "--data", "x"],
  ]) func whatGoesNotTogetherIsRefused(_ arguments: [String]) throws {
    #expect(try program.run(["evaluate", "--model", demo] + arguments).status == 2)
  }

  @Test func aPlanComputesNothing() throws {
    let rows = Support.fixtures.appending(path: "rows/squad.json").path
    let plan = try evaluate(["--model", demo, "--data", rows, "--dry-run"])
    #expect(plan["status"] as? String == "planned" && plan["samples"] as? Int == 2)
  }
}
