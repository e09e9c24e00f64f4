import Foundation
import SafeTensors
import Support
import Synchronization
import Tensors

@testable import Checkpoints

/// A shard that gets its bytes as it is told.
final class GrowingShard: Arrival {
  let name: String
  let size: Int
  let header: Int
  private let bytes: [UInt8]
  private let place: URL
  private let count = Mutex(0)

  /// - Parameter file: what it will be in the end.
  init(_ file: URL, in folder: URL) throws {
    bytes = Array(try Data(contentsOf: file))
    name = file.lastPathComponent
    size = bytes.count
    header = try SafeTensorsFile(file.path).header.dataOffset
    place = folder.appending(path: "\(name).incomplete")
    try Data().write(to: place)
  }

  func grow(to end: Int) {
    let old = count.withLock { $0 }
    guard old < end, let file = try? FileHandle(forWritingTo: place) else { return }
    _ = try? file.seekToEnd()
    try? file.write(contentsOf: Data(bytes[old..<min(end, size)]))
    try? file.close()
    count.withLock { $0 = min(end, size) }
  }

  func available() throws(FileError) -> Int { count.withLock { $0 } }

  func open(as folder: URL) throws -> InputFile {
    try InputFile(
      folder.appending(path: name).path, at: place.path, size: size, arriving: self)
  }
}

/// A model's folder without its weights, which come one by one.
struct GrowingModel {
  let folder: URL
  let shards: [GrowingShard]
  private let source: URL

  /// - Parameter source: a whole folder; nothing of it is in `folder` but what lies beside its weights.
  init(_ source: URL, in folder: URL) throws {
    self.folder = folder.appending(path: "snapshot")
    try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
    self.source = source
    var shards: [GrowingShard] = []
    for name in try Folder.names(in: source.path) {
      let file = source.appending(path: name)
      if name.hasSuffix(".safetensors") {
        shards.append(try GrowingShard(file, in: folder))
      } else {
        try FileManager.default.copyItem(at: file, to: self.folder.appending(path: name))
      }
    }
    self.shards = shards
    for shard in shards { shard.grow(to: shard.header) }
  }

  /// Puts the whole shards into the folder.
  func complete() throws {
    for shard in shards {
      try FileManager.default.copyItem(
        at: source.appending(path: shard.name), to: folder.appending(path: shard.name))
    }
  }

  func open(strict: Bool = true) throws -> HuggingFaceModel {
    try HuggingFaceModel(
      folder: folder.path, isStrict: strict, arriving: shards.map { try $0.open(as: folder) })
  }
}

/// Copies a model with its tensors in about so many shards, in the order of their names.
func shard(_ source: URL, into count: Int, at folder: URL) throws {
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  let weights = try ShardedFolder(source.path)
  for name in try Folder.names(in: source.path)
  where !name.hasSuffix(".safetensors") && name != ShardedFolder.indexName {
    try FileManager.default.copyItem(
      at: source.appending(path: name), to: folder.appending(path: name))
  }
  let names = weights.names.sorted()
  let shards = ShardedFolder.plan(
    tensors: names.map { ($0, weights[$0]?.byteCount ?? 0) },
    maximum: max(1, weights.totalBytes / count))
  var map: [String: String] = [:]
  for shard in shards {
    try SafeTensorsWriter.write(
      path: folder.appending(path: shard.file).path,
      tensors: shard.tensors.map { name in
        let entry = weights[name]
        map[name] = shard.file
        return .init(
          name: name, dtype: entry?.dtype ?? .uint8, shape: entry?.shape ?? [],
          bytes: try weights.runs(of: name).materialised())
      }, metadata: [("format", "pt")])
  }
  guard shards.count > 1 else { return }
  try Data(ShardedFolder.indexJSON(weightMap: map, totalSize: weights.totalBytes))
    .write(to: folder.appending(path: ShardedFolder.indexName))
}

/// Imports a model while it arrives, as `convert` does: what is left to the end comes in the end.
func importArriving(
  _ model: HuggingFaceModel, to folder: URL, _ options: ConversionOptions, workers: Int = 2,
  progress: TransferProgress = TransferProgress()
) throws {
  let plan = try ImportPlan(model, options)
  let needed = plan.transfer.totalBytes + (plan.rest?.bytes ?? 0)
  let staged = try StagedFolder(destination: folder.path, overwrite: false, needed: needed)
  do {
    try plan.transfer.run(in: staged.path, workers: workers, progress: progress)
    if let rest = try plan.rest?.planned() {
      try rest.transfer.run(in: staged.path, workers: workers, progress: progress)
    }
    try staged.publish()
  } catch {
    staged.discard()
    throw error
  }
}
