import ArgumentParser
import Checkpoints
import Console
import Glibc
import JSON
import Tokenizers

/// `train tokenizer`: what a tokenizer makes of texts, line by line.
struct TokenizerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenizer",
    abstract: "Turns texts into tokens, tokens into texts, chats into texts, line by line.",
    discussion: """
      EXAMPLES
        echo '"Hello world"' | train tokenizer encode --tokenizer ./llama
        train tokenizer encode --tokenizer ./llama --add-special-tokens < texts.jsonl > ids.jsonl
        echo '[1,15043]' | train tokenizer decode --tokenizer ./llama/tokenizer.model
        train tokenizer render --tokenizer ./llama < chats.jsonl
      """,
    subcommands: [
      EncodeCommand.self, DecodeCommand.self, RenderCommand.self, RenderEachCommand.self,
      MeasureTokenizerCommand.self,
    ])

  /// Which tokenizer.
  struct Source: ParsableArguments {
    @Option(
      name: .customLong("tokenizer"),
      help: ArgumentHelp(
        "A model's folder (tokenizer.json first, else tokenizer.model, else a tiktoken or tekken file), or one such file.",
        valueName: "dir|file"))
    var path: String

    @Option(
      help: ArgumentHelp(
        "How a text is cut into words, for files that do not say it: a regular expression.",
        valueName: "regex"))
    var pattern: String?

    func tokenizer() throws -> Tokenizer {
      try Tokenizer(path: TokenizerPlace.find(path), pattern: pattern)
    }
  }

  /// `train tokenizer encode`.
  struct EncodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "encode",
      abstract: "Turns texts into the ids of tokens.",
      discussion: """
        Each line of standard input is a JSON string; each line of standard output the JSON array of its \
        ids. A line that is no such string ends the work with its number; what stood before it is done.

        EXAMPLES
          echo '"Hello world"' | train tokenizer encode --tokenizer ./llama
          train tokenizer encode --tokenizer ./qwen.tiktoken --pattern '\\p{L}+|\\s+|.' < texts.jsonl
        """)

    @OptionGroup(title: "Tokenizer") var source: Source

    @Flag(
      name: .customLong("add-special-tokens"),
      help: "Add the tokens that the tokenizer puts around a text.")
    var addsSpecialTokens = false

    /// For `scripts/check-tokenizers`.
    @Flag(
      help: ArgumentHelp(
        "Print each token's id and the bytes it stands for, and errors as objects.",
        visibility: .hidden))
    var ranges = false

    func run() throws {
      let tokenizer = try source.tokenizer()
      try Lines.each { line, output throws in
        if ranges { return output.write(try withRanges(line, tokenizer).serializedBytes()) }
        guard case .string(let text) = try line.json() else {
          throw LineError(
            line: line.number, column: nil,
            reason: "a JSON string is expected, such as \"Hello world\"")
        }
        output.write(try tokenizer.encode(text, addsSpecialTokens: addsSpecialTokens))
      }
    }

    private func withRanges(_ line: LineReader.Line, _ tokenizer: Tokenizer) throws -> JSON {
      do throws(TokenizerError) {
        let text = try? line.json().string
        let encoding = try tokenizer.encoding(text ?? "", addsSpecialTokens: addsSpecialTokens)
        return .array(
          zip(encoding.ids, encoding.ranges).map { id, range in
            .array([
              .integer(Int(id)), .integer(range.lowerBound), .integer(range.upperBound),
            ])
          })
      } catch {
        return .object(["error": .string(error.description)])
      }
    }
  }

  /// `train tokenizer decode`.
  struct DecodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "decode",
      abstract: "Turns ids of tokens into texts.",
      discussion: """
        Each line of standard input is a JSON array of ids; each line of standard output its text as a \
        JSON string. Bytes that are no UTF-8 become U+FFFD.

        EXAMPLES
          echo '[1,15043,3186]' | train tokenizer decode --tokenizer ./llama
        """)

    @OptionGroup(title: "Tokenizer") var source: Source

    func run() throws {
      let tokenizer = try source.tokenizer()
      try Lines.each { line, output throws in
        let text = try tokenizer.decode(try Self.ids(line))
        output.write(text: text)
      }
    }

    private static func ids(_ line: LineReader.Line) throws -> [Int32] {
      func wrong(_ what: String) -> LineError {
        LineError(
          line: line.number, column: nil,
          reason: "a JSON array of ids is expected, such as [1,15043], and \(what)")
      }
      guard case .array(let values) = try line.json() else { throw wrong("this is none") }
      return try values.enumerated().map { index, value in
        guard let id = value.integer.flatMap({ Int32(exactly: $0) }), id >= 0 else {
          throw wrong("element \(index + 1) is \(value.serialized())")
        }
        return id
      }
    }
  }
}

/// Standard input to standard output, line by line.
enum Lines {
  /// Calls `body` with each line that is not empty.
  ///
  /// What it wrote is printed, also if it throws.
  static func each(_ body: (LineReader.Line, inout LineWriter) throws -> Void) throws {
    var reader = LineReader(STDIN_FILENO, name: "standard input")
    var writer = LineWriter()
    defer { writer.flush() }
    while let line = try reader.next({ writer.flush() }) {
      if line.bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
      do {
        try body(line, &writer)
      } catch let error as TokenizerError {
        throw LineError(line: line.number, column: nil, reason: error.description)
      }
    }
  }
}

extension LineReader.Line {
  /// The line as JSON.
  func json() throws(LineError) -> JSON {
    do throws(JSONError) {
      return try JSON(parsing: bytes)
    } catch {
      throw LineError(
        line: number, column: LineError.column(of: error.offset, in: bytes),
        reason: error.description)
    }
  }
}
