import Foundation
import HDF5
import Support
import Testing

/// The tokens that a model of the repository adds.
private func generate(_ options: [String], from tokens: String = "1,5,9") throws -> [Int] {
  let outcome = try program.run(
    [
      "generate", "--model", llama, "--tokens", tokens, "--ignore-eos", "--json",
    ] + options)
  #expect(outcome.status == 0, "\(outcome.error)")
  return try #require(try outcome.object["new"] as? [Int])
}

@Suite struct GenerateTests {
  @Test func withoutWishesItIsTheCapturesContinuation() throws {
    try Support.withTemporaryFolder { folder in
      let (inputs, output) = (
        folder.appending(path: "inputs.safetensors"), folder.appending(path: "out.h5").path
      )
      try writeInputs(["input_ids": ([1, 3], [1, 5, 9])], to: inputs)
      let outcome = try program.run([
        "capture", "--model", llama, "--inputs", inputs.path, "--output", output, "--greedy", "12",
      ])
      #expect(outcome.status == 0, "\(outcome.error)")
      let expected = try HDF5File(output).runs(of: "greedy").integers(dtype: .int64)
      let options = ["--max-new-tokens", "12", "--dtype", "float32"]
      #expect(try generate(options).map(Int64.init) == expected)
      #expect(try generate(options + ["--no-cache"]).map(Int64.init) == expected)
    }
  }

  @Test func aSeedDrawsTheSameTokensAndAnotherOneOthers() throws {
    let first = try generate(["--temperature", "2", "--seed", "1"])
    #expect(first.count == 32)
    #expect(try generate(["--temperature", "2", "--seed", "1"]) == first)
    #expect(try generate(["--temperature", "2", "--seed", "2"]) != first)
  }

  @Test(arguments: [["--top-k", "1"], ["--temperature", "0"], ["--top-p", "0.0001"]])
  func whereOneTokenIsLeftItIsTheMostLikely(_ options: [String]) throws {
    #expect(try generate(options) == generate([]))
  }

  @Test func thePlainOutputIsTheNewTokens() throws {
    let outcome = try program.run([
      "generate", "--model", llama, "--tokens", "1 5 9", "--ignore-eos", "--max-new-tokens", "4",
    ])
    let words = outcome.output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
    #expect(try words == generate(["--max-new-tokens", "4"]))
  }

  @Test func itEndsWithAnEndToken() throws {
    let all = try generate([])
    try Support.withTemporaryFolder { folder in
      let copy = folder.appending(path: "model")
      try FileManager.default.copyItem(at: URL(filePath: llama), to: copy)
      let file = copy.appending(path: "generation_config.json")
      try? FileManager.default.removeItem(at: file)
      try Data("{\"eos_token_id\": [\(all[2]), 100000]}".utf8).write(to: file)
      let outcome = try program.run([
        "generate", "--model", copy.path, "--tokens", "1,5,9", "--json",
      ])
      let end = try #require(all.firstIndex(of: all[2]))
      #expect(try outcome.object["new"] as? [Int] == Array(all[...end]))
    }
  }

  @Test func learnedPositionsEndIt() throws {
    let model = Support.model("hf/gpt_bigcode_mqa").path
    func run(_ count: Int) throws -> BuiltProgram.Outcome {
      try program.run([
        "generate", "--model", model, "--tokens",
        [String](repeating: "1", count: count).joined(separator: ","), "--dry-run", "--json",
      ])
    }
    #expect(try run(60).object["most"] as? Int == 4)
    let full = try run(64)
    #expect(full.status == 1)
    #expect(full.error.contains("positions for 64 only"))
  }

  @Test func aTokenOutsideTheVocabularyIsRefused() throws {
    let outcome = try program.run(["generate", "--model", llama, "--tokens", "1,99999"])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("Token 99999 at index 1"))
  }

  /// Runs the command on a model of the repository with one of its small tokenizers beside it.
  private func continued(
    _ arguments: [String], files: [String: String] = [:]
  ) throws -> BuiltProgram.Outcome {
    try Support.withTemporaryFolder { folder in
      let copy = folder.appending(path: "model")
      try FileManager.default.copyItem(at: URL(filePath: llama), to: copy)
      for name in names(in: copy) where name.hasPrefix("tokenizer") || name.hasPrefix("chat") {
        try FileManager.default.removeItem(at: copy.appending(path: name))
      }
      try FileManager.default.copyItem(
        at: Support.fixtures.appending(path: "sentences/unigram_bare.model"),
        to: copy.appending(path: "tokenizer.model"))
      for (name, text) in files {
        try Data(text.utf8).write(to: copy.appending(path: name))
      }
      return try program.run(
        ["generate", "--model", copy.path, "--ignore-eos", "--max-new-tokens", "5"] + arguments)
    }
  }

  @Test func aPromptIsContinuedAsItsTokensAre() throws {
    let outcome = try continued(["--prompt", "the dog", "--json"])
    #expect(outcome.status == 0, "\(outcome.error)")
    let object = try outcome.object
    let tokens = try #require(object["tokens"] as? [Int])
    let new = try #require(object["new"] as? [Int])
    let prompt = tokens.dropLast(new.count).map(String.init).joined(separator: ",")
    #expect(try generate(["--max-new-tokens", "5"], from: prompt) == new)
    #expect(object["prompt"] as? String == "the dog")
    let text = try #require(object["text"] as? String)
    #expect(try continued(["--prompt", "the dog"]).output == text + "\n")
  }

  @Test func aChatIsWrittenByTheFoldersTemplate() throws {
    let template = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}"
    let outcome = try continued(
      ["--prompt", "hello", "--chat", "--json"], files: ["chat_template.jinja": template])
    #expect(outcome.status == 0, "\(outcome.error)")
    #expect(try outcome.object["prompt"] as? String == "user: hello")
    let without = try continued(["--prompt", "hello", "--chat"])
    #expect(without.status == 1)
    #expect(without.error.contains("no chat template"))
  }

  @Test(arguments: [[], ["--prompt", "a", "--tokens", "1"], ["--chat", "--tokens", "1"]])
  func whatToContinueIsSaidOnce(_ arguments: [String]) throws {
    #expect(try program.run(["generate", "--model", llama] + arguments).status == 2)
  }
}
