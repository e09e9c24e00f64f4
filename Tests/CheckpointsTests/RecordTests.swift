import Checkpoints
import Foundation
import JSON
import SafeTensors
import Support
import Tensors
import Testing

/// Exports into folders that hold a configuration and no weights, and into other types of numbers.
@Suite struct RecordTests {
  /// Copies a model's folder without its weights.
  private func bare(_ source: URL, in folder: URL) throws -> URL {
    let bare = folder.appending(path: "bare")
    try FileManager.default.createDirectory(at: bare, withIntermediateDirectories: true)
    for (name, data) in try contents(of: source) where !name.contains("safetensors") {
      try data.write(to: bare.appending(path: name))
    }
    return bare
  }

  static let cases = Case.huggingFace.filter {
    ["mixtral", "qwen3_moe_norm", "llama_tied_32", "nemotron_h_moe", "gemma2", "falcon_7b"]
      .contains($0.name)
  }

  @Test func someCasesHaveShards() throws {
    let files = try Self.cases.map {
      try Folder.names(in: $0.folder.path).filter { $0.hasSuffix(".safetensors") }.count
    }
    #expect(files.contains { $0 > 1 } && files.contains(1))
  }

  @Test(arguments: cases) func theCheckpointRemembersTheFilesToTheByte(_ item: Case) throws {
    try Support.withTemporaryFolder { folder in
      let megatron = folder.appending(path: "megatron")
      try importModel(item.folder, to: megatron, ConversionOptions(tp: 2))
      let back = folder.appending(path: "back")
      try exportModel(megatron, like: bare(item.folder, in: folder), to: back)
      #expect(try differences(item.folder, back) == [])
    }
  }

