import Foundation
import Support
import Testing

/// `train tokenize`, held against what megatron-core and the tokenizers package wrote; see
/// fixtures/generate_indexed.py.
@Suite struct TokenizeTests {
  private let tokenizer = Support.fixtures.appending(path: "demo").path
  private let fixtures = Support.fixtures.appending(path: "indexed")

  private func run(
    _ arguments: [String], input: String = "corpus.jsonl", in folder: URL
  ) throws -> BuiltProgram.Outcome {
    try program.run(
      ["tokenize", "--input", input, "--tokenizer", tokenizer] + arguments, in: folder)
  }

  private func withCorpus(_ body: (URL) throws -> Void) throws {
    try Support.withTemporaryFolder { folder in
      try FileManager.default.copyItem(
        at: fixtures.appending(path: "corpus.jsonl"), to: folder.appending(path: "corpus.jsonl"))
      try body(folder)
    }
  }

  private func expectEqual(_ folder: URL, prefix: String, keys: [String] = ["text"]) throws {
    for key in keys {
      for ending in ["bin", "idx"] {
        let name = "_\(key)_document.\(ending)"
        #expect(
          try Data(contentsOf: folder.appending(path: prefix + name))
            == Data(contentsOf: fixtures.appending(path: "corpus" + name)), "\(prefix + name)")
      }
    }
  }

  @Test("the files are Megatron's for any number of workers")
  func bytes() throws {
    try withCorpus { folder in
      for workers in [1, 2, 5] {
        let outcome = try run(
          [
            "--json-keys", "text", "title", "--output-prefix", "w\(workers)", "--append-eod",
            "--eod-token", "<|end|>", "--workers", "\(workers)",
          ], in: folder)
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.output.contains("--data-path w\(workers)_text_document"))
        try expectEqual(folder, prefix: "w\(workers)", keys: ["text", "title"])
      }
    }
  }

  @Test("the JSON counts documents, sequences and tokens")
  func json() throws {
    try withCorpus { folder in
      let object = try run(
        ["--output-prefix", "j", "--eod-token", "<|end|>", "--json"], in: folder
      ).object
      #expect(object["status"] as? String == "done")
      #expect(object["documents"] as? Int == 45)
      #expect(object["empty"] as? Int == 2)
      #expect(object["sequences"] as? [Int] == [44])
      #expect(object["outputs"] as? [String] == ["j_text_document"])
      try expectEqual(folder, prefix: "j")
    }
  }

  @Test("a plan writes nothing")
  func plan() throws {
    try withCorpus { folder in
      let outcome = try run(["--output-prefix", "p", "--dry-run"], in: folder)
      #expect(outcome.status == 0, "\(outcome.error)")
      #expect(outcome.output.contains("nothing was written"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["corpus.jsonl"])
    }
  }

  @Test("what is there is replaced only when asked for")
  func overwrite() throws {
    try withCorpus { folder in
      let arguments = ["--output-prefix", "o", "--eod-token", "<|end|>"]
      #expect(try run(arguments, in: folder).status == 0)
      let again = try run(arguments, in: folder)
      #expect(again.status == 1)
      #expect(again.error.contains("--overwrite"))
      #expect(try run(arguments + ["--overwrite"], in: folder).status == 0)
      try expectEqual(folder, prefix: "o")
    }
  }

  @Test("a row that is wrong is named, and nothing is left of the work")
  func refusals() throws {
    let rows = [
      "{\"text\": \"a\"}\n{\"text\": 5}\n": "rows.jsonl:2:1: text is neither",
      "{\"text\": \"a\"}\n\n{\"title\": \"b\"}\n": "rows.jsonl:3:1: text is missing",
      "{\"text\": \"a\"}\n{\"text\": \"b\"\n": "rows.jsonl:2",
      "{\"text\": \"a\"}\n[1]\n": "rows.jsonl:2:1: a row is a JSON object",
      "{\"text\": [\"a\", null]}\n{\"text\": \"\"}\n": "[1] is no text",
    ]
    for (text, sentence) in rows {
      try Support.withTemporaryFolder { folder in
        try Data(text.utf8).write(to: folder.appending(path: "rows.jsonl"))
        let outcome = try run(["--output-prefix", "x"], input: "rows.jsonl", in: folder)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains(sentence), "\(outcome.error)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["rows.jsonl"])
      }
    }
    try withCorpus { folder in
      for (arguments, status) in [
        (["--split-sentences"], Int32(2)), (["--dtype", "int3"], 2), (["--workers", "0"], 2),
        (["--dtype", "uint8"], 1), (["--eod-token", "<none>"], 1),
        (["--json-keys", "text", "text"], 2),
      ] {
        let outcome = try run(["--output-prefix", "x"] + arguments, in: folder)
        #expect(outcome.status == status, "\(arguments) \(outcome.error)")
        #expect(outcome.error.count > 20)
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["corpus.jsonl"])
    }
  }
}
