import JSON

/// Megatron-Bridge's `GPTSFTDataset`: a template whose parts are made into tokens one by one.
///
/// The template is cut before each `{key}` and the spaces in front of it. Every part is tokenised for itself, with
/// what the tokenizer adds to a text. Source: megatron/bridge/data/datasets/sft.py.
struct TemplateFormat {
  let tokenizer: any TextTokenizer
  let options: FormatOptions
  private let parts: [Part]
  /// The keys the template names, in order.
  let keys: [String]
  private let fields: [String]

  /// A piece of the template: a text, or the value of a key, behind so many spaces.
  private struct Part {
    var spaces: Int
    /// The text, with `key` empty; or the key.
    var text: String
    var isKey: Bool
  }

  private var bridge: FormatOptions.Bridge { options.bridge }

  /// - Parameter template: as `{input} {output}`; `\n` and such stand for what they do in Python.
  init(
    _ template: String, tokenizer: any TextTokenizer, options: FormatOptions
  ) throws(DataError) {
    self.tokenizer = tokenizer
    self.options = options
    let text = Self.unescaped(template)
    let isSensitive = try Self.isSpaceSensitive(tokenizer)
    parts = try Self.parts(text, template).map { part in
      var part = part
      if !isSensitive, part.spaces > 0 { part.spaces -= 1 }
      return part
    }
    keys = parts.filter(\.isKey).map(\.text)
    guard let last = parts.last, last.isKey, text.hasSuffix("}") else {
      throw .promptTemplate(template, problem: "must end in the key of what is learnt")
    }
    if let label = options.bridge.label, label != last.text {
      throw .promptTemplate(template, problem: "must end in {\(label)}, the key of what is learnt")
    }
    // Checkpoints of old configurations say context and mean input.
    var fields = options.bridge.truncationFields
    if keys.first == "input", fields.first == "context" { fields[0] = "input" }
    for field in fields where !keys.contains(field) {
      throw .promptTemplate(
        template, problem: "has no {\(field)}, which truncation_field names")
    }
    self.fields = fields
  }

  /// Whether two words with a space between are other tokens than the two words: then the space is kept.
  private static func isSpaceSensitive(_ tokenizer: any TextTokenizer) throws(DataError) -> Bool {
    let together = try tokenizer.tokens("x y", addsSpecialTokens: true)
    let first = try tokenizer.tokens("x", addsSpecialTokens: true)
    return together != first + (try tokenizer.tokens("y", addsSpecialTokens: true))
  }

