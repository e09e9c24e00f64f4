import Foundation
import SafeTensors
import Support
import Tensors
import Testing

@testable import MegatronFormat

/// Reading: every example is a folder that PyTorch or Megatron wrote, beside its tensors' values.
@Suite struct DistributedCheckpointTests {
  static let formats = Support.names(in: "formats").filter {
    ($0.hasPrefix("td_") || ["bridge_lora_tp2", "minimal_written"].contains($0))
      && !$0.contains(".")
  }
  static let plain = ["2.4.1", "2.6.0", "2.9.0", "2.13.0"].map { "plain_dcp_" + $0 }
    .filter { FileManager.default.fileExists(atPath: Support.data("formats/\($0)").path) }
  static let bridge = Support.names(in: "bridge").flatMap { model in
    Support.names(in: "bridge/\(model)").compactMap { name in
      FileManager.default.fileExists(
        atPath: Support.data("bridge/\(model)/\(name)/latest_train_state.pt").path)
        ? "bridge/\(model)/\(name)" : nil
    }
  }

  private func open(_ path: String) throws -> DistributedCheckpoint {
    try DistributedCheckpoint(folder: RunFolder(resolving: Support.data(path).path).weights)
  }

  private func bytes(_ runs: ByteRuns) throws -> [UInt8] {
    let buffer = ByteBuffer(capacity: max(1, runs.byteCount))
    try buffer.fill(runs)
    return buffer.bytes(0..<runs.byteCount)
  }

  /// All tensors are those of the file, and all of the file's are there.
  private func expectEqual(_ checkpoint: DistributedCheckpoint, _ expected: URL) throws {
    let file = try SafeTensorsFile(expected.path)
    #expect(Set(checkpoint.tensors.keys) == Set(file.header.tensors.map(\.name)))
    for entry in file.header.tensors {
      let tensor = try #require(checkpoint.tensors[entry.name])
      #expect(tensor.dtype == entry.dtype)
      #expect(tensor.shape == entry.shape)
      let found = try bytes(tensor.runs())
      #expect(try found == bytes(file.runs(of: entry.name)), "\(entry.name)")
    }
  }

  @Test func examplesAreThere() {
    #expect(!Self.formats.isEmpty)
    #expect(!Self.plain.isEmpty)
    #expect(!Self.bridge.isEmpty)
  }

  @Test(arguments: formats)
  func everyTensorOfAMegatronCheckpointIsGatheredBitForBit(name: String) throws {
    try expectEqual(
      open("formats/" + name), Support.data("formats/\(name).expected.safetensors"))
  }

