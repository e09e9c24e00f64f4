import Checkpoints
import Data
import Tensors

/// Where the tokenizer lies that a run names.
enum TokenizerPlace {
  /// The tokenizer's folder or file: of a model's reference the folder in the hub's cache, of a Megatron checkpoint
  /// the one that was saved with it, or else that of the model it is of.
  ///
  /// - Throws: `ConversionError`, `MegatronError` where nothing of that name is found.
  static func find(_ name: String) throws -> String {
    let entries = Folder.entries(name) ?? []
    if Folder.isFile(name) || entries.contains(where: HuggingFaceModel.isTokenizer) { return name }
    guard case .megatron(let run) = try? StoredThing(name) else {
      return Folder.exists(name) ? name : try ModelReference(name).folder()
    }
    let saved = run.folder + "/tokenizer"
    return Folder.isFolder(saved) ? saved : try run.modelFolder()
  }
}
