import Architectures
import Blueprint
import Checkpoints
import Foundation
import JSON
import MegatronFormat
import SafeTensors
import Support
import Tensors
import Testing

/// A small checkpoint of another program.
struct Case: CustomTestStringConvertible, Sendable {
  /// `hf/NAME` or `bridge/NAME`.
  var path: String
  var root: URL { Support.data(path) }
  var folder: URL { Support.model(path) }
  var name: String { path.split(separator: "/").last.map(String.init) ?? path }
  var testDescription: String { path }

  func model() throws -> HuggingFaceModel { try HuggingFaceModel(folder: folder.path) }

  static let huggingFace = all(in: "hf")
  static let bridge = all(in: "bridge")

  private static func all(in folder: String) -> [Case] {
    Support.names(in: folder).map { Case(path: "\(folder)/\($0)") }
  }
}

/// A tensor in memory.
struct Stored: Equatable {
  var dtype: DType
  var shape: Shape
  var bytes: [UInt8]
}

extension ByteRuns {
  func materialised() throws -> [UInt8] {
    let buffer = ByteBuffer(capacity: max(1, byteCount))
    try buffer.fill(self)
    return buffer.bytes(0..<byteCount)
  }
}

// MARK: - Conversions

/// What `convert` does with a plan.
func execute(
  _ transfer: Transfer, to folder: URL, overwrite: Bool = false, workers: Int = 2
) throws {
  let staged = try StagedFolder(
    destination: folder.path, overwrite: overwrite, needed: transfer.totalBytes)
  do {
    try transfer.run(in: staged.path, workers: workers, progress: TransferProgress())
    try staged.publish()
  } catch {
    staged.discard()
    throw error
  }
}

@discardableResult
func importModel(
  _ source: URL, to folder: URL, _ options: ConversionOptions = ConversionOptions()
) throws -> ImportPlan {
  let model = try HuggingFaceModel(folder: source.path, isStrict: options.isStrict)
  let plan = try ImportPlan(model, options)
  try execute(plan.transfer, to: folder)
  return plan
}

@discardableResult
func exportModel(
  _ checkpoint: URL, like source: URL, to folder: URL,
  _ options: ConversionOptions = ConversionOptions()
) throws -> ExportPlan {
  let model = try HuggingFaceModel(folder: source.path, isStrict: options.isStrict)
  let plan = try ExportPlan(model, from: MegatronModel(path: checkpoint.path), options)
  try execute(plan.transfer, to: folder)
  return plan
}

extension ConversionOptions {
  init(
    dtype: DType? = nil, tp: Int = 1, pp: Int = 1, ep: Int = 1, etp: Int = 1, strict: Bool = true
  ) {
    self.init()
    self.dtype = dtype
    sizes = ParallelSizes(tensor: tp, pipeline: pp, expert: ep, expertTensor: etp)
    isStrict = strict
  }
}

// MARK: - Folders

/// Every file below a folder, by its path in it.
func contents(of folder: URL) throws -> [String: Data] {
  var files: [String: Data] = [:]
  func visit(_ path: String) throws {
    for name in try Folder.names(in: folder.path + path) {
      let inner = path + "/" + name
      if Folder.isFolder(folder.path + inner) {
        try visit(inner)
      } else {
        files[String(inner.dropFirst())] = try Data(
          contentsOf: URL(filePath: folder.path + inner))
      }
    }
  }
  try visit("")
  return files
}

/// What two folders differ in, in words; empty where they hold the same files byte for byte.
func differences(_ left: URL, _ right: URL) throws -> [String] {
  let (left, right) = (try contents(of: left), try contents(of: right))
  return Set(left.keys).union(right.keys).sorted().compactMap { name in
    guard let a = left[name] else { return "\(name) is only in the second" }
    guard let b = right[name] else { return "\(name) is only in the first" }
    return a == b ? nil : "\(name) differs"
  }
}

/// All tensors of a Hugging Face folder.
func tensors(of folder: URL) throws -> [String: Stored] {
  let weights = try ShardedFolder(folder.path)
  var result: [String: Stored] = [:]
  for (name, location) in weights.tensors {
    result[name] = Stored(
      dtype: location.entry.dtype, shape: location.entry.shape,
      bytes: try weights.runs(of: name).materialised())
  }
  return result
}

/// All tensors of a Megatron checkpoint's model.
func tensors(ofMegatron folder: URL) throws -> [String: Stored] {
  try MegatronModel(path: folder.path).tensors.mapValues { tensor in
    Stored(
      dtype: tensor.dtype, shape: tensor.shape, bytes: try tensor.runs().materialised())
  }
}

/// Where two sets of tensors differ, in words.
func differences(_ left: [String: Stored], _ right: [String: Stored]) -> [String] {
  Set(left.keys).union(right.keys).sorted().compactMap { name in
    guard let a = left[name] else { return "\(name) is only in the second" }
    guard let b = right[name] else { return "\(name) is only in the first" }
    if a.dtype != b.dtype || a.shape != b.shape {
      return "\(name): \(a.dtype) \(a.shape) and \(b.dtype) \(b.shape)"
    }
    return a.bytes == b.bytes ? nil : "\(name) has other bytes"
  }
}

/// Writes a model of one file with these tensors; configuration keys replace those of `source`.
func writeModel(
  _ tensors: [String: Stored], like source: URL, to folder: URL,
  changing keys: [String: JSON] = [:]
) throws {
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  var configuration = try HuggingFaceModel.configuration(in: source.path)
  for (key, value) in keys { configuration[key] = value }
  try Data(JSON.object(configuration).serializedBytes(.compact))
    .write(to: folder.appending(path: "config.json"))
  try SafeTensorsWriter.write(
    path: folder.appending(path: "model.safetensors").path,
    tensors: tensors.sorted { $0.key < $1.key }.map { name, tensor in
      .init(name: name, dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.bytes)
    })
}

/// Writes a distributed checkpoint of whole tensors, without anything around it.
func writeMegatron(_ tensors: [String: Stored], to folder: URL) throws {
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  var plan = DistributedWritePlan()
  let sorted = tensors.sorted { $0.key < $1.key }
  for (key, tensor) in sorted {
    try plan.add(
      tensor: key, dtype: tensor.dtype, shape: tensor.shape,
      offsets: tensor.shape.dimensions.map { _ in 0 }, sizes: tensor.shape,
      file: DistributedWritePlan.fileName(rank: 0))
  }
  let layout = try plan.finish()
  let file = try OutputFile(
    creating: folder.appending(path: DistributedWritePlan.fileName(rank: 0)).path)
  for (item, entry) in zip(layout.items, sorted) {
    let bytes = entry.value.bytes
    let start = item.offset + item.archive.dataOffset
    try file.write(item.archive.prefix, at: item.offset)
    try file.write(bytes, at: start)
    try file.write(item.archive.suffix(crc32: crc32(bytes)), at: start + bytes.count)
  }
  try Data(layout.encodedMetadata()).write(to: folder.appending(path: ".metadata"))
  try Data(BackendMetadata.bytes).write(to: folder.appending(path: "metadata.json"))
}
