import Foundation
import Support
import Testing

@testable import Train

/// Conversations: their text as it comes, their lines, their memory.
@Suite struct ChatTests {
  // MARK: Text

  @Test func whatMayEndTheTextIsHeldBack() {
    var held = HeldText(["END", "\n\n"])
    #expect(held.append("one E") == "one ")
    #expect(held.append("Nough E") == "ENough ")
    #expect(held.append("N") == "" && !held.isEnded)
    #expect(held.append("D two") == "" && held.isEnded)
    #expect(held.append("three") == "" && held.finish() == "")
    var lines = HeldText(["\n\n", "END"])
    #expect(lines.append("a\n") == "a")
    #expect(lines.append("b\n") == "\nb")
    #expect(lines.finish() == "\n" && !lines.isEnded)
    var none = HeldText([])
    #expect(none.append("END") == "END")
  }

  @Test func theFirstOfSeveralEndsCounts() {
    var held = HeldText(["xyz", "y"])
    #expect(held.append("ax") == "a")
    #expect(held.append("y") == "x" && held.isEnded)
  }

  @Test func reasoningIsToldFromWhatIsSaid() {
    var reasoning = Reasoning()
    var pieces: [Reasoning.Piece] = []
    for part in ["Well <", "thi", "nk>1 < 2", "</thi", "nk>", "Yes</think>."] {
      pieces += reasoning.append(part)
    }
    pieces += reasoning.finish()
    func text(_ isReasoning: Bool) -> String {
      pieces.filter { $0.isReasoning == isReasoning }.map(\.text).joined()
    }
    #expect(text(true) == "<think>1 < 2</think>")
    #expect(text(false) == "Well Yes</think>.")
    #expect(pieces.map(\.text).joined() == "Well <think>1 < 2</think>Yes</think>.")
  }

