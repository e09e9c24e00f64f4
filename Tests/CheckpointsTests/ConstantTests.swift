import Blueprint
import Checkpoints
import Foundation
import Support
import Tensors
import Testing

/// Tensors that Megatron has and Hugging Face has not, because all their values are one (OLMo's norms).
@Suite struct ConstantTests {
  private let olmo = Case(path: "hf/olmo_clip")
  private let weight = "decoder.final_layernorm.weight"
  private let bias = "decoder.layers.self_attention.linear_qkv.layer_norm_bias"

  /// The bytes of bfloat16's 1.
  private let one: [UInt8] = [0x80, 0x3F]

  private func imported(to folder: URL, _ options: ConversionOptions = ConversionOptions()) throws
    -> [String: Stored]
  {
    let megatron = folder.appending(path: "megatron")
    try importModel(olmo.folder, to: megatron, options)
    return try tensors(ofMegatron: megatron)
  }

  @Test func anImportWritesThemInTheModelsPrecision() throws {
    try Support.withTemporaryFolder { folder in
      let stored = try imported(to: folder)
      let (ones, zeros) = (try #require(stored[weight]), try #require(stored[bias]))
      #expect(ones.dtype == .bfloat16 && ones.shape == [64])
      #expect(ones.bytes == (0..<64).flatMap { _ in one })
      #expect(zeros.dtype == .bfloat16 && zeros.shape == [3, 64])
      #expect(zeros.bytes.allSatisfy { $0 == 0 })
    }
  }

  @Test func anImportWritesThemInThePrecisionAskedFor() throws {
    try Support.withTemporaryFolder { folder in
      let stored = try imported(to: folder, ConversionOptions(dtype: .float32, tp: 2))
      let ones = try #require(stored[weight])
      #expect(ones.dtype == .float32)
      #expect(ones.bytes == (0..<64).flatMap { _ in [0, 0] + one })
    }
  }

  /// What an export makes of a checkpoint that was changed.
  private func export(
    strict: Bool = true, _ change: (inout [String: Stored]) throws -> Void
  ) throws -> ExportPlan {
    try Support.withTemporaryFolder { folder in
      var stored = try imported(to: folder)
      try change(&stored)
      let changed = folder.appending(path: "changed")
      try writeMegatron(stored, to: changed)
      return try exportModel(
        changed, like: olmo.folder, to: folder.appending(path: "back"),
        ConversionOptions(strict: strict))
    }
  }

  private func train(_ key: String) -> (inout [String: Stored]) throws -> Void {
    { stored in
      let old = try #require(stored[key])
      var bytes = old.bytes
      bytes[bytes.count - 2] ^= 1
      stored[key] = Stored(dtype: old.dtype, shape: old.shape, bytes: bytes)
    }
  }

  @Test func oneThatTrainingChangedIsNotDroppedInSilence() throws {
    for key in [weight, bias] {
      #expect {
        try export(train(key))
      } throws: {
        guard case ConversionError.notConstant(key, _) = $0 else { return false }
        return "\($0)".contains(key)
      }
      let notes = try export(strict: false, train(key)).notes
      #expect(notes.contains { $0.contains(key) })
    }
  }

  @Test func aCheckpointMayDoWithoutThem() throws {
    let plan = try export { stored in
      for key in stored.keys where key.contains("norm") { stored[key] = nil }
    }
    #expect(plan.notes == [])
  }

  @Test func anotherShapeOfOneIsNotTakenForIt() throws {
    #expect {
      try export { stored in
        stored[weight] = Stored(
          dtype: .bfloat16, shape: [63], bytes: (0..<63).flatMap { _ in one })
      }
    } throws: {
      guard case ConversionError.coverage(let coverage, _) = $0 else { return false }
      return coverage.extra == [weight]
    }
  }

  @Test func comparingNamesThoseThatChanged() throws {
    try Support.withTemporaryFolder { folder in
      var stored = try imported(to: folder)
      func differences() throws -> [String] {
        let place = folder.appending(path: UUID().uuidString)
        try writeMegatron(stored, to: place)
        let pair = try ComparablePair(StoredThing(olmo.folder.path), StoredThing(place.path))
        return try Comparison(pair.left, pair.right, workers: 1).differences.map(\.name)
      }
      #expect(try differences() == [])
      try train(bias)(&stored)
      #expect(try differences() == [bias])
    }
  }
}
