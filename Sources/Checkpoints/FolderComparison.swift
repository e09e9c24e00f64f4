import SafeTensors
import Tensors

/// Two Hugging Face folders held against each other, file by file and byte by byte.
///
/// Where weights differ, it says which tensors do. Files that no export writes (weights of other
/// formats, hidden files) are not looked at.
public struct FolderComparison: Sendable {
  public struct Difference: Sendable {
    public let file: String
    /// What differs: a file missing, its size, a byte, a tensor.
    public let fact: String
  }

  public private(set) var differences: [Difference] = []
  public private(set) var files = 0
  public private(set) var tensors = 0
  public private(set) var bytes = 0

  /// - Parameters:
  ///   - original: the folder that is to come back.
  ///   - folder: what came back.
  public init(
    of original: HuggingFaceModel, with folder: String, workers: Int, progress: TransferProgress
  ) throws {
    let weights = (original.weights?.files ?? []).map { Folder.name($0.path) }
    let wanted =
      (original.weights?.indexBytes == nil ? [] : [ShardedFolder.indexName])
      + original.sideFiles.filter { $0 != ShardedFolder.indexName }
    for name in wanted + weights {
      let path = "\(folder)/\(name)"
      guard Folder.isFile(path) else {
        differences.append(Difference(file: name, fact: "is missing"))
        continue
      }
      let left = try InputFile("\(original.folder)/\(name)")
      let right = try InputFile(path)
      files += 1
      bytes += left.size
      let fault = try Self.fault(left, right, workers: workers, progress)
      if weights.contains(name) {
        let tensorsLeft = TensorSet(try SafeTensorsFile(left.path))
        tensors += tensorsLeft.tensors.count
        guard let fault else { continue }
        let named = try Self.tensorFaults(name, tensorsLeft, path, workers: workers)
        differences += named.isEmpty ? [Difference(file: name, fact: fault)] : named
      } else if let fault {
        differences.append(Difference(file: name, fact: fault))
      }
    }
    let known = Set(wanted + weights)
    for name in Folder.entries(folder) ?? [] where !known.contains(name) {
      differences.append(Difference(file: name, fact: "is not in the original"))
    }
  }

  /// How two files differ; `nil` if they do not.
  private static func fault(
    _ left: InputFile, _ right: InputFile, workers: Int, _ progress: TransferProgress
  ) throws -> String? {
    guard left.size == right.size else {
      return "has \(right.size) bytes instead of \(left.size)"
    }
    let found = try Comparison(
      TensorSet(bytesOf: left), TensorSet(bytesOf: right), workers: workers, progress: progress)
    guard case .values(let values)? = found.differences.first?.kind, let first = values.first else {
      return nil
    }
    let bytes = values.count == 1 ? "1 byte" : "\(values.count) bytes"
    return "differs in \(bytes), first at byte \(first)"
  }

  private static func tensorFaults(
    _ file: String, _ left: TensorSet, _ path: String, workers: Int
  ) throws -> [Difference] {
    let found = try Comparison(left, TensorSet(SafeTensorsFile(path)), workers: workers)
    return found.differences.map { difference in
      let fact =
        switch difference.kind {
        case .missing: "is not in the original"
        case .extra: "is missing"
        case .shape(let a, let b): "has the shape \(b) instead of \(a)"
        case .dtype(let a, let b): "has the type \(b.rawValue) instead of \(a.rawValue)"
        case .values(let values): "differs in \(values.count) of \(difference.shape.count) values"
        }
      return Difference(file: file, fact: "\(difference.name) \(fact)")
    }
  }
}

extension TensorSet {
  /// A whole file as one tensor of bytes.
  fileprivate init(bytesOf file: InputFile) {
    self.init([
      Tensor(name: "bytes", dtype: .uint8, shape: [file.size], pieces: 1) { _ in
        ByteRuns(ByteRun(file: file, offset: 0, length: file.size))
      }
    ])
  }
}