  @Test(arguments: cases) func withoutTheRecordTheTensorsAreTheSame(_ item: Case) throws {
    try Support.withTemporaryFolder { folder in
      let megatron = folder.appending(path: "megatron")
      try importModel(item.folder, to: megatron)
      Folder.removeTree(megatron.path + "/iter_0000000/huggingface")
      let back = folder.appending(path: "back")
      try exportModel(megatron, like: bare(item.folder, in: folder), to: back)
      // The configuration names the type; buffers that can be computed were in the record only.
      let model = try item.model()
      let expected = try tensors(of: item.folder).filter { name, _ in
        !model.blueprint.buffers.contains(name) && model.blueprint.duplicates[name] == nil
      }
      #expect(differences(try tensors(of: back), expected) == [])
      #expect(Folder.isFile(back.path + "/model.safetensors"))
      #expect(
        try SafeTensorsFile(back.path + "/model.safetensors").header.metadata.first?.value == "pt")
    }
  }

  @Test func aDamagedRecordIsRefusedAndSaysWhatToDo() throws {
    let item = Case(path: "bridge/llama")
    try Support.withTemporaryFolder { folder in
      let megatron = folder.appending(path: "megatron")
      try importModel(item.folder, to: megatron)
      let path = megatron.path + "/iter_0000000/huggingface/layout.json"
      let whole = try InputFile(path).readAll()
      let text = String(decoding: whole, as: UTF8.self)
      let damaged = [
        Array(whole.dropLast(9)), Array("{}".utf8), Array("[]".utf8),
        Array(text.replacing("model.safetensors", with: "../../x.safetensors").utf8),
        Array(text.replacing("BF16", with: "BF17").utf8),
      ]
      let model = try HuggingFaceModel(folder: bare(item.folder, in: folder).path)
      for bytes in damaged {
        try Data(bytes).write(to: URL(filePath: path))
        #expect {
          try ExportPlan(model, from: MegatronModel(path: megatron.path), ConversionOptions())
        } throws: {
          guard case ConversionError.badConfiguration(path, _) = $0 else { return false }
          return "\($0)".contains("delete it")
        }
      }
    }
  }

  @Test func aFolderWithoutWeightsCannotBeImported() throws {
    try Support.withTemporaryFolder { folder in
      let model = try HuggingFaceModel(
        folder: bare(Case(path: "bridge/llama").folder, in: folder).path)
      #expect {
        try ImportPlan(model, ConversionOptions())
      } throws: {
        if case ConversionError.noWeights(model.folder) = $0 { true } else { false }
      }
      #expect {
        try HuggingFaceModel(folder: folder.path)
      } throws: {
        if case ConversionError.missingConfiguration(folder.path) = $0 { true } else { false }
      }
    }
  }

  // MARK: - Types

  @Test(arguments: ["llama", "deepseek_v3", "nemotron_h_moe"])
  func widerNumbersOnTheWayChangeNothing(_ name: String) throws {
    let item = Case(path: "bridge/\(name)")
    try Support.withTemporaryFolder { folder in
      for (dtype, place) in [(DType.float32, "a"), (.float64, "b")] {
        let megatron = folder.appending(path: "megatron-" + place)
        try importModel(item.folder, to: megatron, ConversionOptions(dtype: dtype))
        for (key, tensor) in try tensors(ofMegatron: megatron) {
          #expect(tensor.dtype == (key.hasSuffix("router.expert_bias") ? .float32 : dtype))
        }
        let back = folder.appending(path: "back-" + place)
        try exportModel(megatron, like: item.folder, to: back)
        #expect(try differences(item.folder, back) == [])
      }
    }
  }

  @Test func narrowingRoundsAsPyTorchDoes() throws {
    func values(_ name: String) throws -> [UInt8] {
      try [UInt8](
        Data(contentsOf: Support.fixtures.appending(path: "conversions/\(name).bin")))
    }
    let (wide, narrow) = (try values("f32"), try values("f32_to_bf16"))
    // Numbers only: what becomes of a NaN's payload is nobody's promise.
    let numbers = (0..<wide.count / 4).filter { index in
      let exponent = UInt32(wide[4 * index + 3] & 0x7F) << 1 | UInt32(wide[4 * index + 2] >> 7)
      return exponent != 255
    }
    #expect(numbers.count > 15_000)
    let item = Case(path: "bridge/llama")
    try Support.withTemporaryFolder { folder in
      var source: [String: Stored] = [:]
      var expected: [String: Stored] = [:]
      var next = 0
      for (name, tensor) in try tensors(of: item.folder) {
        let indices = (0..<tensor.shape.count).map { numbers[(next + $0) % numbers.count] }
        next += tensor.shape.count
        source[name] = Stored(
          dtype: .float32, shape: tensor.shape,
          bytes: indices.flatMap { wide[4 * $0..<4 * $0 + 4] })
        expected[name] = Stored(
          dtype: .bfloat16, shape: tensor.shape,
          bytes: indices.flatMap { narrow[2 * $0..<2 * $0 + 2] })
      }
      #expect(next > numbers.count)
      let single = folder.appending(path: "single")
      try writeModel(source, like: item.folder, to: single)
      let megatron = folder.appending(path: "megatron")
      try importModel(single, to: megatron, ConversionOptions(dtype: .bfloat16, tp: 2))
      let back = folder.appending(path: "back")
      try exportModel(megatron, like: single, to: back, ConversionOptions(dtype: .bfloat16))
      #expect(differences(try tensors(of: back), expected) == [])
    }
  }

  @Test func aRoutersCorrectionsStayFloat32InBothDirections() throws {
    let item = Case(path: "bridge/deepseek_v3")
    try Support.withTemporaryFolder { folder in
      let source = try tensors(of: item.folder)
      let megatron = folder.appending(path: "megatron")
      try importModel(item.folder, to: megatron, ConversionOptions(dtype: .float16))
      let back = folder.appending(path: "back")
      try exportModel(megatron, like: item.folder, to: back, ConversionOptions(dtype: .float16))
      let found = try tensors(of: back)
      var corrections = 0
      for (name, tensor) in found {
        if name.hasSuffix("e_score_correction_bias") {
          corrections += 1
          #expect(tensor == source[name])
        } else {
          #expect(tensor.dtype == .float16)
        }
      }
      #expect(corrections > 0)
    }
  }

  @Test func theConfigurationsTypeDecidesWhereNothingElseDoes() throws {
    let item = Case(path: "bridge/deepseek_v3")
    try Support.withTemporaryFolder { folder in
      let megatron = folder.appending(path: "megatron")
      try importModel(item.folder, to: megatron, ConversionOptions(dtype: .float32))
      Folder.removeTree(megatron.path + "/iter_0000000/huggingface")
      let back = folder.appending(path: "back")
      try exportModel(megatron, like: bare(item.folder, in: folder), to: back)
      #expect(differences(try tensors(of: back), try tensors(of: item.folder)) == [])
    }
  }

  @Test func partsOfTwoTypesAreRefused() throws {
    let item = Case(path: "bridge/llama")
    try Support.withTemporaryFolder { folder in
      var source = try tensors(of: item.folder)
      let name = "model.layers.0.self_attn.k_proj.weight"
      let old = try #require(source[name])
      source[name] = Stored(
        dtype: .float32, shape: old.shape, bytes: [UInt8](repeating: 0, count: 2 * old.bytes.count))
      let mixed = folder.appending(path: "mixed")
      try writeModel(source, like: item.folder, to: mixed)
      #expect {
        try ImportPlan(HuggingFaceModel(folder: mixed.path), ConversionOptions())
      } throws: {
        guard case ConversionError.mixedTypes(let names, let types) = $0 else { return false }
        return names.contains(name) && Set(types) == [.float32, .bfloat16]
      }
      source[name] = Stored(dtype: .int16, shape: old.shape, bytes: old.bytes)
      for part in ["q_proj", "v_proj"] {
        source[name.replacing("k_proj", with: part)]?.dtype = .int16
      }
      let whole = folder.appending(path: "whole")
      try writeModel(source, like: item.folder, to: whole)
      #expect {
        try ImportPlan(HuggingFaceModel(folder: whole.path), ConversionOptions(dtype: .float32))
      } throws: {
        if case ConversionError.notConvertible(_, .int16, .float32) = $0 { true } else { false }
      }
    }
  }
}
