import Foundation
import Hub
import HubStandIn
import JSON
import SafeTensors
import Support
import Tensors
import Testing

@testable import Checkpoints
@testable import Console

/// Exports whose reference lies on the hub: what is fetched of it, and that nothing else is needed.
@Suite struct HubExportTests {
  /// Exports as `convert export` does.
  private func export(
    _ ground: HubGround, _ checkpoint: URL, to target: URL
  ) throws -> Conversion.Carried {
    func planned() throws -> (found: FoundModel, plan: ExportPlan) {
      let found = try ground.find(ground.hub(), needsWeights: false)
      let source = try found.open()
      return (
        found,
        try ExportPlan(source, from: MegatronModel(path: checkpoint.path), ConversionOptions())
      )
    }
    let (found, plan) = try planned()
    var conversion = Conversion(
      name: "export", verb: "Exported", architecture: "", sources: [], destination: target.path,
      tensors: 0, transfer: plan.transfer, notes: plan.notes, next: [])
    conversion.arriving = found.arriving.map { arriving in
      .init(arriving, takesAll: false) {
        let plan = try planned().plan
        return (plan.transfer, plan.notes)
      }
    }
    let arriving = try #require(conversion.arriving)
    return try conversion.carryOut(
      arriving, to: target.path, overwrite: false, workers: 2, TransferProgress())
  }

  @Test(arguments: ["bridge/llama", "bridge/gemma2", "bridge/deepseek_v3", "hf/gpt_neox"])
  func theReferencesHeadersAreEnough(_ path: String) throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try shard(Case(path: path).folder, into: 4, at: source)
      let checkpoint = folder.appending(path: "checkpoint")
      try importModel(source, to: checkpoint, ConversionOptions(tp: 2))
      let ground = try HubGround(source, in: folder)
      let found = try export(ground, checkpoint, to: folder.appending(path: "found"))
      #expect(found.download?.files == 0)
      // A few bytes beyond each header at most, as the stand-in had sent them when the connection ended.
      let headers = try ShardedFolder(source.path).files.reduce(0) { $0 + $1.header.dataOffset }
      let cached = try cachedBytes(in: folder.appending(path: "hub"))
      #expect(cached <= headers + ground.shards.count * 64)
      #expect(try differences(source, folder.appending(path: "found")) == [])
    }
  }

  @Test func withoutTheRecordOfAnImportValuesThatDecideAreFetched() throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try shard(Case(path: "bridge/gemma2").folder, into: 4, at: source)
      let checkpoint = folder.appending(path: "checkpoint")
      try importModel(source, to: checkpoint)
      // As Megatron itself would have written it.
      try FileManager.default.removeItem(
        at: checkpoint.appending(path: "iter_0000000/huggingface"))
      let ground = try HubGround(source, in: folder)
      _ = try export(ground, checkpoint, to: folder.appending(path: "found"))
      #expect(try differences(source, folder.appending(path: "found")) == [])
      try exportModel(checkpoint, like: source, to: folder.appending(path: "expected"))
      #expect(
        try differences(folder.appending(path: "expected"), folder.appending(path: "found")) == [])
    }
  }

  @Test func aTensorThatTheCheckpointHasNotIsFetchedWithItsFileAlone() throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try shard(Case(path: "bridge/llama").folder, into: 4, at: source)
      let checkpoint = folder.appending(path: "checkpoint")
      try importModel(source, to: checkpoint)
      // A buffer beside the weights, which Megatron has no place for; the checkpoint never saw it.
      let weights = try ShardedFolder(source.path)
      let name = "model.layers.0.self_attn.rotary_emb.inv_freq"
      try SafeTensorsWriter.write(
        path: source.path + "/model-00099.safetensors",
        tensors: [
          .init(
            name: name, dtype: .float32, shape: [1_000],
            bytes: (0..<4_000).map { UInt8($0 & 63) })
        ])
      var map = Dictionary(
        uniqueKeysWithValues: weights.tensors.map { key, place in
          (key, Folder.name(weights.files[place.file].path))
        })
      map[name] = "model-00099.safetensors"
      try Data(ShardedFolder.indexJSON(weightMap: map, totalSize: weights.totalBytes + 4_000))
        .write(to: source.appending(path: ShardedFolder.indexName))
      let ground = try HubGround(source, in: folder)
      let found = try export(ground, checkpoint, to: folder.appending(path: "found"))
      #expect(found.download?.files == 1)
      #expect(try differences(source, folder.appending(path: "found")) == [])
    }
  }

  @Test func whereNoConnectionIsAllowedTheSmallFilesAreEnough() throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try shard(Case(path: "bridge/llama").folder, into: 3, at: source)
      let checkpoint = folder.appending(path: "checkpoint")
      try importModel(source, to: checkpoint)
      let ground = try HubGround(source, in: folder)
      _ = try ground.find(ground.hub())
      let requests = ground.standIn.requests.count
      let offline = ground.hub { $0.offline = .init(variable: "HF_HUB_OFFLINE") }
      #expect {
        _ = try ground.find(offline).arriving
      } throws: {
        if case HubError.offline = $0 { true } else { false }
      }
      let source2 = try ground.find(offline, needsWeights: false).open()
      let plan = try ExportPlan(
        source2, from: MegatronModel(path: checkpoint.path), ConversionOptions())
      try execute(plan.transfer, to: folder.appending(path: "found"))
      #expect(try differences(source, folder.appending(path: "found")) == [])
      #expect(ground.standIn.requests.count == requests)
    }
  }

  @Test func whatARepositoryHoldsIsSaidByItsHeaders() throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try shard(Case(path: "bridge/qwen3").folder, into: 4, at: source)
      let ground = try HubGround(source, in: folder)
      let found = try Inspection(ground.find(ground.hub()))
      let expected = try Inspection(.huggingFace(folder: source.path))
      #expect(found.path == "hf://org/model")
      #expect(found.parameters == expected.parameters)
      #expect(found.tensors.names == expected.tensors.names)
      #expect(found.tensorBytes == expected.tensorBytes)
      #expect(found.files.map(\.bytes) == expected.files.map(\.bytes))
      #expect(try cachedBytes(in: folder.appending(path: "hub")) < ground.weightBytes / 2)
    }
  }

  /// The bytes of weights in a cache, whole or not.
  private func cachedBytes(in cache: URL) throws -> Int {
    let blobs = cache.appending(path: "models--org--model/blobs")
    return try Folder.names(in: blobs.path).filter { $0.prefix { $0 != "." }.count == 64 }
      .reduce(0) { $0 + (Folder.size(blobs.path + "/" + $1) ?? 0) }
  }
}
