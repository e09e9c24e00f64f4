import Checkpoints
import Foundation
import Support
import Tensors
import Testing

/// Rows that Megatron holds and Hugging Face does not: zeros, and copies of other rows (Gemma 4).
struct CopiedRowsTests {
  /// What an export says after one number of a checkpoint's tensor was changed.
  private func export(
    _ name: String, changing key: String, at row: Int, strict: Bool = true
  ) throws -> ExportPlan {
    let source = Support.model("hf/" + name)
    return try Support.withTemporaryFolder { folder in
      let megatron = folder.appending(path: "megatron")
      try importModel(source, to: megatron)
      var tensors = try tensors(ofMegatron: megatron)
      var tensor = try #require(tensors[key])
      tensor.bytes[row * tensor.shape[1] * tensor.dtype.byteWidth] ^= 1
      tensors[key] = tensor
      let changed = folder.appending(path: "changed")
      try writeMegatron(tensors, to: changed)
      return try exportModel(
        changed, like: source, to: folder.appending(path: "out"), ConversionOptions(strict: strict))
    }
  }

  // Packed rows: four query heads of 24, a key of 24, its copy; four of 12, then 24 rows of zeros.
  @Test(arguments: [("gemma4_moe", 2, 120), ("gemma4_moe", 2, 143), ("gemma4_ple", 2, 48)])
  func valuesThatHuggingFaceHasNoTensorForAreNotLost(
    _ name: String, _ layer: Int, _ row: Int
  ) throws {
    let key = "decoder.layers.\(layer).self_attention.linear_qkv.weight"
    let error = #expect(throws: ConversionError.self) {
      _ = try export(name, changing: key, at: row)
    }
    guard case .notConstant(key, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    let notes = try export(name, changing: key, at: row, strict: false).notes
    #expect(notes.contains { $0.contains(key) })
  }

  @Test func aChangedQueryIsExported() throws {
    let key = "decoder.layers.2.self_attention.linear_qkv.weight"
    #expect(throws: Never.self) { _ = try export("gemma4_moe", changing: key, at: 95) }
  }
}
