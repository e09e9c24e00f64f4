import Foundation
import Support
import Testing

@Suite struct PreviewTests {
  private let tokenizer = Support.fixtures.appending(path: "demo").path

  private func run(
    _ arguments: [String], environment: [String: String] = [:], in folder: URL? = nil
  ) throws -> BuiltProgram.Outcome {
    try program.run(["preview"] + arguments, environment: environment, in: folder)
  }

  /// Writes files into a folder and calls `body` with it.
  private func with(_ files: [String: String], _ body: (URL) throws -> Void) throws {
    try Support.withTemporaryFolder { folder in
      for (name, text) in files {
        try text.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
      }
      try body(folder)
    }
  }

  private static let pairs = """
    {"prompt":"Say hello","completion":"hello there"}
    {"prompt":"Count","completion":"one two three"}
    {"prompt":"Escape \\u001b[31m","completion":"no"}

    """

  @Test("what is learnt stands between marks, and the rows are counted")
  func text() throws {
    try with(["rows.jsonl": Self.pairs]) { folder in
      let outcome = try run(
        ["--data", "rows.jsonl", "--tokenizer", tokenizer, "--style", "bridge"], in: folder)
      #expect(outcome.status == 0, "\(outcome.error)")
      #expect(outcome.output.contains("Say hello⟦ hello there<|end|>⟧"))
      #expect(outcome.output.contains("prompts with completions (prompt, completion)"))
      #expect(outcome.output.contains("rows     3"))
      // What data hold does not reach the terminal as a command to it.
      #expect(!outcome.output.contains("\u{1B}"))
      #expect(outcome.output.contains("\u{241B}[31m"))
    }
  }

  @Test("the JSON says the same with the tokens")
  func json() throws {
    try with(["rows.jsonl": Self.pairs]) { folder in
      let object = try run(
        [
          "--data", "rows.jsonl", "--tokenizer", tokenizer, "--style", "bridge", "--json",
          "--samples", "1", "--packed-size", "16", "--max-length", "9",
        ], in: folder
      ).object
      #expect(object["rows"] as? Int == 3)
      #expect(object["cut"] as? Int ?? 0 > 0)
      #expect(object["longest"] as? Int == 9)
      let shown = try #require((object["shown"] as? [[String: Any]])?.first)
      let runs = try #require(shown["runs"] as? [[String: Any]])
      #expect(runs.map { $0["trained"] as? Bool } == [false, true])
      #expect((shown["tokens"] as? [Int])?.count == (shown["trained"] as? [Int])?.count)
      let packing = try #require(object["packing"] as? [String: Any])
      #expect(packing["tooLong"] as? Int == 0)
      #expect(packing["packs"] as? Int ?? 0 > 0)
    }
  }

