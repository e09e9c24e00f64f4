import Tensors

extension Tokenizer {
  /// Reads a tokenizer.
  ///
  /// Of a model's folder tokenizer.json counts first, then tokenizer.model, then a tekken or tiktoken file,
  /// then vocab.json with merges.txt or vocab.txt; what kind of file each is shows in its bytes. Python files
  /// are never looked at.
  ///
  /// - Parameters:
  ///   - path: a model's folder, or one file.
  ///   - pattern: how a text is cut into words, for files that do not say it.
  public convenience init(path: String, pattern: String? = nil) throws(TokenizerError) {
    let opening: TokenizerOpening
    if let names = try? Folder.names(in: path) {
      opening = try TokenizerOpening(folder: path, names: names, pattern: pattern)
    } else {
      opening = try TokenizerOpening(file: path, pattern: pattern)
    }
    self.init(opening.pipeline, special: opening.special, templates: opening.templates)
  }

  /// Reads a tokenizer out of a file's bytes, of the kind that they show.
  ///
  /// - Parameter name: what errors call the file.
  public convenience init(
    bytes: [UInt8], name: String, pattern: String? = nil
  ) throws(TokenizerError) {
    self.init(try TokenizerOpening(bytes, name, pattern, .empty).pipeline)
  }
}
