import Adapters
import Checkpoints
import Foundation
import Support
import Tensors
import Testing

/// PEFT's adapters as Megatron's: the same products, or a refusal that says what has no place.
@Suite struct MegatronFromPEFTTests {
  /// What cannot be an adapter of Megatron's, by what the refusal must name.
  private static let refused = [
    "bias_all": ".bias", "bias_lora_only": ".bias", "lora_bias": ".bias",
    "binary": "lengths of all rows", "dora": "lengths of all rows",
    "dora_embedding": "embed_tokens", "embeddings": "embed_tokens", "mlx_dora": "embed_tokens",
    "mlx_lora": "embed_tokens", "tied_lora": "embed_tokens", "tied_saved": "embed_tokens",
    "mlx_full": "low rank", "modules_to_save": "low rank", "tied_both": "embed_tokens",
    "tied_head": "embed_tokens", "experts_single_on_stack": "more than once",
    "split": "more than once",
  ]
  /// What needs one adapter where there are several.
  private static let needsFusing: Set = ["experts_listed", "experts_listed_qwen", "mlx_experts"]

  @Test(arguments: PEFTMergeTests.cases, [false, true])
  func productsAreTheSame(_ name: String, _ fused: Bool) throws {
    let made = try AdapterCase(name)
    let model = try HuggingFaceModel(folder: made.model.path)
    let adapter = try Adapter(reading: made.adapter.path, for: model)
    let reason = Self.refused[name] ?? (Self.needsFusing.contains(name) && !fused ? "--fuse" : nil)
    if let reason {
      do {
        _ = try adapter.megatronTransfer(for: model, fused: fused, pretrained: nil)
        Issue.record("it was written")
      } catch {
        #expect("\(error)".contains(reason))
      }
      return
    }
    try Support.withTemporaryFolder { folder in
      let transfer = try adapter.megatronTransfer(for: model, fused: fused, pretrained: nil)
      try transfer.run(in: folder.path, workers: 2, progress: TransferProgress())
      let back = try Adapter(reading: folder.path, for: model)
      #expect(Set(adapter.changes.keys).isSubset(of: back.changes.keys))
      for (tensor, changes) in back.changes {
        for change in changes {
          let low = try #require(change.lowRank)
          let original = adapter.changes[tensor]?.first { $0.matrix == change.matrix }?.lowRank
          let wanted = try original?.product()
          let found = try low.product()
          let off = found.enumerated().count { index, value in
            let other = wanted?[index] ?? 0
            return (value - other).magnitude > other.magnitude * 1e-5 + 1e-7
          }
          #expect(off == 0, "\(tensor)")
          #expect(low.isTransposed == original?.isTransposed ?? low.isTransposed)
          #expect(try low.magnitude?.floats() == original?.magnitude?.floats())
        }
      }
    }
  }
}