  @Test("configurations of Automodel are read")
  func automodel() throws {
    let configuration = """
      recipe: TrainFinetuneRecipeForNextTokenPrediction
      step_scheduler: {global_batch_size: 64}
      model:
        _target_: nemo_automodel.NeMoAutoModelForCausalLM.from_pretrained
        pretrained_model_name_or_path: ${TOKENIZER}
      dataset:
        _target_: nemo_automodel.components.datasets.llm.column_mapped_text_instruction_dataset.ColumnMappedTextInstructionDataset
        path_or_dataset_id: rows.jsonl
        column_mapping: {context: about, question: q, answer: a}
        limit_dataset_samples: 2
        split: "train[1:]"
      packed_sequence:
        packed_sequence_size: 32
      """
    let rows = (0..<4).map { "{\"about\":\"c\($0)\",\"q\":\"q\($0)?\",\"a\":\"a\($0)\"}\n" }
      .joined()
    try with(["config.yaml": configuration, "rows.jsonl": rows]) { folder in
      let outcome = try run(["config.yaml"], environment: ["TOKENIZER": tokenizer], in: folder)
      #expect(outcome.status == 0, "\(outcome.error)")
      #expect(
        outcome.output.contains("c1 q1? ⟦a1⟧") || outcome.output.contains("c1 q1? a⟦1⟧")
          || outcome.output.contains("c1 q1?⟦ a1⟧"), "\(outcome.output)")
      #expect(outcome.output.contains("rows     4, of which 2 are taken"))
      #expect(outcome.output.contains("packs    1 of 32 tokens"))
    }
  }

  @Test("configurations of Megatron-Bridge are read")
  func bridge() throws {
    let configuration = """
      train: {train_iters: 10}
      dataset:
        _target_: megatron.bridge.data.builders.hf_dataset.HFDatasetConfig
        dataset_root: data
        seq_length: 64
        seed: 5678
        dataset_kwargs:
          prompt_template: "{input}\\\\n{output}"
          add_bos: true
        packed_sequence_specs: {packed_sequence_size: 64, pad_seq_to_mult: 1}
      tokenizer:
        tokenizer_type: HuggingFaceTokenizer
        tokenizer_model: \(tokenizer)
      """
    try with(["config.yaml": configuration]) { folder in
      let data = folder.appending(path: "data")
      try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
      try "{\"input\":\"ask\",\"output\":\"tell\"}\n".write(
        to: data.appending(path: "training.jsonl"), atomically: true, encoding: .utf8)
      let outcome = try run(["config.yaml"], in: folder)
      #expect(outcome.status == 0, "\(outcome.error)")
      #expect(outcome.output.contains("<|begin|>ask\n⟦tell<|end|>⟧"), "\(outcome.output)")
      #expect(outcome.output.contains("the split train is training.jsonl"))
    }
  }

  @Test(
    "a wrong configuration is refused with its place",
    arguments: [
      (
        "dataset:\n  _target_: x.make_squad_dataset\n  split: train\n  limit_data_samples: 3\n",
        "config.yaml:4:23: dataset.limit_data_samples: There is no such key. Did you mean dataset.limit_dataset_samples?"
      ),
      (
        "dataset:\n  seq_length: many\n",
        "config.yaml:2:15: dataset.seq_length: It must be a whole number, not “many”."
      ),
      (
        "dataset:\n  seq_length: 8\n  dataset_kwargs:\n    answer_only_los: false\n",
        "config.yaml:4:22: dataset.dataset_kwargs.answer_only_los: There is no such key. Did you mean dataset.dataset_kwargs.answer_only_loss?"
      ),
      (
        "dataset:\n  _target_: some.other.thing\n",
        "config.yaml:2:13: dataset._target_: The data set some.other.thing is not known here."
      ),
      ("model: {}\n", "config.yaml:1:1: dataset: The configuration says nothing of data."),
      ("dataset: [\n", "This is not YAML"), ("- 1\n", "The file holds no sections."),
      ("dataset:\n  seq_length: 4\n  seq_length: 5\n", "twice"),
      (String(repeating: "[", count: 5000), "nested deeper"),
      ("dataset:\n  _target_: x.SquadConfig\n  split: train[\n", "A split is written as"),
      (
        "dataset:\n  _target_: x.SquadConfig\n  dataset_name: ${NOT_SET_ANYWHERE}\n",
        "The environment has no variable NOT_SET_ANYWHERE"
      ),
      (
        "dataset:\n  _target_: x.SquadConfig\n  dataset_name: rajpurkar/squad\nmodel: {pretrained_model_name_or_path: x}\n",
        "data sets of the hub are not downloaded"
      ),
    ])
  func wrongConfigurations(text: String, said: String) throws {
    try with(["config.yaml": text]) { folder in
      let outcome = try run(["config.yaml"], in: folder)
      #expect(outcome.status == 1)
      #expect(outcome.error.contains(said), "\(outcome.error)")
    }
  }

  @Test("mixed rows are refused with both lines, wherever they are")
  func mixed() throws {
    let rows =
      (0..<150).map { _ in "{\"text\":\"a\"}\n" }.joined()
      + "{\"prompt\":\"a\",\"completion\":\"b\"}\n"
    try with(["rows.jsonl": rows]) { folder in
      let outcome = try run(["--data", "rows.jsonl", "--tokenizer", tokenizer], in: folder)
      #expect(outcome.status == 1)
      #expect(
        outcome.error.contains("rows.jsonl:151:1: the row is of the kind prompts with completions"))
      #expect(outcome.error.contains("(rows.jsonl:1)"))
    }
  }

  @Test(
    "wrong usage says what is wrong",
    arguments: [
      ([], "Give a configuration"),
      (["--data", "x", "--split", "tr ain"], "--split is written as"),
      (["--data", "x", "--samples", "-1"], "--samples"),
      (["--data", "x", "--limit", "0"], "--limit must be"),
      (["--data", "x", "--stile", "bridge"], "Did you mean '--style'?"),
    ])
  func usage(arguments: [String], said: String) throws {
    let outcome = try run(arguments)
    #expect(outcome.status == 2)
    #expect(outcome.error.contains(said), "\(outcome.error)")
  }
}
