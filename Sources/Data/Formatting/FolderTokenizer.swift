import JSON
import Tensors
import Tokenizers

/// A model's tokenizer, as the peers' formats see it.
public struct FolderTokenizer: TextTokenizer {
  public let tokenizer: Tokenizer
  public let addsBegin: Bool

  /// - Parameters:
  ///   - path: a model's folder or a tokenizer's file.
  ///   - pattern: how a bare tiktoken file's text is cut into words.
  public init(path: String, pattern: String? = nil) throws(DataError) {
    do throws(TokenizerError) { tokenizer = try Tokenizer(path: path, pattern: pattern) } catch {
      throw .tokenizer(error)
    }
    let configuration = try Self.configuration(path)
    let plain = ["PreTrainedTokenizerFast", "PreTrainedTokenizer", "TokenizersBackend"]
    let named = configuration["tokenizer_class"]?.string
    addsBegin =
      configuration["add_bos_token"]?.bool == true && named.map { !plain.contains($0) } == true
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

  public func encode(_ text: [UInt8], addsSpecialTokens: Bool) throws -> [Int32] {
    try tokenizer.encode(text, addsSpecialTokens: addsSpecialTokens)
  }

  public func encoding(_ text: [UInt8], addsSpecialTokens: Bool) throws -> Encoding {
    try tokenizer.encoding(text, addsSpecialTokens: addsSpecialTokens)
  }

  public var templateVariables: JSONObject { tokenizer.special.variables }
}