  private static func parts(_ text: String, _ template: String) throws(DataError) -> [Part] {
    var parts: [Part] = []
    var plain: [UInt8] = []
    func flush(keepingSpaces: Bool) -> Int {
      var spaces = 0
      if !keepingSpaces {
        while plain.last == ASCII.space {
          plain.removeLast()
          spaces += 1
        }
      }
      guard !plain.isEmpty else { return spaces }
      let lead = plain.prefix { $0 == ASCII.space }.count
      parts.append(
        Part(spaces: lead, text: String(decoding: plain[lead...], as: UTF8.self), isKey: false))
      plain = []
      return spaces
    }
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == ASCII.openBrace else {
        plain.append(byte)
        continue
      }
      guard let close = rest.firstIndex(of: ASCII.closeBrace) else {
        throw .promptTemplate(template, problem: "has a brace that is not closed")
      }
      let key = String(decoding: rest[..<close], as: UTF8.self)
      guard !key.isEmpty else { throw .promptTemplate(template, problem: "has a key without name") }
      parts.append(Part(spaces: flush(keepingSpaces: false), text: key, isKey: true))
      rest = rest[(close + 1)...]
    }
    _ = flush(keepingSpaces: true)
    return parts
  }

  // MARK: Samples

  func sample(_ values: (String) throws(RowFault) -> String) throws(RowFaultOrData) -> Sample {
    try filled(values).sample
  }

  /// The tokens before the answer, whose key is not asked for.
  func prompt(_ values: (String) throws(RowFault) -> String) throws(RowFaultOrData) -> [Int32] {
    let label = keys.last
    let (sample, asked) = try filled { key throws(RowFault) in
      key == label ? "" : try values(key)
    }
    return Array(sample.tokens[..<asked])
  }

  /// The sample, and how many of its tokens only ask.
  private func filled(
    _ values: (String) throws(RowFault) -> String
  ) throws(RowFaultOrData) -> (sample: Sample, asked: Int) {
    var pieces: [[Int32]] = []
    for part in parts {
      let text: String
      do throws(RowFault) {
        text = part.isKey ? try values(part.text).withoutSpaces : part.text
      } catch { throw .row(error) }
      do throws(DataError) {
        pieces.append(
          try tokenizer.tokens(
            String(repeating: " ", count: part.spaces) + text, addsSpecialTokens: true))
      } catch { throw .data(error) }
    }
    do throws(DataError) { return try assembled(pieces) } catch { throw .data(error) }
  }

  private func assembled(
    _ pieces: [[Int32]]
  ) throws(DataError) -> (sample: Sample, asked: Int) {
    let pieces = shortened(pieces)
    var tokens: [Int32] = []
    if bridge.addsBegin {
      guard let begin = tokenizer.begin else {
        throw .noToken(name: "beginning of a sequence (bos)", need: "add_bos")
      }
      tokens.append(begin)
    }
    for piece in pieces.dropLast() { tokens += piece }
    if bridge.addsSeparator {
      guard let separator = bridge.separator else {
        throw .noToken(name: "separator", need: "add_sep")
      }
      tokens.append(separator)
    }
    let asked = tokens.count
    tokens += pieces.last ?? []
    if bridge.addsEnd {
      guard let end = tokenizer.end else {
        throw .noToken(name: "end of a sequence (eos)", need: "add_eos")
      }
      tokens.append(end)
    }
    let learnsAll = options.trained == .all
    let sample = Sample(tokens: tokens, trained: tokens.indices.map { learnsAll || $0 >= asked })
    return (sample, asked)
  }

  /// Cuts pieces so that the whole fits: the named fields by equal shares, then whatever is left to cut from the
  /// last piece on (or from the first, cutting on the left).
  private func shortened(_ pieces: [[Int32]]) -> [[Int32]] {
    let added = [bridge.addsBegin, bridge.addsSeparator, bridge.addsEnd].count { $0 }
    guard let length = options.length else { return pieces }
    var excess = pieces.reduce(added) { $0 + $1.count } - length
    guard excess > 0 else { return pieces }
    var pieces = pieces
    let count = fields.count
    // The larger shares first.
    var shares = (0..<count).map { excess / count + ($0 < excess % count ? 1 : 0) }[...]
    for (index, part) in parts.enumerated() where part.isKey && fields.contains(part.text) {
      guard let share = shares.popFirst() else { break }
      let cut = min(share, pieces[index].count)
      excess -= cut
      pieces[index] = kept(pieces[index], pieces[index].count - cut)
    }
    guard excess > 0 else { return pieces }
    let order = bridge.truncation == .left ? Array(pieces.indices) : pieces.indices.reversed()
    for index in order where excess > 0 {
      let cut = min(excess, pieces[index].count)
      pieces[index] = kept(pieces[index], pieces[index].count - cut)
      excess -= cut
    }
    return pieces
  }

  private func kept(_ ids: [Int32], _ count: Int) -> [Int32] {
    Array(bridge.truncation == .left ? ids.suffix(count) : ids.prefix(count))
  }

  // MARK: Escapes

  /// The text with Python's escapes undone, as they come from command lines.
  private static func unescaped(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    var rest = Array(text.unicodeScalars)[...]
    let simple: [Unicode.Scalar: Unicode.Scalar] = [
      "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", "\"": "\"", "0": "\0",
    ]
    while let scalar = rest.popFirst() {
      guard scalar == "\\", let next = rest.first else {
        result.append(scalar)
        continue
      }
      let digits = next == "x" ? 2 : next == "u" ? 4 : 0
      let code = UInt32(
        String(String.UnicodeScalarView(rest.dropFirst().prefix(digits))), radix: 16)
      if let meant = simple[next] {
        rest.removeFirst()
        result.append(meant)
      } else if digits > 0, rest.count > digits, let code, let meant = Unicode.Scalar(code) {
        rest.removeFirst(1 + digits)
        result.append(meant)
      } else {
        result.append(scalar)
      }
    }
    return String(result)
  }
}

/// A fault of a row, whose place is still to be found, or one that has its place.
enum RowFaultOrData: Error {
  case row(RowFault)
  case data(DataError)
}
