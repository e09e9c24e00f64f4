import Checkpoints
import MegatronFormat
import Tensors

extension Adapter {
  /// The formats adapters come in.
  public enum Format: String, Sendable {
    /// Hugging Face PEFT: adapter_config.json and adapter_model.safetensors (or .bin).
    case peft
    /// mlx-lm: adapter_config.json and adapters.safetensors.
    case mlx
    /// A run folder of Megatron-Bridge or NeMo 2 with adapter keys only.
    case megatron

    /// What lies at a path, by its files' names.
    ///
    /// - Throws: `AdapterError.notFound`.
    public init(of path: String) throws(AdapterError) {
      guard Folder.isFolder(path) else { throw .notFound(path: path) }
      if Folder.isFile("\(path)/adapter_config.json") {
        let isMLX = ["adapters.safetensors", "adapters.npz"].contains {
          Folder.isFile("\(path)/\($0)")
        }
        self = isMLX ? .mlx : .peft
      } else if Folder.isFile("\(path)/adapter_model.safetensors")
        || Folder.isFile("\(path)/adapter_model.bin")
      {
        // Its reader says that the configuration is missing.
        self = .peft
      } else {
        // What else is wrong with a run folder, its reader says.
        do throws(MegatronError) {
          _ = try RunFolder(resolving: path)
        } catch {
          if case .nothingFound = error { throw .notFound(path: path) }
        }
        self = .megatron
      }
    }
  }

  /// Reads the adapter at a path, whatever its format, as changes of this model's tensors.
  ///
  /// - Throws: `AdapterError`, and what reading its files throws.
  public init(reading path: String, for model: HuggingFaceModel) throws {
    let path = Folder.absolute(path)
    switch try Format(of: path) {
    case .peft: try self.init(peft: path, for: model)
    case .mlx: try self.init(mlx: path, for: model)
    case .megatron: try self.init(megatron: path, for: model)
    }
  }
}
