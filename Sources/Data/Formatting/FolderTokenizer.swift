import JSON
import Tensors
import Tokenizers

/// A model's tokenizer, with what the folder's configuration says of the tokens around a text.
///
/// Where tokenizer_config.json has `add_bos_token` or `add_eos_token`, transformers puts these tokens around a text in
/// place of what tokenizer.json does.
public struct FolderTokenizer: TextTokenizer {
  public let tokenizer: Tokenizer
  public let addsBegin: Bool?
  public let addsEnd: Bool?

  /// - Parameters:
  ///   - path: a model's folder or a tokenizer's file.
  ///   - pattern: how a bare tiktoken file's text is cut into words.
  public init(path: String, pattern: String? = nil) throws(DataError) {
    do throws(TokenizerError) { tokenizer = try Tokenizer(path: path, pattern: pattern) } catch {
      throw .tokenizer(error)
    }
    let configuration = try Self.configuration(path)
    addsBegin = configuration["add_bos_token"]?.bool
    addsEnd = configuration["add_eos_token"]?.bool
  }

  /// The folder's tokenizer_config.json; empty where there is none.
  private static func configuration(_ path: String) throws(DataError) -> JSONObject {
    let folder = Folder.isFolder(path) ? path : Folder.parent(Folder.absolute(path))
    let file = folder + "/tokenizer_config.json"
    guard Folder.isFile(file) else { return JSONObject() }
    let bytes: [UInt8]
    do throws(FileError) { bytes = try InputFile(file).readAll() } catch { throw .file(error) }
    let text = RowText(bytes: bytes, offset: 0, line: 1, column: 1)
    guard let object = try text.json(in: file, ReadingLimits()).object else {
      throw .notAnObject(Place(file: file, line: 1))
    }
    return object
  }

  public var begin: Int32? { tokenizer.special.bos?.id }
  public var end: Int32? { tokenizer.special.eos?.id }
  public var padding: Int32? { tokenizer.special.pad?.id }

  /// The tokens around a text; `nil` if the tokenizer's own file says them.
  private var around: (before: [Int32], behind: [Int32])? {
    guard addsBegin != nil || addsEnd != nil else { return nil }
    return (
      addsBegin == true ? [begin].compactMap { $0 } : [],
      addsEnd == true ? [end].compactMap { $0 } : []
    )
  }

  public func encode(_ text: [UInt8], addsSpecialTokens: Bool) throws -> [Int32] {
    guard addsSpecialTokens, let around else {
      return try tokenizer.encode(text, addsSpecialTokens: addsSpecialTokens)
    }
    return around.before + (try tokenizer.encode(text)) + around.behind
  }

  public func encoding(_ text: [UInt8], addsSpecialTokens: Bool) throws -> Encoding {
    guard addsSpecialTokens, let around else {
      return try tokenizer.encoding(text, addsSpecialTokens: addsSpecialTokens)
    }
    let inner = try tokenizer.encoding(text)
    let (before, behind) = around
    return Encoding(
      ids: before + inner.ids + behind,
      ranges: before.map { _ in 0..<0 } + inner.ranges
        + behind.map { _ in text.count..<text.count })
  }

  public var templateVariables: JSONObject {
    let special = tokenizer.special
    var variables = JSONObject()
    let named = [
      ("bos_token", special.bos), ("eos_token", special.eos), ("unk_token", special.unk),
      ("pad_token", special.pad),
    ]
    for (name, token) in named {
      if let token { variables[name] = .string(token.text) }
    }
    for (name, token) in special.others where variables[name] == nil {
      variables[name] = .string(token.text)
    }
    return variables
  }
}
