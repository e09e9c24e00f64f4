import Tensors

/// Which file of a model's folder its tokenizer is read from.
enum TokenizerFolder {
  enum Source {
    case file(String)
    /// vocab.json and merges.txt.
    case merges
    /// vocab.txt.
    case words
  }

  /// - Throws: `TokenizerError.noTokenizer`, or `.severalTokenizers` if files of equal right lie there.
  static func source(_ folder: String, _ names: [String]) throws(TokenizerError) -> Source {
    let files = names.filter { Folder.isFile(folder + "/" + $0) }
    for name in ["tokenizer.json", "tokenizer.model", "tekken.json"] where files.contains(name) {
      return .file(name)
    }
    for ending in [".tiktoken", ".model"] {
      // Versions of one file are written tokenizer.model.v3.
      let found = files.filter { $0.hasSuffix(ending) || $0.contains(ending + ".v") }
      if found.count > 1 { throw .severalTokenizers(folder: folder, found: found) }
      if let name = found.first { return .file(name) }
    }
    if files.contains("vocab.json"), files.contains("merges.txt") { return .merges }
    if files.contains("vocab.txt") { return .words }
    throw .noTokenizer(folder: folder, found: names)
  }
}
