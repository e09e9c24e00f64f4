import Tensors

/// Where a checkpoint lies: a path that a user gave, resolved to one iteration and its format.
///
/// It looks at names only; the files are read by the functions beside this one and by
/// `DistributedCheckpoint`.
public struct RunFolder: Equatable, Sendable {
  public enum Format: String, Equatable, Sendable {
    /// Megatron-Core's distributed checkpoint in PyTorch's container.
    case torchDist
    /// `torch.distributed.checkpoint.save` alone, without Megatron's `metadata.json`.
    case plainDCP
    /// One `model_optim_rng.pt` per rank.
    case legacyTorch
    /// Megatron-Core's distributed checkpoint, one zarr folder per tensor.
    case zarr
    /// NeMo 2: a distributed checkpoint in `weights/`, its configuration in `context/`.
    case nemo2
  }

  /// The path as given, without trailing slashes.
  public let path: String
  /// The folder of the iteration: `run_config.yaml` and `train_state.pt` lie here.
  public let folder: String
  /// The folder with the weights: `folder`, or `weights/` in it (NeMo 2).
  public let weights: String
  public let format: Format
  /// What a distributed checkpoint's `metadata.json` says.
  public let backend: BackendMetadata?
  /// The number in the folder's name or the tracker; `nil` for `release` and bare folders.
  public let iteration: Int?

  /// Resolves a run folder, one iteration in it, or a bare checkpoint folder.
  ///
  /// In a run folder, `latest_train_state.pt` decides, then `latest_checkpointed_iteration.txt`,
  /// then there must be exactly one iteration.
  /// - Throws: `MegatronError.nothingFound`, `.missingIteration`, `.severalIterations`,
  ///   `.malformedTracker`, `.unknownBackend`, `.unsupportedFormat`, or `.file`.
  public init(resolving path: String) throws(MegatronError) {
    var path = path
    while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
    guard Folder.isFolder(path) else { throw .nothingFound(path: path) }
    if let found = try Self.contents(of: path) {
      self.init(path: path, folder: path, found, iteration: Self.iteration(in: path))
      return
    }
    let (name, tracker) = try Self.chosenIteration(in: path)
    let folder = path + "/" + name
    guard let found = try Self.contents(of: folder) else {
      if let tracker, !Folder.isFolder(folder) {
        throw .missingIteration(
          tracker: tracker, wanted: name, present: try Self.iterations(in: path))
      }
      throw .nothingFound(path: folder)
    }
    self.init(path: path, folder: folder, found, iteration: Self.iteration(in: folder))
  }

  private init(path: String, folder: String, _ contents: Contents, iteration: Int?) {
    self.path = path
    self.folder = folder
    weights = contents.weights
    format = contents.format
    backend = contents.backend
    self.iteration = iteration
  }

  // MARK: What lies in a folder

  private struct Contents {
    let weights: String
    let format: Format
    let backend: BackendMetadata?
  }

  /// The checkpoint that lies directly in a folder, or `nil` if none does.
  private static func contents(of folder: String) throws(MegatronError) -> Contents? {
    if let backend = try BackendMetadata(ifIn: folder) {
      let format: Format = backend.sharded == .torchDist ? .torchDist : .zarr
      if backend.sharded == .torchDist, !Folder.isFile(folder + "/.metadata") {
        throw .malformedFile(
          file: folder + "/metadata.json", place: "sharded_backend",
          expected: "a .metadata file beside it, as torch_dist writes", found: "none")
      }
      return Contents(weights: folder, format: format, backend: backend)
    }
    if Folder.isFile(folder + "/.metadata") {
      return Contents(weights: folder, format: .plainDCP, backend: nil)
    }
    if Folder.isFile(folder + "/__0.metadata") {
      throw .unsupportedFormat(
        path: folder, found: "a distributed checkpoint with one .metadata per rank")
    }
    if Folder.isFolder(folder + "/weights") {
      if let backend = try BackendMetadata(ifIn: folder + "/weights") {
        return Contents(weights: folder + "/weights", format: .nemo2, backend: backend)
      }
      if Folder.isFile(folder + "/weights/.metadata") {
        return Contents(weights: folder + "/weights", format: .nemo2, backend: nil)
      }
    }
    guard Folder.isFolder(folder) else { return nil }
    let names: [String]
    do throws(FileError) { names = try Folder.names(in: folder) } catch { throw .file(error) }
    if names.contains(where: { name in
      name.hasPrefix("mp_rank_")
        && Folder.isFile("\(folder)/\(name)/model_optim_rng.pt")
        || name.hasPrefix("mp_rank_") && Folder.isFile("\(folder)/\(name)/model_rng.pt")
    }) {
      return Contents(weights: folder, format: .legacyTorch, backend: nil)
    }
    return nil
  }

  // MARK: Which iteration

  /// The folder's name that a tracker (also returned) names, or that is the only one.
  private static func chosenIteration(
    in path: String
  ) throws(MegatronError) -> (name: String, tracker: String?) {
    let state = path + "/latest_train_state.pt"
    if Folder.isFile(state) {
      return (folderName(iteration: try TrainState(reading: state).step), state)
    }
    let tracker = path + "/latest_checkpointed_iteration.txt"
    if case .file(let size)? = Folder.kind(tracker) {
      let text = try Self.trackerText(tracker, size)
      if text == "release" { return (text, tracker) }
      guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(text)
      else { throw .malformedTracker(file: tracker, found: text) }
      return (folderName(iteration: number), tracker)
    }
    let present = try iterations(in: path)
    guard present.count <= 1 else { throw .severalIterations(path: path, present) }
    guard let only = present.first else { throw .nothingFound(path: path) }
    return (only, nil)
  }

  private static func trackerText(_ file: String, _ size: Int) throws(MegatronError) -> String {
    let bytes: [UInt8]
    do throws(FileError) { bytes = try InputFile(file).read(0..<min(size, 64)) } catch {
      throw .file(error)
    }
    let isSpace = { (byte: UInt8) in byte == 32 || (9...13).contains(byte) }
    var text = bytes.drop(while: isSpace)
    while let last = text.last, isSpace(last) { text.removeLast() }
    return String(decoding: text, as: UTF8.self)
  }

  /// The folders in a run that are named like an iteration, sorted.
  private static func iterations(in path: String) throws(MegatronError) -> [String] {
    do throws(FileError) {
      return try Folder.names(in: path).filter {
        ($0 == "release" || iteration(in: $0) != nil) && Folder.isFolder(path + "/" + $0)
      }
    } catch { throw .file(error) }
  }

  /// The number at the end of `…/iter_0000010`.
  private static func iteration(in path: String) -> Int? {
    let name = path.utf8.split(separator: UInt8(ascii: "/")).last.map(Substring.init) ?? ""
    guard name.hasPrefix("iter_") else { return nil }
    let digits = name.utf8.dropFirst(5)
    return !digits.isEmpty && digits.allSatisfy { (48...57).contains($0) }
      ? Int(Substring(digits)) : nil
  }

  /// The iteration that a folder's own name says; `nil` where it says none.
  public static func step(in path: String) -> Int? { iteration(in: path) }

  /// The name of an iteration's folder: `iter_0000010`.
  public static func folderName(iteration: Int) -> String {
    let digits = "\(iteration)"
    return "iter_" + String(repeating: "0", count: max(0, 7 - digits.count)) + digits
  }

  /// The bytes of `latest_checkpointed_iteration.txt`.
  public static func trackerBytes(iteration: Int) -> [UInt8] { Array("\(iteration)".utf8) }
}
