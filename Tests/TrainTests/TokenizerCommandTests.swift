import Foundation
import Support
import Testing

/// Runs `train tokenizer` with a text as its input.
private func run(_ arguments: [String], _ input: String) throws -> BuiltProgram.Outcome {
  try Support.withTemporaryFolder { folder in
    let file = folder.appending(path: "input")
    try Data(input.utf8).write(to: file)
    let shell = BuiltProgram(path: "/bin/sh")
    let words = ([program.path, "tokenizer"] + arguments).map { "'\($0)'" }.joined(separator: " ")
    return try shell.run(["-c", "exec \(words) < '\(file.path)'"])
  }
}

private let model = Support.fixtures.appending(path: "sentences/bpe.model").path

@Suite struct TokenizerCommandTests {
  @Test func linesGoInAndComeOut() throws {
    let encoded = try run(["encode", "--tokenizer", model], "\"hello world\"\n\n  \n\"\"\n\"the\"")
    #expect(encoded.status == 0, "\(encoded.error)")
    let lines = encoded.output.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[1] == "[]")
    let decoded = try run(["decode", "--tokenizer", model], encoded.output)
    #expect(decoded.output == "\"hello world\"\n\"\"\n\"the\"\n")
  }

  @Test(arguments: [
    ("encode", "\"the\"\n3\n\"a\"\n", "line 2: a JSON string"),
    ("encode", "\"the\"\n\"a\\ud800\"\n", "line 2, column 3:"),
    ("encode", "\"the\"\n\"日本\\q\"\n", "line 2, column 5:"),
    ("encode", "\"the\"\n\"a\n", "line 2, column 3:"),
    ("decode", "[3]\n[-1]\n", "line 2: a JSON array"),
    ("decode", "[3]\n[1.5]\n", "line 2: a JSON array"),
    ("decode", "[3]\n{}\n", "line 2: a JSON array"),
    ("decode", "[3]\n[99999]\n", "line 2: The id 99999"),
  ])
  func aWrongLineEndsTheWorkWithItsPlace(
    _ command: String, _ input: String, _ message: String
  ) throws {
    let outcome = try run([command, "--tokenizer", model], input)
    #expect(outcome.status == 1)
    #expect(outcome.error.contains(message), "\(outcome.error)")
    // What came before it is done.
    #expect(outcome.output.split(separator: "\n").count == 1)
  }

  @Test func textsThatLookLikeEndsOfLinesStayInTheirs() throws {
    let outcome = try run(
      [
        "decode", "--tokenizer", Support.fixtures.appending(path: "sentences/bpe_bytes.model").path,
      ],
      "\(try ids("a\u{2028}\u{85}\u{2029}"))\n")
    #expect(outcome.output == "\"a\\u2028\\u0085\\u2029\"\n")
  }

  private func ids(_ text: String) throws -> String {
    let file = Support.fixtures.appending(path: "sentences/bpe_bytes.model").path
    return try run(["encode", "--tokenizer", file], "\"\(text)\"").output
  }

  @Test func aMissingTokenizerIsAnError() throws {
    let outcome = try run(["encode", "--tokenizer", "/nowhere"], "")
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("/nowhere"))
    #expect(try run(["encode"], "").status == 2)
  }
}
