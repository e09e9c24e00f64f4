import Configuration
import Console
import Data
import Glibc
import JSON
import Tensors
import Tokenizers
import Training

/// What reads rows of data, and configurations.
extension FuzzArea {
  /// Rows in any container, made into samples in both styles.
  static let datasets = FuzzArea(name: "datasets") { bytes in
    let template = try ChatTemplate(
      "{% for m in messages %}{{ m.role }}:{{ m.content }}{% if m.role == 'assistant' %}{% generation %}"
        + "{{ m.tool_calls }}{% endgeneration %}{% endif %}\n{% endfor %}")
    try withFile(bytes) { path in
      var limits = ReadingLimits(row: 1 << 20, held: 1 << 24)
      limits.depth = 32
      let rows = try Rows([path], limits: limits)
      for style in FormatStyle.allCases {
        for usesTemplate in [true, false] {
          var options = FormatOptions(style, length: usesTemplate ? nil : 16)
          options.automodel.truncates = true
          options.automodel.masksReasoning = true
          let maker = try SampleMaker(
            tokenizer: ByteTokenizer(), template: usesTemplate ? template : nil, options: options)
          for index in 0..<min(8, rows.count) {
            guard let sample = try? maker.sample(rows, index) else { continue }
            precondition(sample.tokens.count == sample.trained.count, "tokens and masks differ")
          }
        }
      }
      // What was swallowed above must be able to say why.
      let maker = try SampleMaker(
        tokenizer: ByteTokenizer(), template: template, options: FormatOptions(.automodel))
      for index in 0..<min(8, rows.count) { _ = try maker.sample(rows, index) }
    }
  }

  /// A run's configuration: all of it in both purposes, and the sections about data alone.
  ///
  /// The first line is also taken for words of the command line.
  static let configurations = FuzzArea(name: "configurations") { bytes in
    try withFile(bytes) { path in
      let line = String(
        decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }.prefix(512), as: UTF8.self)
      let words = line.split(separator: " ").map(String.init)
      for purpose in RunPurpose.allCases {
        for overrides in [[], words] {
          do {
            let run = try RunConfiguration(
              purpose: purpose, file: path, overrides: overrides, allowsUnknown: true)
            precondition(run.effective().allSatisfy { !$0.key.isEmpty }, "a value without a key")
          } catch {
            precondition(!"\(error)".isEmpty, "an error without words")
          }
        }
      }
      _ = try DataSettings(try ConfigurationSection.load(path))
    }
  }

  /// Calls `body` with a file that holds the bytes.
  private static func withFile(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
    let path = "\(Environment.temporaryFolder)/isthmus-fuzz-\(getpid())"
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard descriptor >= 0 else { throw FileError.cannotOpen(path: path, errno: errno) }
    let written = write(descriptor, bytes, bytes.count)
    close(descriptor)
    defer { unlink(path) }
    guard written == bytes.count else {
      throw FileError.cannotWrite(path: path, offset: 0, errno: errno)
    }
    try body(path)
  }
}

/// A tokenizer whose tokens are bytes, so that what reads rows is tried and nothing else.
private struct ByteTokenizer: TextTokenizer {
  var begin: Int32? { 256 }
  var end: Int32? { 257 }
  var padding: Int32? { nil }
  var addsBegin: Bool { false }
  var templateVariables: JSONObject { ["bos_token": .string("<s>")] }

  func encode(_ text: [UInt8], addsSpecialTokens: Bool) throws -> [Int32] {
    (addsSpecialTokens ? [256] : []) + text.map(Int32.init)
  }

  func encoding(_ text: [UInt8], addsSpecialTokens: Bool) throws -> Encoding {
    Encoding(
      ids: try encode(text, addsSpecialTokens: addsSpecialTokens),
      ranges: (addsSpecialTokens ? [0..<0] : []) + text.indices.map { $0..<$0 + 1 })
  }
}
