import Tensors

extension Tokenizer {
  /// Reads a tokenizer.
  ///
  /// - Parameters:
  ///   - path: a model's folder, of which tokenizer.json counts first, or one file.
  ///   - pattern: how a bare tiktoken file's text is cut into words.
  public convenience init(path: String, pattern: String? = nil) throws(TokenizerError) {
    if let names = try? Folder.names(in: path) {
      guard names.contains("tokenizer.json") else {
        throw .noTokenizer(folder: path, found: names)
      }
      self.init(try Self.pipeline(file: path + "/tokenizer.json", pattern: pattern))
    } else {
      self.init(try Self.pipeline(file: path, pattern: pattern))
    }
  }

  /// Reads one file, of the kind that its bytes show.
  static func pipeline(file: String, pattern: String?) throws(TokenizerError) -> Pipeline {
    let bytes: [UInt8]
    do throws(FileError) { bytes = try InputFile(file).readAll() } catch { throw .file(error) }
    do throws(TokenizerFault) {
      return try Pipeline(tokenizerJSON: bytes)
    } catch {
      throw .content(file: file, error)
    }
  }
}
