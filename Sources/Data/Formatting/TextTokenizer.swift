import JSON
import Tokenizers

/// What making samples needs of a tokenizer.
public protocol TextTokenizer: Sendable {
  /// The tokens of a UTF-8 text.
  ///
  /// - Parameter addsSpecialTokens: whether the tokens that the tokenizer puts around a text are put there.
  func encode(_ text: [UInt8], addsSpecialTokens: Bool) throws -> [Int32]
  /// The same with the bytes of each token in the text.
  func encoding(_ text: [UInt8], addsSpecialTokens: Bool) throws -> Encoding
  /// The tokens that begin and end a sequence, and the one that fills it up.
  var begin: Int32? { get }
  var end: Int32? { get }
  var padding: Int32? { get }
  /// Whether the tokenizer says of itself that it puts a token before a text: transformers' attribute
  /// `add_bos_token`, which classes for any tokenizer.json lack, whatever the file or its configuration does.
  /// Automodel counts a prompt's tokens by it.
  var addsBegin: Bool { get }
  /// The variables that templates find the special tokens in: `bos_token`, `eos_token` …
  var templateVariables: JSONObject { get }
}

extension TextTokenizer {
  func tokens(_ text: String, addsSpecialTokens: Bool = false) throws(DataError) -> [Int32] {
    do { return try encode(Array(text.utf8), addsSpecialTokens: addsSpecialTokens) } catch {
      throw .tokenizer(error)
    }
  }

  func encoded(_ text: String, addsSpecialTokens: Bool = false) throws(DataError) -> Encoding {
    do { return try encoding(Array(text.utf8), addsSpecialTokens: addsSpecialTokens) } catch {
      throw .tokenizer(error)
    }
  }

  /// The tokens of a text with its special ones, of which at most `limit` are kept: text is cut on the right, the
  /// special tokens stay.
  func tokens(_ text: String, limit: Int?) throws(DataError) -> [Int32] {
    let full = try tokens(text, addsSpecialTokens: true)
    guard let limit, full.count > limit else { return full }
    let plain = try tokens(text)
    let extra = full.count - plain.count
    guard extra > 0, let lead = (0...extra).first(where: { full[$0...].starts(with: plain) })
    else { return Array(full.prefix(limit)) }
    let kept = max(0, limit - extra)
    return Array(full[..<lead] + plain.prefix(kept) + full[(lead + plain.count)...])
  }
}
