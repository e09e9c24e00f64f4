import Data
import Tokenizers

/// A sample as text to be read by people: special tokens as they are spelled, what is learnt told from the rest.
struct SampleText {
  /// A run of tokens that are all learnt, or all not.
  struct Run: Equatable {
    var text: String
    var isTrained: Bool
    var count: Int
  }

  let runs: [Run]

  init(_ sample: Sample, _ tokenizer: Tokenizer) {
    var runs: [Run] = []
    var place = 0
    var before = ""
    while place < sample.count {
      let isTrained = Self.isTrained(sample, place)
      var end = place + 1
      while end < sample.count, Self.isTrained(sample, end) == isTrained { end += 1 }
      // A run alone may read otherwise than behind what stands before it.
      let whole = Self.text(Array(sample.tokens[..<end]), tokenizer)
      let own =
        whole.utf8.starts(with: before.utf8)
        ? String(decoding: whole.utf8.dropFirst(before.utf8.count), as: UTF8.self)
        : Self.text(Array(sample.tokens[place..<end]), tokenizer)
      runs.append(Run(text: own, isTrained: isTrained, count: end - place))
      before = whole
      place = end
    }
    self.runs = runs
  }

  /// The first token is never predicted.
  private static func isTrained(_ sample: Sample, _ place: Int) -> Bool {
    place > 0 && sample.trained[place]
  }

  private static func text(_ tokens: [Int32], _ tokenizer: Tokenizer) -> String {
    if let text = try? tokenizer.decode(tokens) { return text }
    // Tokens of a data set that the tokenizer does not have.
    return tokens.map { (try? tokenizer.decode([$0])) ?? "⟨\($0)⟩" }.joined()
  }

  /// The sample for a terminal: learnt runs in green, the rest grey.
  var coloured: String {
    runs.map { run in
      (run.isTrained ? "\u{1B}[32m" : "\u{1B}[90m") + Self.visible(run.text) + "\u{1B}[0m"
    }.joined()
  }

  /// The sample with marks around what is learnt.
  var marked: String {
    runs.map { run in
      run.isTrained ? "⟦" + Self.visible(run.text) + "⟧" : Self.visible(run.text)
    }.joined()
  }

  /// Text that moves no cursor and changes no colour, whatever the data hold.
  static func visible(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x0A, 0x09: result.append(scalar)
      // Control pictures stand for control characters.
      case 0..<0x20: result.append(Unicode.Scalar(0x2400 + scalar.value) ?? "\u{FFFD}")
      case 0x7F: result.append("\u{2421}")
      case 0x80..<0xA0, 0x200E...0x200F, 0x202A...0x202E, 0x2066...0x2069: result.append("\u{FFFD}")
      default: result.append(scalar)
      }
    }
    return String(result)
  }
}