  /// The expected values were loaded by PyTorch 2.13's `dcp.load`.
  @Test(arguments: plain)
  func everyTensorOfAPlainCheckpointIsGatheredBitForBit(name: String) throws {
    let checkpoint = try open("formats/" + name)
    try expectEqual(checkpoint, Support.data("formats/\(name).expected.safetensors"))
    #expect(
      checkpoint.metadata.paths["opt.x.2.y"] == [
        .name("opt"), .name("x"), .index(2), .name("y"),
      ])
  }

  @Test(arguments: bridge)
  func everyTensorOfABridgeCheckpointIsThereAndUndamaged(path: String) throws {
    let checkpoint = try open(path)
    for key in checkpoint.keys {
      guard let tensor = checkpoint.tensors[key] else { continue }
      #expect(try tensor.runs().byteCount == tensor.shape.checkedByteCount(tensor.dtype))
    }
    for key in checkpoint.objectKeys { _ = try checkpoint.object(key) }
    var read = 0
    try checkpoint.verify { read = $0 }
    #expect(read > 0)
  }

  @Test(arguments: formats)
  func anyRegionIsThatPartOfTheWhole(name: String) throws {
    let checkpoint = try open("formats/" + name)
    var state: UInt64 = 42
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    for tensor in checkpoint.tensors.values.sorted(by: { $0.key < $1.key }) {
      let whole = try bytes(tensor.runs())
      for _ in 0..<6 {
        let region = tensor.shape.dimensions.map { size in
          let first = random(size)
          return first..<first + 1 + random(size - first)
        }
        var expected: [UInt8] = []
        func visit(_ axis: Int, _ index: Int) {
          if axis == region.count {
            let width = tensor.dtype.byteWidth
            expected += whole[index * width..<(index + 1) * width]
            return
          }
          for position in region[axis] { visit(axis + 1, index * tensor.shape[axis] + position) }
        }
        visit(0, 0)
        #expect(try bytes(tensor.runs(region: region)) == expected, "\(tensor.key) \(region)")
      }
    }
  }

  @Test func oneLayerOfAStackedTensorIsOneRun() throws {
    let checkpoint = try open("formats/td_gpt_tp1")
    let tensor = try #require(checkpoint.tensors["decoder.layers.self_attention.linear_qkv.weight"])
    let region = [1..<2] + tensor.shape.dimensions.dropFirst().map { 0..<$0 }
    #expect(try tensor.runs(region: region).runs.count == 1)
  }

  @Test func aRegionOutsideTheTensorIsRefused() throws {
    let checkpoint = try open("formats/td_gpt_tp1")
    let tensor = try #require(checkpoint.tensors["embedding.word_embeddings.weight"])
    #expect(throws: MegatronError.self) { try tensor.runs(region: [0..<49, 0..<16]) }
    #expect(throws: MegatronError.self) { try tensor.runs(region: [0..<1]) }
    #expect(try tensor.runs(region: [3..<3, 0..<16]).byteCount == 0)
  }

  @Test func aMegatronObjectIsTakenOutOfItsList() throws {
    let checkpoint = try open("formats/td_v019_gpt_tp1")
    guard case .dictionary(let common) = try checkpoint.object(CommonState.objectKey),
      case .float(3.0)? = common["checkpoint_version"], case .integer(10)? = common["iteration"]
    else {
      Issue.record("no common state")
      return
    }
  }

  @Test(arguments: plain)
  func aPlainObjectIsWhatWasSaved(name: String) throws {
    guard case .integer(let iteration) = try open("formats/" + name).object("iteration") else {
      Issue.record("no integer")
      return
    }
    #expect(iteration == 7)
  }

  @Test(arguments: [
    ("rng_state/shard_0.1_2.2", true), ("common_state/shard_0_1", true),
    ("x._extra_state/shard_1", true), ("iteration", false), ("a/shard_x", false),
    ("a/shard_", false), ("shard_0_1", false),
  ])
  func onlyShardKeysAreMegatronObjects(key: String, isObject: Bool) {
    #expect(DistributedCheckpoint.isMegatronObject(key) == isObject)
  }

  @Test func anUnknownObjectIsRefusedByName() throws {
    let checkpoint = try open("formats/td_gpt_tp1")
    #expect {
      try checkpoint.object("nothing")
    } throws: {
      guard case .unknownKey(_, "nothing")? = $0 as? MegatronError else { return false }
      return true
    }
  }

  @Test func workersMayAskAtOnce() async throws {
    let checkpoint = try open("formats/td_gpt_tp2_pp2")
    let expected = try bytes(ByteRuns(of: checkpoint))
    let results = try await withThrowingTaskGroup(of: [UInt8].self) { group in
      for _ in 0..<8 { group.addTask { try self.bytes(ByteRuns(of: checkpoint)) } }
      return try await group.reduce(into: [[UInt8]]()) { $0.append($1) }
    }
    #expect(results.allSatisfy { $0 == expected })
  }
}

extension ByteRuns {
  /// All tensors, one behind the other.
  fileprivate init(of checkpoint: DistributedCheckpoint) throws {
    self.init()
    for key in checkpoint.keys {
      if let tensor = checkpoint.tensors[key] { append(try tensor.runs()) }
    }
  }
}
