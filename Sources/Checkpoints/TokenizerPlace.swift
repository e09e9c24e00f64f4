import Hub
import Tensors

/// Where the tokenizer lies that a user or a run names.
public enum TokenizerPlace {
  /// The tokenizer's folder or file: of a model's reference the folder in the hub's cache, of a Megatron checkpoint
  /// the one that was saved with it, or else that of the model it is of.
  ///
  /// - Throws: `ConversionError`, `MegatronError`, `HubError` where nothing of that name is found.
  public static func find(_ name: String) throws -> String {
    let entries = Folder.entries(name) ?? []
    if Folder.isFile(name) || entries.contains(where: ModelFiles.isTokenizer) { return name }
    guard Folder.exists(name) else {
      // What can only be a file is missed by whoever opens it.
      let isFile = [".json", ".model", ".tiktoken", ".txt"].contains { name.hasSuffix($0) }
      let reference = ModelReference(name)
      return isFile || reference.isPath ? name : try reference.folder(.tokenizer)
    }
    guard case .megatron(let run) = try? StoredThing(name) else { return name }
    let saved = run.folder + "/tokenizer"
    return Folder.isFolder(saved) ? saved : try run.modelFolder()
  }
}
