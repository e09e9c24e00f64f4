import JSON
import Tensors

extension HuggingFaceModel {
  /// The tokens that end a text, by `generation_config.json` or else by `config.json`.
  public var endTokens: [Int] {
    let path = "\(folder)/generation_config.json"
    // What the file says besides is no business of the engine's; one that is damaged says nothing.
    let bytes = Folder.isFile(path) ? try? InputFile(path).readAll() : nil
    let generation = bytes.flatMap { try? JSON(parsing: $0, allowingNonFinite: true).object }
    let key = "eos_token_id"
    switch generation?[key] ?? configuration[key] ?? configuration["text_config"]?.object?[key] {
    case .array(let tokens): return tokens.compactMap(\.integer)
    case let token: return [token?.integer].compactMap { $0 }
    }
  }
}
