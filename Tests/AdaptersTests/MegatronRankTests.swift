import Adapters
import Blueprint
import Checkpoints
import Foundation
import Support
import Tensors
import Testing

/// Adapters that Megatron-Bridge 0.3.1 saved from two ranks, against merges that its ranks made of their own
/// parts (`fixtures/megatron_adapters/generate.py`).
@Suite struct MegatronRankTests {
  @Test(arguments: [
    ("canonical_tp2", "llama"), ("dora_tp2", "llama"), ("experts_ep2", "qwen3_moe"),
  ])
  func theRanksMergeIsTheTensors(_ name: String, _ model: String) throws {
    let folder = Support.fixtures.appending(path: "megatron_adapters/\(name)")
    let source = Support.model("bridge/\(model)")
    let adapter = try Adapter(
      megatron: folder.path, for: HuggingFaceModel(folder: source.path))
    let merged = try weights(in: folder)
    let base = try weights(in: source)
    #expect(Set(adapter.changes.keys) == Set(merged.keys))
    for (tensor, changes) in adapter.changes {
      let before = try #require(base[tensor])
      let after = try #require(merged[tensor])
      let low = try #require(changes.first?.lowRank)
      try #require(changes.count == 1)
      #expect((low.magnitude != nil) == (name == "dora_tp2"))
      let values = try low.merged(into: before.runs.floats(before.dtype))
      let expected = try after.runs.floats(after.dtype)
      let off = zip(values, expected).count { (ours: Float, peers: Float) -> Bool in
        (ours - peers).magnitude > peers.magnitude / 256 + 1e-7
      }
      #expect(off == 0, "\(tensor): \(off) of \(values.count) values differ")
    }
  }

  @Test func lengthsComeBackAsTheyWere() throws {
    let folder = Support.fixtures.appending(path: "megatron_adapters/dora_tp2")
    let model = try HuggingFaceModel(folder: Support.model("bridge/llama").path)
    let adapter = try Adapter(megatron: folder.path, for: model)
    try Support.withTemporaryFolder { folder in
      let transfer = try adapter.megatronTransfer(for: model, fused: false, pretrained: nil)
      try transfer.run(in: folder.path, workers: 1, progress: TransferProgress())
      let back = try Adapter(megatron: folder.path, for: model)
      #expect(back.source.hasSuffix("(DoRA)"))
      for (name, changes) in adapter.changes {
        let (low, own) = (
          try #require(changes.first?.lowRank), try #require(back.changes[name]?.first?.lowRank)
        )
        #expect(try own.magnitude?.bytes() == low.magnitude?.bytes())
        #expect(try own.a.bytes() == low.a.bytes() && own.b.bytes() == low.b.bytes())
        #expect(own.scale == low.scale)
      }
    }
  }
}

extension LowRank {
  /// W + scale · B · A, its rows scaled to their lengths if it has any.
  func merged(into weight: [Float]) throws -> [Float] {
    var values = zip(weight, try product()).map { $0 + $1 }
    guard let lengths = try magnitude?.floats() else { return values }
    let width = values.count / lengths.count
    for (row, length) in lengths.enumerated() {
      let range = row * width..<(row + 1) * width
      let norm = values[range].reduce(0 as Float) { $0 + $1 * $1 }.squareRoot()
      for index in range { values[index] *= length / norm }
    }
    return values
  }
}
