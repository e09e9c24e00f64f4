import JSON
import MegatronFormat
import Tensors

/// What is wrong with packed data, or with how data is to be packed.
public enum PackingError: Error, Sendable {
  case file(FileError)
  case array(IndexedError)
  case pickle(file: String, PickleError)
  case parquet(file: String)
  /// A pack is not what Megatron-Bridge and NeMo write.
  case malformed(file: String, place: String, expected: String, found: String)
  case metadata(file: String, problem: String)
  case tooLong(sample: Int, tokens: Int, size: Int)
  case empty(sample: Int)
  case nothing
  case wrongSize(Int, multiple: Int)
  case doesNotFit(pack: Int, tokens: Int, limit: Int)
}

extension PackingError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .file(let error): error.description
    case .array(let error): error.description
    case .pickle(let file, let error): "\(file): \(error)"
    case .parquet(let file):
      "\(file) is a parquet file; packed data is read from .npy files. Convert it once: "
        + "python3 -c \"import numpy, pyarrow.parquet as p; "
        + "numpy.save('packed.npy', p.read_table('\(file)').to_pylist())\""
    case .malformed(let file, let place, let expected, let found):
      "\(file): at \(place), \(expected) was expected and \(found) was found. The file should hold packs as "
        + "Megatron-Bridge and NeMo write them: dictionaries of input_ids, loss_mask and seq_start_id."
    case .metadata(let file, let problem):
      "\(file) is not the metadata of packed data: \(problem)."
    case .tooLong(let sample, let tokens, let size):
      "Sample \(sample) has \(tokens) tokens, which do not fit a pack of \(size). Make packs larger, or cut "
        + "or drop long samples."
    case .empty(let sample): "Sample \(sample) has no tokens, so it cannot be packed."
    case .nothing: "There is nothing to pack: no sample is short enough, or there is none."
    case .wrongSize(let size, let multiple):
      "Packs of \(size) tokens cannot be made: the size must be a multiple of \(multiple), above zero."
    case .doesNotFit(let pack, let tokens, let limit):
      "Pack \(pack) has \(tokens) tokens, and only \(limit) are allowed. Raise the sequence length."
    }
  }
}
