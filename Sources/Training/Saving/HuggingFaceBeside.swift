import Adapters
import Checkpoints
import Engine
import Hub
import JSON
import Kernels
import Tensors
import Weights

/// The Hugging Face folder that may stand in a checkpoint (`also_save_hf_checkpoint`): `hf` in the iteration's
/// folder, where Megatron-Bridge puts it.
extension RunTransfer {
  /// About how many bytes it has.
  var exportBytes: Int {
    guard places == nil else {
      return trainer.optimiser.states.reduce(1 << 16) { $0 + $1.target.value.count * 4 }
    }
    return trainer.model.parameters.reduce(1 << 20) {
      $0 + $1.value.count * $1.value.numbers.byteWidth
    }
  }

  /// The folder's files: the model with its configuration and tokenizer, or a PEFT folder of the adapters.
  ///
  /// - Parameter checkpoint: the iteration just written, which the weights are read from.
  /// - Throws: `ConversionError`, `AdapterError`.
  func exported(_ checkpoint: String, _ folder: String) throws -> Transfer {
    guard places != nil else {
      return try ExportPlan(model, from: MegatronModel(path: checkpoint), ConversionOptions())
        .transfer
    }
    let states = Dictionary(
      trainer.optimiser.states.map { (ObjectIdentifier($0.target), $0) },
      uniquingKeysWith: { first, _ in first })
    let adapter = try trainer.model.adapter(folder) { learned in
      states[ObjectIdentifier(learned)]?.master ?? learned.value
    }
    return try adapter.peftTransfer(for: model, base: model.name)
  }
}

/// Which files of a folder are a tokenizer's.
enum TokenizerFiles {
  /// - Throws: `FileError` where the folder cannot be read.
  static func names(in folder: String) throws(FileError) -> [String] {
    try Folder.names(in: folder).filter(ModelFiles.isTokenizer)
  }
}
