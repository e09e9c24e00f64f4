import Checkpoints
import Foundation
import SafeTensors
import Support
import Tensors
import Testing

/// Megatron holds the weights of a delta net's norm less one, rounded: what that loses must come back.
@Suite struct ShiftTests {
  private let plain = Case(path: "bridge/qwen3_next")
  private let name = "model.layers.0.linear_attn.norm.weight"
  private let key = "decoder.layers.0.self_attention.out_norm.weight"

  /// bfloat16 numbers: 0.1, 3.7, 0.001, -0.25, 5, 0.498, 260, 1e-8, -0 and ordinary ones; what PyTorch
  /// makes of them less one; and what it makes of those plus one.
  private let weights: [UInt16] =
    [0x3DCD, 0x406D, 0x3A83, 0xBE80, 0x40A0, 0x3EFF, 0x4382, 0x322C, 0x8000]
    + Array(repeating: 0x3FA0, count: 7)
  private let shifted: [UInt16] =
    [0xBF66, 0x402D, 0xBF80, 0xBFA0, 0x4080, 0xBF00, 0x4382, 0xBF80, 0xBF80]
    + Array(repeating: 0x3E80, count: 7)
  private let back: [UInt16] =
    [0x3DD0, 0x406D, 0x0000, 0xBE80, 0x40A0, 0x3F00, 0x4382, 0x0000, 0x0000]
    + Array(repeating: 0x3FA0, count: 7)

  private func bytes(_ bits: [UInt16]) -> [UInt8] {
    bits.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
  }

  /// The model with such weights, and its import.
  private func make(
    in folder: URL, _ options: ConversionOptions = ConversionOptions()
  ) throws -> (source: URL, megatron: URL) {
    let (source, megatron) = (folder.appending(path: "source"), folder.appending(path: "megatron"))
    var all = try tensors(of: plain.folder)
    for other in all.keys where other.hasSuffix("linear_attn.norm.weight") {
      all[other]?.bytes = bytes(other == name ? weights : Array(repeating: 0x3FA0, count: 16))
    }
    try writeModel(all, like: plain.folder, to: source)
    try importModel(source, to: megatron, options)
    return (source, megatron)
  }

  @Test func theCheckpointHoldsWhatTheBridgeWouldWrite() throws {
    try Support.withTemporaryFolder { folder in
      let (_, megatron) = try make(in: folder)
      let stored = try #require(try tensors(ofMegatron: megatron)[key])
      #expect(stored.dtype == .bfloat16)
      #expect(stored.bytes == bytes(shifted))
    }
  }

  @Test(arguments: [DType?.none, .float32, .float16])
  func bitsThatRoundingLosesComeBack(_ dtype: DType?) throws {
    try Support.withTemporaryFolder { folder in
      let (source, megatron) = try make(in: folder, ConversionOptions(dtype: dtype))
      let exported = folder.appending(path: "back")
      try exportModel(megatron, like: source, to: exported)
      #expect(try tensors(of: exported)[name]?.bytes == bytes(weights))
      if dtype != .float16 { #expect(try differences(source, exported) == []) }

      // So they do where the source's weights are gone.
      let bare = folder.appending(path: "bare")
      try FileManager.default.createDirectory(at: bare, withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        at: source.appending(path: "config.json"), to: bare.appending(path: "config.json"))
      let again = folder.appending(path: "again")
      try exportModel(megatron, like: bare, to: again)
      #expect(try tensors(of: again)[name]?.bytes == bytes(weights))
    }
  }

  @Test func withoutARecordTheModelsOwnWeightsGiveTheBits() throws {
    try Support.withTemporaryFolder { folder in
      let (source, megatron) = try make(in: folder)
      try FileManager.default.removeItem(at: megatron.appending(path: "iter_0000000/huggingface"))
      let exported = folder.appending(path: "back")
      try exportModel(megatron, like: source, to: exported)
      #expect(try tensors(of: exported)[name]?.bytes == bytes(weights))
    }
  }

  @Test func whatWasTrainedIsComputed() throws {
    try Support.withTemporaryFolder { folder in
      let (source, megatron) = try make(in: folder)
      var stored = try tensors(ofMegatron: megatron)
      // One number moves: all are computed, and lose what rounding loses.
      stored[key]?.bytes[30] = 0x00
      stored[key]?.bytes[31] = 0x3F
      let trained = folder.appending(path: "trained")
      try writeMegatron(stored, to: trained)
      try FileManager.default.copyItem(
        at: megatron.appending(path: "iter_0000000/huggingface"),
        to: trained.appending(path: "huggingface"))
      let exported = folder.appending(path: "back")
      try exportModel(trained, like: source, to: exported)
      // 0.5 + 1.
      #expect(try tensors(of: exported)[name]?.bytes == bytes(back.dropLast() + [0x3FC0]))
    }
  }

  @Test func onlyWhatRoundingLosesIsKeptBesideTheCheckpoint() throws {
    try Support.withTemporaryFolder { folder in
      let (_, megatron) = try make(in: folder)
      let kept = megatron.appending(path: "iter_0000000/huggingface/buffers.safetensors")
      #expect(try SafeTensorsFile(kept.path).header.tensors.map(\.name) == [name])
    }
  }
}
