import ArgumentParser
import Checkpoints
import Console
import Data
import Glibc
import JSON
import Tensors
import Tokenizers

/// `train tokenize`: files of text to Megatron's data sets of tokens.
struct TokenizeCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "tokenize",
    abstract: "Turns files of documents into Megatron data sets (.bin and .idx).",
    discussion: """
      Each row of the input is an object with the document's text under a key; a list of texts becomes \
      sequences of their own. Files may be JSON lines, a JSON array, or plain text (.txt) with a document \
      to a line, also as gzip or zstd. For each key two files are written, as Megatron's preprocess_data.py \
      names them: PREFIX_KEY_document.bin and .idx. The result does not depend on the number of workers.

      EXAMPLES
        train tokenize --input c4.jsonl.gz --output-prefix ./c4 --tokenizer ./llama --append-eod
        train tokenize --input a.jsonl b.jsonl.zst --json-keys title text --output-prefix ./web --tokenizer ./qwen
      """)

  struct Input: ParsableArguments {
    @Option(
      name: .customLong("input"), parsing: .upToNextOption,
      help: ArgumentHelp("The files to read, in order.", valueName: "files"))
    var files: [String]

    @Option(
      name: .customLong("json-keys"), parsing: .upToNextOption,
      help: ArgumentHelp("The keys that hold text. (default: text)", valueName: "keys"))
    var keys: [String] = []

    @Option(
      name: .customLong("max-row"),
      help: ArgumentHelp("The longest row to read.", valueName: "size"))
    var longestRow = ByteSize(64 << 20, as: "64MiB")

    @Flag(
      name: .customLong("split-sentences"),
      help: "Refused, with what to do instead; Megatron's option for BERT and T5.")
    var splitsSentences = false

    func validate() throws {
      if splitsSentences {
        throw ValidationError(
          "--split-sentences needs NLTK's trained models, which are not read here, and only BERT and T5 are "
            + "trained so. Give each document as a list of its sentences: they become sequences of their own."
        )
      }
      guard Set(keys).count == keys.count else {
        throw ValidationError("--json-keys names a key twice.")
      }
    }

    var allKeys: [String] { keys.isEmpty ? ["text"] : keys }
  }

  struct Tokens: ParsableArguments {
    @Option(
      name: .customLong("tokenizer"),
      help: ArgumentHelp("A model's folder, or a tokenizer's file.", valueName: "dir|file"))
    var path: String

    @Option(
      help: ArgumentHelp(
        "How a text is cut into words, for tiktoken files that do not say it.", valueName: "regex"))
    var pattern: String?

    @Flag(name: .customLong("append-eod"), help: "End every document with the end token.")
    var appendsEnd = false

    @Option(
      name: .customLong("eod-token"),
      help: ArgumentHelp("The end token. (default: the tokenizer's eos)", valueName: "token"))
    var end: String?

    @Flag(
      name: .customLong("add-special-tokens"),
      help: "Add to each text the tokens that the tokenizer puts around it.")
    var addsSpecialTokens = false

    @Option(
      help: ArgumentHelp(
        "How tokens are stored: \(TokenType.allCases.map(\.name).joined(separator: ", ")). (default: uint16 for fewer than 65,500 of them, else int32)",
        valueName: "type"))
    var dtype: String?

    func validate() throws {
      guard let dtype else { return }
      if !TokenType.allCases.map(\.name).contains(dtype) {
        throw ValidationError("--dtype does not know \(dtype).")
      }
    }

    /// The token to end documents with.
    func endToken(_ tokenizer: Tokenizer) throws -> Int32? {
      guard appendsEnd || end != nil else { return nil }
      if let end {
        guard let id = tokenizer.id(of: end) else { throw TokenizeError.unknownToken(end, path) }
        return id
      }
      guard let id = tokenizer.special.eos?.id else { throw TokenizeError.noEnd(path) }
      return id
    }

    func type(_ tokenizer: Tokenizer) -> TokenType {
      TokenType.allCases.first { $0.name == dtype }
        ?? .optimal(vocabulary: tokenizer.vocabularySize)
    }
  }

  @OptionGroup(title: "Input") var input: Input
  @OptionGroup(title: "Tokens") var tokens: Tokens

  @Option(
    name: .customLong("output-prefix"),
    help: ArgumentHelp("What the paths of the written files begin with.", valueName: "prefix"))
  var prefix: String

  @Flag(help: "Replace files that are there, once the new are complete.")
  var overwrite = false

  @Option(help: ArgumentHelp("Threads at work. (default: the number of cores)", valueName: "n"))
  var workers: Int?

  @OptionGroup(title: "Running") var running: RunningOptions

  var wantsJSON: Bool { running.json }

  func validate() throws {
    if let workers, !(1...1024).contains(workers) {
      throw ValidationError("--workers must be a number from 1 to 1024, not \(workers).")
    }
  }

  func run() throws {
    let tokenizer = try Tokenizer(path: TokenizerPlace.find(tokens.path), pattern: tokens.pattern)
    var corpus = CorpusTokenizer(
      tokenizer, keys: input.allKeys, end: try tokens.endToken(tokenizer))
    corpus.addsSpecialTokens = tokens.addsSpecialTokens
    corpus.workers = workers ?? Environment.processors
    corpus.limits.row = input.longestRow.bytes
    let files = try DataFiles(input.files).paths
    let type = tokens.type(tokenizer)
    let bytes = files.reduce(0) { $0 + (Folder.size($1) ?? 0) }
    if running.isDryRun {
      return try TokenizeReport(self, corpus, files, type, bytes).plan(corpus.estimate(files))
    }
    let progress = TransferProgress()
    try Interrupt.shared.stopping(progress) {
      let writers = try outputs(corpus).map {
        try IndexedDatasetWriter($0, type: type, overwrites: overwrite)
      }
      let removals = writers.map(\.removal)
      Interrupt.shared.onAbort { for removal in removals { removal() } }
      let display = ProgressDisplay(
        "tokenize", total: bytes, progress,
        style: ProgressDisplay.style(isHidden: !running.showsProgress))
      let (result, seconds) = try display.during {
        let result = try corpus.run(files, into: writers) { bytes in
          progress.add(bytes)
          return !progress.isCancelled
        }
        if progress.isCancelled { throw ConversionError.interrupted }
        for writer in writers { try writer.finish() }
        return result
      }
      TokenizeReport(self, corpus, files, type, bytes).done(result, seconds: seconds)
    }
  }

  /// The prefix of each key's data set.
  func outputs(_ corpus: CorpusTokenizer) -> [String] {
    corpus.keys.map { "\(prefix)_\($0)_document" }
  }
}

/// What `train tokenize` refuses by itself.
enum TokenizeError: Error, CustomStringConvertible {
  case noEnd(String)
  case unknownToken(String, String)

  var description: String {
    switch self {
    case .noEnd(let path):
      "The tokenizer \(path) names no token that ends a text. Say which one is meant with --eod-token."
    case .unknownToken(let token, let path):
      "The tokenizer \(path) has no token \"\(token)\". Check the spelling of --eod-token."
    }
  }
}
