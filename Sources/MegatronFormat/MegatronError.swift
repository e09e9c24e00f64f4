import Tensors

/// What is wrong with a Megatron checkpoint: the file or key, what was expected, what was found.
public enum MegatronError: Error, Sendable {
  case file(FileError)
  case pickle(file: String, PickleError)
  case torchFile(TorchFileError)

  // What `.metadata` says.
  case malformedMetadata(file: String, place: String, expected: String, found: String)
  /// Items were transformed (compressed) when written, in a way this program cannot undo.
  case unsupportedTransforms(file: String, key: String, names: [String])
  /// Chunks, tensors and files do not add up; every fault that was found.
  case badChunks(file: String, [ChunkFault])

  // What an item holds.
  case unknownKey(folder: String, key: String)
  /// The item at this place is not the tensor that `.metadata` announces.
  case wrongItem(file: String, offset: Int, key: String, expected: String, found: String)
  /// The file was written with the SAFETENSORS option of PyTorch's writer.
  case safetensorsItem(file: String, key: String)
  case wrongRegion(key: String, region: [Range<Int>], shape: Shape)

  // What a folder is.
  case nothingFound(path: String)
  /// A checkpoint lies there, but of a kind this program does not read.
  case unsupportedFormat(path: String, found: String)
  case missingIteration(tracker: String, wanted: String, present: [String])
  case severalIterations(path: String, [String])
  case malformedTracker(file: String, found: String)
  case unknownBackend(file: String, found: String)
  case malformedFile(file: String, place: String, expected: String, found: String)
  case malformedYAML(file: String, line: Int?, problem: String)
}

extension MegatronError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .file(let error): error.description
    case .pickle(let file, let error): "\(file): \(error)"
    case .torchFile(let error): "\(error)"
    case .malformedMetadata(let file, let place, let expected, let found):
      "\(file) is not what PyTorch writes: at \(place), \(expected) was expected and "
        + "\(found) was found. Copy the checkpoint again, or save it with a released PyTorch."
    case .unsupportedTransforms(let file, let key, let names):
      "\(file): \(key) was stored with \(names.joined(separator: ", ")), which cannot be undone "
        + "here. Save the checkpoint again without compression or other extensions."
    case .badChunks(let file, let faults): describe(faults, in: file)
    case .unknownKey(let folder, let key):
      "\(folder) holds nothing called \(key)."
    case .wrongItem(let file, let offset, let key, let expected, let found):
      "\(file): at byte \(offset), \(key) should be \(expected) but is \(found). "
        + "The file does not belong to this .metadata; copy the whole folder again."
    case .safetensorsItem(let file, let key):
      "\(file): \(key) was saved with SerializationFormat.SAFETENSORS, which is not read. "
        + "Save the checkpoint with the default, SerializationFormat.TORCH_SAVE."
    case .wrongRegion(let key, let region, let shape):
      "\(key) has the shape \(shape); the region "
        + "\(region.map { "\($0.lowerBound)..<\($0.upperBound)" }) does not lie in it."
    default: folderDescription
    }
  }

  private var folderDescription: String {
    switch self {
    case .nothingFound(let path):
      "\(path) holds no checkpoint. Expected is a run folder (latest_train_state.pt or "
        + "latest_checkpointed_iteration.txt beside iter_0000000/), one iteration in it "
        + "(.metadata, __0_0.distcp, metadata.json; or mp_rank_00/model_optim_rng.pt), or a "
        + "NeMo 2 checkpoint (weights/ beside context/)."
    case .unsupportedFormat(let path, let found):
      "\(path) holds \(found), which is not read here."
    case .missingIteration(let tracker, let wanted, let present):
      "\(tracker) names \(wanted), which is not there; "
        + (present.isEmpty
          ? "no other iteration is there either. Copy the checkpoint again."
          : "there are \(present.joined(separator: ", ")). Give the path of one of them.")
    case .severalIterations(let path, let names):
      "\(path) has no latest_train_state.pt or latest_checkpointed_iteration.txt, and several "
        + "iterations: \(names.joined(separator: ", ")). Give the path of one of them."
    case .malformedTracker(let file, let found):
      "\(file) should hold the number of an iteration or the word release, but holds \"\(found)\". "
        + "Give the path of the iteration's folder."
    case .unknownBackend(let file, let found):
      "\(file) names the sharded_backend \"\(found)\"; known are torch_dist and zarr."
    case .malformedFile(let file, let place, let expected, let found):
      "\(file): at \(place), \(expected) was expected and \(found) was found."
    case .malformedYAML(let file, let line, let problem):
      line.map { "\(file), line \($0): \(problem)." } ?? "\(file): \(problem)."
    default: ""
    }
  }

  private func describe(_ faults: [ChunkFault], in file: String) -> String {
    let shown = faults.prefix(20).map { "\n  \($0)" }.joined()
    let more = faults.count > 20 ? "\n  and \(faults.count - 20) more" : ""
    return "\(file): the checkpoint is incomplete or contradicts itself; copy it again, with all "
      + "its .distcp files:\(shown)\(more)"
  }
}
