import Adapters
import Checkpoints
import Foundation
import MegatronFormat
import Support
import Tensors
import Testing

/// Adapters written as Megatron-Bridge writes them.
@Suite struct MegatronWritingTests {
  @Test(arguments: MegatronCase.all)
  func writtenAgainTheyHaveThePeersTensors(_ item: MegatronCase) throws {
    let adapter = try item.read()
    try Support.withTemporaryFolder { folder in
      try item.write(adapter, to: folder)
      let ours = try MegatronModel(path: folder.path).tensors
      let peers = try MegatronModel(path: item.folder.path).tensors
      #expect(Set(ours.keys) == Set(peers.keys))
      for (key, tensor) in peers {
        let written = try #require(ours[key], "\(key)")
        #expect(written.shape == tensor.shape && written.dtype == tensor.dtype, "\(key)")
        #expect(
          try written.runs().materialised() == tensor.runs().materialised(), "\(key)")
      }
    }
  }

  @Test(arguments: MegatronCase.all)
  func writtenAgainTheyHaveThePeersSettings(_ item: MegatronCase) throws {
    let adapter = try item.read()
    try Support.withTemporaryFolder { folder in
      try item.write(adapter, to: folder)
      let run = try RunFolder(resolving: folder.path)
      let (written, stored) = (
        try run.runConfig(), try RunFolder(resolving: item.folder.path).runConfig()
      )
      let ours = try #require(written?["peft"]?.map)
      let peers = try #require(stored?["peft"]?.map)
      for entry in peers.entries {
        let key = try #require(entry.key.string)
        let own = try #require(ours[key], "\(key)")
        if key == "target_modules" {
          // The peer's are what was asked for, ours what there is.
          #expect(Set(own.list ?? []).isSubset(of: Set(entry.value.list ?? [])))
        } else if case (.set(let own), .set(let others)) = (own, entry.value) {
          #expect(Set(own) == Set(others), "\(key)")
        } else if key == "canonical_mapping" {
          #expect(own.sortedSets == entry.value.sortedSets)
        } else {
          #expect(own == entry.value, "\(key)")
        }
      }
      #expect(ours.entries.count == peers.entries.count)
      #expect(written?["checkpoint", "pretrained_checkpoint"]?.string == "the/base")
      #expect(try run.commonState() != nil && run.trainState()?.step == 0)
    }
  }

  @Test(arguments: MegatronCase.all.filter { $0.adapter == "lora_canonical" })
  func fusedTheyHaveTheSameProducts(_ item: MegatronCase) throws {
    let adapter = try item.read()
    try Support.withTemporaryFolder { folder in
      try item.write(adapter, to: folder, fused: true)
      let model = try HuggingFaceModel(folder: item.source.path)
      let fused = try Adapter(megatron: folder.path, for: model)
      #expect(Set(fused.changes.keys) == Set(adapter.changes.keys))
      for (name, changes) in adapter.changes {
        let (low, joined) = (
          try #require(changes.first?.lowRank), try #require(fused.changes[name]?.first?.lowRank)
        )
        #expect(joined.rank == 24 && joined.scale == 2)
        // Zeros change nothing of a sum, so the products are equal to the bit.
        #expect(try joined.product() == low.product(), "\(name)")
      }
      let keys = try MegatronModel(path: folder.path).tensors.keys
      #expect(!keys.contains { $0.contains("adapter_") })
    }
  }

  @Test func whatOneLayerLacksIsZeros() throws {
    let item = MegatronCase(model: "llama", adapter: "lora")
    var adapter = try item.read()
    let lacking = "model.layers.1.mlp.down_proj.weight"
    adapter.changes[lacking] = nil
    try Support.withTemporaryFolder { folder in
      try item.write(adapter, to: folder)
      let back = try Adapter(
        megatron: folder.path, for: HuggingFaceModel(folder: item.source.path))
      let low = try #require(back.changes[lacking]?.first?.lowRank)
      #expect(try low.product().allSatisfy { $0 == 0 })
      let other = "model.layers.0.mlp.down_proj.weight"
      let (own, first) = (
        try #require(back.changes[other]?.first?.lowRank),
        try #require(adapter.changes[other]?.first?.lowRank)
      )
      #expect(try own.b.bytes() == first.b.bytes())
    }
  }

  @Test(arguments: MegatronCase.all.filter { $0.adapter == "lora_canonical" })
  func whatLayersLackOfTheirPartsIsZeros(_ item: MegatronCase) throws {
    var adapter = try item.read()
    for layer in 0..<2 {
      for name in ["self_attn.k_proj", "mlp.up_proj"] {
        adapter.changes["model.layers.\(layer).\(name).weight"] = nil
      }
    }
    try Support.withTemporaryFolder { folder in
      try item.write(adapter, to: folder)
      // Megatron-Bridge cannot load a layer that lacks a part.
      let ours = try MegatronModel(path: folder.path).tensors
      #expect(try Set(ours.keys) == Set(MegatronModel(path: item.folder.path).tensors.keys))
      let back = try Adapter(
        megatron: folder.path, for: HuggingFaceModel(folder: item.source.path))
      for (name, changes) in back.changes {
        let product = try #require(changes.first?.lowRank).product()
        let wanted = try adapter.changes[name]?.first?.lowRank?.product()
        #expect(product == wanted ?? product.map { _ in 0 }, "\(name)")
      }
    }
  }

  @Test func unlikeFactorsGoIntoB() throws {
    let item = MegatronCase(model: "llama", adapter: "lora")
    var adapter = try item.read()
    let name = "model.layers.0.self_attn.o_proj.weight"
    var low = try #require(adapter.changes[name]?.first?.lowRank)
    low.scale = 0.3
    adapter.changes[name] = [Change(.lowRank(low))]
    try Support.withTemporaryFolder { folder in
      try item.write(adapter, to: folder)
      let back = try Adapter(
        megatron: folder.path, for: HuggingFaceModel(folder: item.source.path))
      for (name, changes) in adapter.changes {
        let ours = try #require(back.changes[name]?.first?.lowRank).product()
        let wanted = try #require(changes.first?.lowRank).product()
        let off = zip(ours, wanted).count { (a: Float, b: Float) -> Bool in
          (a - b).magnitude > b.magnitude * 1e-5 + 1e-7
        }
        #expect(off == 0, "\(name)")
      }
    }
  }

  @Test func whatHasNoPlaceIsRefused() throws {
    let item = MegatronCase(model: "llama", adapter: "lora")
    let model = try HuggingFaceModel(folder: item.source.path)
    let adapter = try item.read()
    func refusal(_ change: (inout Adapter) -> Void) -> String? {
      var changed = adapter
      change(&changed)
      do {
        _ = try changed.megatronTransfer(for: model, fused: false, pretrained: nil)
        return nil
      } catch {
        return "\(error)"
      }
    }
    let name = "model.layers.0.self_attn.o_proj.weight"
    let low = try #require(adapter.changes[name]?.first?.lowRank)
    #expect(
      refusal { $0.changes["model.embed_tokens.weight"] = $0.changes[name] }?
        .contains("model.embed_tokens.weight") == true)
    #expect(
      refusal { $0.changes[name] = [Change(.replacement(low.b))] }?.contains(name) == true)
    #expect(
      refusal { $0.changes[name] = [Change(.lowRank(low)), Change(.lowRank(low))] }?
        .contains("more than once") == true)
    #expect(refusal { $0.changes = [:] }?.contains("nothing to write") == true)
  }
}

extension MegatronCase {
  func write(_ adapter: Adapter, to folder: URL, fused: Bool = false) throws {
    let model = try HuggingFaceModel(folder: source.path)
    let transfer = try adapter.megatronTransfer(for: model, fused: fused, pretrained: "the/base")
    try transfer.run(in: folder.path, workers: 2, progress: TransferProgress())
  }
}

extension YAMLValue {
  /// A map's sets without their order.
  fileprivate var sortedSets: [String: Set<YAMLValue>] {
    (map?.entries ?? []).reduce(into: [:]) { result, entry in
      if case .set(let items) = entry.value { result[entry.key.string ?? ""] = Set(items) }
    }
  }
}
