import ArgumentParser
import Console
import JSON
import Tensors
import Tokenizers

extension TokenizerCommand {
  /// `train tokenizer measure`: how fast texts become tokens, as one JSON line.
  ///
  /// Not listed in the help: `scripts/bench-tokenizers` runs it.
  struct MeasureTokenizerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "measure",
      abstract: "Measures how fast texts become tokens; prints one JSON line.",
      shouldDisplay: false)

    @OptionGroup(title: "Tokenizer") var source: Source

    @Option(help: ArgumentHelp("JSON strings, one a line.", valueName: "file"))
    var texts: String

    @Option(help: ArgumentHelp("How often all of them are encoded.", valueName: "n"))
    var rounds = 1

    @Flag(help: "Encode with ranges too.")
    var ranges = false

    func run() throws {
      var tokenizer: Tokenizer?
      let loading = try MachinePeak.seconds { tokenizer = try source.tokenizer() }
      guard let tokenizer else { return }
      let texts = try readTexts()
      var seconds: [JSON] = []
      var tokens = 0
      var sum = 0
      for _ in 0..<rounds {
        (tokens, sum) = (0, 0)
        let time = try MachinePeak.seconds {
          for text in texts {
            let ids = try ranges ? tokenizer.encoding(text).ids : tokenizer.encode(text)
            tokens += ids.count
            for id in ids { sum &+= Int(id) }
          }
        }
        seconds.append(.number(time))
      }
      let result: JSONObject = [
        "bytes": .integer(texts.reduce(0) { $0 + $1.count }), "texts": .integer(texts.count),
        "tokens": .integer(tokens), "sum": .integer(sum), "loading": .number(loading),
        "seconds": .array(seconds),
      ]
      print(JSON.object(result).serialized())
    }

    private func readTexts() throws -> [[UInt8]] {
      var result: [[UInt8]] = []
      for line in try InputFile(texts).readAll().split(separator: 0x0A) {
        var reader = JSONReader(Array(line))
        var text: [UInt8] = []
        try reader.string(into: &text)
        result.append(text)
      }
      return result
    }
  }
}