  @Test func aPromptMayEndWithinReasoning() {
    var reasoning = Reasoning(behind: "<|assistant|>\n<think>\n")
    let pieces = reasoning.append("so</think>yes") + reasoning.finish()
    #expect(
      pieces == [
        .init(text: "so</think>", isReasoning: true), .init(text: "yes", isReasoning: false),
      ])
    #expect(Reasoning(behind: "<think></think>\n") != Reasoning(behind: "<think>"))
  }

  // MARK: Lines

  @Test(arguments: [
    ("hello", ChatLine.message("hello")), ("  hello ", .message("  hello ")), ("", .nothing),
    ("   ", .nothing), ("/reset", .reset), (" /exit ", .exit), ("/quit", .exit), ("/help", .help),
    ("/system  Be brief. ", .system("Be brief.")), ("/system", .system("")),
    ("/save a b.jsonl", .save("a b.jsonl")), ("//etc is a folder", .message("/etc is a folder")),
  ])
  func linesAreMessagesOrCommands(_ line: String, _ expected: ChatLine) throws {
    let found = try ChatLine(line)
    #expect(found == expected)
  }

  @Test(arguments: ["/save", "/bogus", "/"]) func wrongCommandsAreRefused(_ line: String) {
    #expect(throws: ChatError.self) { try ChatLine(line) }
  }

  // MARK: Conversations

  private struct Turn: Decodable {
    var content: String
    var tokens: Int
    var promptTokens: Int
    var reused: Int
    var end: String
  }

  private func chat(_ lines: String, _ options: [String] = []) throws -> [Turn] {
    let outcome = try piped(
      [
        "generate", "--model", demo, "--chat", "--json", "--ignore-eos", "--max-new-tokens", "8",
        "--dtype", "float32",
      ] + options, lines)
    #expect(outcome.status == 0, "\(outcome.error)")
    return try outcome.output.split(separator: "\n").map {
      try JSONDecoder().decode(Turn.self, from: Data($0.utf8))
    }
  }

  @Test func eachLineIsAnsweredWithAllThatWasSaid() throws {
    let turns = try chat("How are you?\nAnd now?\n")
    #expect(turns.count == 2)
    #expect(turns[0].reused == 0 && turns[0].tokens == 8 && turns[0].end == "limit")
    // What was read is not read again: all but the answer's last token, where its text is the same tokens.
    #expect(turns[1].promptTokens > turns[0].promptTokens + 8)
    #expect(turns[1].reused >= turns[0].promptTokens)
    let uncached = try chat("How are you?\nAnd now?\n", ["--no-cache"])
    #expect(uncached.map(\.content) == turns.map(\.content))
    #expect(uncached.map(\.reused) == [0, 0])
  }

  @Test func aResetForgets() throws {
    let turns = try chat("How are you?\n/reset\nHow are you?\n/system Be brief.\nHow are you?\n")
    #expect(turns.count == 3)
    #expect(turns[1].content == turns[0].content && turns[1].reused == 0)
    #expect(turns[2].promptTokens > turns[0].promptTokens)
    let system = try chat("How are you?\n", ["--system", "Be brief."])
    #expect(system[0].content == turns[2].content)
    #expect(system[0].promptTokens == turns[2].promptTokens)
  }

  @Test func aSeedDrawsTheSameConversation() throws {
    let lines = "How are you?\nAnd now?\n"
    let first = try chat(lines, ["--temperature", "2", "--seed", "3"])
    let again = try chat(lines, ["--temperature", "2", "--seed", "3"])
    let other = try chat(lines, ["--temperature", "2", "--seed", "4"])
    #expect(first.map(\.content) == again.map(\.content))
    #expect(first.map(\.content) != other.map(\.content))
  }

  @Test func oneTurnIsWhatAPromptGives() throws {
    let turn = try chat("How are you?\n")
    let outcome = try program.run([
      "generate", "--model", demo, "--chat", "--prompt", "How are you?", "--json", "--ignore-eos",
      "--max-new-tokens", "8", "--dtype", "float32",
    ])
    #expect(try outcome.object["text"] as? String == turn[0].content)
  }

  @Test func theConversationIsSavedAsMessages() throws {
    try Support.withTemporaryFolder { folder in
      let file = folder.appending(path: "saved.jsonl")
      let turns = try chat("One\nThree \\\nand more\n/save \(file.path)\n")
      let text = try String(contentsOf: file, encoding: .utf8)
      struct Saved: Decodable {
        struct Message: Decodable, Equatable {
          var role: String
          var content: String
        }
        var messages: [Message]
      }
      #expect(text.hasSuffix("\n") && text.count(where: { $0 == "\n" }) == 1)
      let saved = try JSONDecoder().decode(Saved.self, from: Data(text.utf8))
      #expect(saved.messages.map(\.role) == ["user", "assistant", "user", "assistant"])
      #expect(
        saved.messages.filter { $0.role == "assistant" }.map(\.content) == turns.map(\.content))
      #expect(saved.messages.last { $0.role == "user" }?.content == "Three \nand more")
    }
  }

  @Test func aFullWindowIsSaid() throws {
    let long = String(repeating: "word ", count: 400)
    let outcome = try piped(
      ["generate", "--model", demo, "--chat", "--max-new-tokens", "4"], long + "\n")
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("was made for 512 positions"))
  }

  @Test func anAnswerEndsWhereTheWindowDoes() throws {
    let turns = try chat("How are you?\n", ["--max-new-tokens", "100000"])
    #expect(turns[0].end == "window")
    #expect(turns[0].promptTokens + turns[0].tokens == 512)
  }

  @Test func aTextEndsAnAnswer() throws {
    let whole = try chat("How are you?\n", ["--max-new-tokens", "24"])[0].content
    let stop = String(whole.dropFirst(whole.count / 2).prefix(2))
    let turn = try chat("How are you?\n", ["--max-new-tokens", "24", "--stop", stop])[0]
    let place = try #require(whole.range(of: stop))
    #expect(turn.content == String(whole[..<place.lowerBound]))
    #expect(turn.end == "finished" && turn.tokens < 24)
  }

  @Test(arguments: [
    ["--system", "x", "--prompt", "y"], ["--tokens", "1", "--stop", "x"],
    ["--chat", "--tokens", "1"],
  ]) func whatGoesNotTogetherIsRefused(_ arguments: [String]) throws {
    #expect(try program.run(["generate", "--model", demo] + arguments).status == 2)
  }
}
