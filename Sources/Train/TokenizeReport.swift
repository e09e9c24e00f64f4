import Console
import Data
import JSON
import Tensors

/// What `train tokenize` says before and after.
struct TokenizeReport {
  private let command: TokenizeCommand
  private let corpus: CorpusTokenizer
  private let files: [String]
  private let type: TokenType
  private let bytes: Int

  init(
    _ command: TokenizeCommand, _ corpus: CorpusTokenizer, _ files: [String], _ type: TokenType,
    _ bytes: Int
  ) {
    self.command = command
    self.corpus = corpus
    self.files = files
    self.type = type
    self.bytes = bytes
  }

  private var outputs: [String] { command.outputs(corpus) }

  private var head: JSONObject {
    JSONObject([
      "command": .string("tokenize"), "inputs": files.json, "inputBytes": .integer(bytes),
      "outputs": outputs.json, "dtype": .string(type.name),
      "vocabulary": .integer(corpus.tokenizer.vocabularySize),
      "end": corpus.end.map { .integer(Int($0)) } ?? .null,
    ])
  }

  private var facts: [(String, String)] {
    let end = corpus.end.map { id in
      "\(id)" + (corpus.tokenizer.token(id).map { " (\($0))" } ?? "") + ", behind every document"
    }
    return [
      ("input", "\(Format.count(files.count, "file")), \(Format.bytes(bytes))"),
      ("stored as", "\(type.name), for \(Format.count(corpus.tokenizer.vocabularySize)) tokens"),
      ("end token", end ?? "none (--append-eod adds it)"),
    ]
  }

  // MARK: Before

  func plan(_ estimate: CorpusTokenizer.Estimate?) {
    let tokens = Int((estimate?.tokensPerByte ?? 0) * Double(bytes))
    let documents = Int((estimate?.documentsPerByte ?? 0) * Double(bytes))
    let disk = tokens * type.width + documents * 20 * outputs.count
    let free = Folder.freeBytes(Folder.parent(Folder.absolute(command.prefix)))
    if command.wantsJSON {
      var object = head
      object["status"] = .string("planned")
      object["estimatedTokens"] = .integer(tokens)
      object["estimatedDocuments"] = .integer(documents)
      object["estimatedDisk"] = .integer(disk)
      object["workers"] = .integer(corpus.workers)
      Report.print(object)
      return
    }
    Report.print("Plan of the tokenization, estimated from the first rows; nothing was written.")
    Report.print(
      Report.facts(
        facts + [
          ("documents", "about \(Format.short(documents))"),
          ("tokens", "about \(Format.short(tokens))"),
          (
            "disk",
            "about \(Format.bytes(disk))" + (free.map { ", \(Format.bytes($0)) free" } ?? "")
          ),
          ("workers", "\(corpus.workers)"),
        ] + outputs.map { ("output", "\($0).bin, .idx") }))
  }

  // MARK: After

  func done(_ result: CorpusTokenizer.Result, seconds: Double) {
    let tokens = result.tokens.reduce(0, +)
    let speed = seconds > 0 ? Double(tokens) / seconds : 0
    if command.wantsJSON {
      var object = head
      object["status"] = .string("done")
      object["documents"] = .integer(result.documents)
      object["empty"] = .integer(result.empty)
      object["sequences"] = .array(result.sequences.map { .integer($0) })
      object["tokens"] = .array(result.tokens.map { .integer($0) })
      object["seconds"] = .number(seconds)
      object["tokensPerSecond"] = .number(speed)
      Report.print(object)
      return
    }
    let empty = result.empty > 0 ? ", \(Format.count(result.empty)) of them empty" : ""
    Report.print(
      Report.facts(
        facts + [
          ("documents", Format.count(result.documents) + empty),
          ("tokens", Format.count(tokens)),
          (
            "time",
            "\(Format.duration(seconds)), \(Format.short(Int(speed))) tokens/s, "
              + "\(Format.bytes(Int(Double(bytes) / max(seconds, 1e-9))))/s"
          ),
        ] + outputs.map { ("output", "\($0).bin, .idx") }))
    Report.print("")
    Report.print(
      "Megatron reads this as --data-path \(Format.command(outputs)).")
  }
}
