import Foundation
import JSON
import Support
import Testing

@testable import Data

@Suite struct RowKindTests {
  /// What a row says, or the sentence that refuses it.
  private func example(_ row: String) throws -> (kind: RowKind, example: Example) {
    try Support.withTemporaryFolder { folder in
      let rows = try Rows([write(row, "r.jsonl", in: folder)])
      return (rows.kind, try rows.example(0))
    }
  }

  private func messages(_ row: String) throws -> [JSONObject] {
    guard case .conversation(let talk) = try example(row).example else { return [] }
    return talk.messages
  }

  @Test(
    "a row's kind follows from its keys",
    arguments: [
      (#"{"messages":[{"role":"user","content":"a"}]}"#, RowKind.messages),
      (#"{"conversations":[{"from":"human","value":"a"}]}"#, .conversations),
      (#"{"conversations":[{"from":"User","value":"a"}],"mask":"User"}"#, .maskedConversations),
      (#"{"context":"c","question":"q","answers":{"text":["c"]}}"#, .question),
      (#"{"instruction":"i","input":"","output":"o"}"#, .instruction(answer: "output")),
      (#"{"instruction":"i","context":"x","response":"o"}"#, .instruction(answer: "response")),
      (#"{"prompt":"p","completion":"c"}"#, .completion(prompt: "prompt", answer: "completion")),
      (#"{"input":"p","output":"c"}"#, .completion(prompt: "input", answer: "output")),
      (#"{"question":"p","answer":"c"}"#, .completion(prompt: "question", answer: "answer")),
      (#"{"text":"t"}"#, .text), (#"{"input_ids":[1,2],"labels":[-100,2]}"#, .tokens),
      (#"{"messages":null,"text":"t"}"#, .text),
    ])
  func kinds(row: String, kind: RowKind) throws {
    #expect(try example(row).kind == kind)
  }

  @Test(
    "labels are the tokens themselves or the ones that follow",
    arguments: [
      (#"{"input_ids":[5,6,7],"labels":[-100,6,7]}"#, [5, 6, 7], [false, true, true]),
      (#"{"input_ids":[5,6,7],"labels":[-100,7,8]}"#, [5, 6, 7, 8], [false, false, true, true]),
      (#"{"input_ids":[5,6,7],"labels":[6,-100,-100]}"#, [5, 6, 7], [false, true, false]),
      (
        #"{"input_ids":[5,6,0,0],"labels":[5,6,-100,-100],"attention_mask":[1,1,0,0]}"#, [5, 6],
        [true, true]
      ),
      (#"{"input_ids":[5,6],"loss_mask":[0,1]}"#, [5, 6], [false, true]),
      (#"{"input_ids":[5,6]}"#, [5, 6], [true, true]),
    ] as [(String, [Int32], [Bool])])
  func labels(row: String, tokens: [Int32], trained: [Bool]) throws {
    #expect(try example(row).example == .tokens(Sample(tokens: tokens, trained: trained)))
  }

  @Test("speakers become roles, function calls become tool calls")
  func shareGPT() throws {
    let found = try messages(
      #"""
      {"system":"s","tools":"[{\"type\":\"function\"}]","conversations":[{"from":"human","value":"q"},
      {"from":"function_call","value":"{\"name\":\"f\",\"arguments\":{\"x\":1}}"},{"from":"observation","value":"r"},
      {"from":"gpt","value":"a"}]}
      """#.replacing("\n", with: ""))
    #expect(
      found.map { $0["role"]?.string } == ["system", "user", "assistant", "tool", "assistant"])
    let call = found[2]["tool_calls"]?.array?.first?.object?["function"]?.object
    #expect(call?["name"]?.string == "f")
    #expect(call?["arguments"]?.object?["x"]?.integer == 1)
  }

  @Test("content in parts and arguments as objects reach a template as the peer hands them over")
  func normalised() throws {
    let found = try ChatFormat.normalised(
      messages(
        #"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image","url":"u"},{"type":"text","text":"b"}]},{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":{"k":"é"}}}]}]}"#
      ))
    #expect(found[0]["content"]?.string == "a b")
    #expect(found[1]["content"]?.string == "")
    let call = try #require(found[1]["tool_calls"]?.array?.first?.object)
    #expect(call["id"]?.string == "call_0")
    #expect(call["type"]?.string == "function")
    #expect(call["function"]?.object?["arguments"]?.string == #"{"k": "\u00e9"}"#)
  }

  @Test(
    "wrong rows are refused with the key that is wrong",
    arguments: [
      (#"{"messages":[]}"#, "messages is empty"),
      (#"{"messages":[{"content":"a"}]}"#, "messages[0].role is missing"),
      (#"{"messages":[{"role":"robot","content":"a"}]}"#, "messages[0].role is “robot”"),
      (#"{"messages":[{"role":"user","content":5}]}"#, "messages[0].content must be a string"),
      (#"{"messages":"a"}"#, "messages must be a list, not a string"),
      (
        #"{"messages":[{"role":"assistant","tool_calls":[{"function":{"arguments":{}}}]}]}"#,
        "tool_calls[0].function.name is missing"
      ),
      (
        #"{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":3}}]}]}"#,
        "arguments must be an object"
      ),
      (
        #"{"messages":[{"role":"user","content":"a"}],"tools":"[1"}"#,
        "tools is a string that holds no JSON"
      ),
      (
        #"{"conversations":[{"from":"someone","value":"a"}]}"#, "conversations[0].from is “someone”"
      ),
      (#"{"conversations":[{"value":"a"}]}"#, "conversations[0].from is missing"),
      (#"{"conversations":[{"from":"User","value":"a"}],"mask":"Nobody"}"#, "mask names “Nobody”"),
      (#"{"conversations":[{"from":"User","value":"a"}],"mask":"User","type":"X"}"#, "type is “X”"),
      (
        #"{"context":"abc","question":"q","answers":{"text":["b"],"answer_start":[7]}}"#,
        "is 7, outside the context of 3 characters"
      ),
      (
        #"{"context":"abc","question":"q","answers":{"text":["b"],"answer_start":[0]}}"#,
        "where the context does not hold “b”"
      ),
      (
        #"{"context":"abc","question":"q","answers":{"text":["b"],"answer_start":[1,2]}}"#,
        "holds 2 places for 1 answers"
      ),
      (
        #"{"context":"abc","question":"q","answers":{"text":["b"],"answer_start":[-1]}}"#,
        "is -1, outside"
      ),
      (#"{"context":"abc","question":"q","answers":["b"]}"#, "answers must be an object"),
      (#"{"prompt":"p","completion":3}"#, "completion must be a string, not a number"),
      (
        #"{"instruction":"i","output":"o","history":[["a"]]}"#,
        "history[0] must hold a question and an answer"
      ),
      (#"{"input_ids":[1,2],"labels":[9,9]}"#, "labels[0] is 9, but the token there is 1"),
      (#"{"input_ids":[1,2],"labels":[1]}"#, "labels holds 1 values for 2 tokens"),
      (#"{"input_ids":[]}"#, "input_ids is empty"), (#"{"input_ids":[-1]}"#, "input_ids[0] is -1"),
      (#"{"input_ids":[1.5]}"#, "input_ids[0] must be a whole number"),
      (#"{"input_ids":[4294967296]}"#, "input_ids[0] must be a whole number of 32 bits"),
      (#"{"input_ids":[1,2],"attention_mask":[0,1]}"#, "attention_mask must be ones"),
      (#"{"text":["a"]}"#, "text must be a string, not a list"),
      (String(repeating: #"{"a":"#, count: 200), "nested more than 64 deep"),
      (#"{"text":"a","text":"b"}"#, "the key “text” stands twice"),
    ])
  func wrongRows(row: String, said: String) throws {
    let found = sentence { _ = try example(row) }
    #expect(found?.contains(said) == true, "\(found ?? "nothing")")
    #expect(found?.contains("r.jsonl:1:") == true)
  }

  @Test("an answer may be empty, and questions need not have one")
  func emptyAnswers() throws {
    for answers in [#"{"text":[]}"#, #"{"text":[],"answer_start":[]}"#] {
      let row = #"{"context":"abc","question":"q","answers":\#(answers)}"#
      guard case .question(let question) = try example(row).example else {
        Issue.record("no question")
        return
      }
      #expect(question.firstAnswer == "")
    }
  }

  @Test("an instruction is Stanford's prompt as text, and a conversation with its history")
  func instructions() throws {
    guard
      case .instruction(let plain) = try example(
        #"{"instruction":"Add","input":"1 2","output":"3","system":"s","history":[["q","a"]]}"#
      ).example
    else {
      Issue.record("no instruction")
      return
    }
    #expect(plain.prompt.hasSuffix("### Instruction:\nAdd\n\n### Input:\n1 2\n\n### Response:"))
    #expect(
      plain.conversation.messages.map { $0["content"]?.string } == ["s", "q", "a", "Add\n1 2", "3"])
  }
}
