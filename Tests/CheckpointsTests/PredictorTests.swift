import Blueprint
import Checkpoints
import Foundation
import JSON
import Support
import Tensors
import Testing

/// DeepSeek-V3 with a multi-token predictor, which many files leave out.
@Suite struct PredictorTests {
  private let plain = Case(path: "bridge/deepseek_v3")

  /// The plain model with one predictor more: a block of experts, its norms and its merging matrix.
  private func predicting() throws -> (tensors: [String: Stored], prefix: String) {
    var tensors = try tensors(of: plain.folder)
    let blueprint = try plain.model().blueprint
    let depth = blueprint.frame.depth
    let last = "model.layers.\(depth - 1)."
    let prefix = "model.layers.\(depth)."
    for (name, tensor) in tensors where name.hasPrefix(last) {
      var copy = tensor
      // Other values than the block's own.
      copy.bytes.reverse()
      tensors[prefix + name.dropFirst(last.count)] = copy
    }
    let norm = try #require(tensors["model.norm.weight"])
    let width = norm.shape[0]
    for (index, name) in ["enorm", "hnorm", "shared_head.norm"].enumerated() {
      var copy = norm
      copy.bytes[0] = UInt8(index)
      tensors[prefix + name + ".weight"] = copy
    }
    tensors[prefix + "eh_proj.weight"] = Stored(
      dtype: norm.dtype, shape: [width, 2 * width],
      bytes: (0..<2 * width * width).flatMap { [UInt8($0 & 0xFF), 0x3C] })
    tensors[prefix + "embed_tokens.weight"] = tensors["model.embed_tokens.weight"]
    tensors[prefix + "shared_head.head.weight"] = tensors["lm_head.weight"]
    return (tensors, prefix)
  }

  private let keys: [String: JSON] = ["num_nextn_predict_layers": .integer(1)]

  private func write(_ tensors: [String: Stored], to folder: URL) throws {
    try writeModel(tensors, like: plain.folder, to: folder, changing: keys)
  }

  @Test(arguments: [1, 2]) func aPredictorGoesThereAndBackExactly(_ ranks: Int) throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      let (tensors, prefix) = try predicting()
      try write(tensors, to: source)
      let megatron = folder.appending(path: "megatron")
      let plan = try importModel(source, to: megatron, ConversionOptions(tp: ranks, ep: ranks))
      #expect(plan.notes == [])
      let stored = try CheckpointsTests.tensors(ofMegatron: megatron)
      // Names of Megatron-Core's MultiTokenPredictionLayer.
      #expect(stored["mtp.layers.0.enorm.weight"]?.bytes == tensors[prefix + "enorm.weight"]?.bytes)
      #expect(stored["mtp.layers.0.hnorm.weight"]?.bytes == tensors[prefix + "hnorm.weight"]?.bytes)
      #expect(
        stored["mtp.layers.0.eh_proj.weight"]?.bytes == tensors[prefix + "eh_proj.weight"]?.bytes)
      #expect(
        stored["mtp.layers.0.final_layernorm.weight"]?.bytes
          == tensors[prefix + "shared_head.norm.weight"]?.bytes)
      // The shared matrices are stored once.
      #expect(
        !stored.keys.contains {
          $0.hasPrefix("mtp.") && ($0.contains("embed") || $0.contains("head"))
        }
      )
      let back = folder.appending(path: "back")
      try exportModel(megatron, like: source, to: back)
      #expect(try differences(source, back) == [])
    }
  }

  @Test func bothNamesOfThePredictorsBlockAreRead() throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try write(predicting().tensors, to: source)
      let megatron = folder.appending(path: "megatron")
      try importModel(source, to: megatron)
      let stored = try CheckpointsTests.tensors(ofMegatron: megatron)
      for name in ["transformer_layer", "mtp_model_layer"] {
        var renamed: [String: Stored] = [:]
        for (key, tensor) in stored {
          let key = key.replacing("mtp_model_layer", with: name)
            .replacing("transformer_layer", with: name)
          renamed[key] = tensor
        }
        #expect(renamed.keys.contains { $0.hasPrefix("mtp.layers.0.\(name).") })
        let other = folder.appending(path: name)
        try writeMegatron(renamed, to: other)
        let back = folder.appending(path: "back-" + name)
        try exportModel(other, like: source, to: back)
        #expect(try differences(source, back) == [])
      }
    }
  }

  @Test func filesThatLeaveThePredictorOutConvertWithANote() throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try write(tensors(of: plain.folder), to: source)
      let megatron = folder.appending(path: "megatron")
      let plan = try importModel(source, to: megatron)
      #expect(plan.notes.count == 1)
      #expect(plan.notes.first?.contains("multi-token predictor") == true)
      #expect(
        !(try CheckpointsTests.tensors(ofMegatron: megatron)).keys.contains { $0.hasPrefix("mtp.") }
      )
      let back = folder.appending(path: "back")
      let export = try exportModel(megatron, like: source, to: back)
      #expect(export.notes.count == 1)
      #expect(export.notes.first?.contains("without") == true)
      #expect(try differences(source, back) == [])
    }
  }

  @Test func aCheckpointWithoutThePredictorExportsWithoutEvenIfTheModelHasOne() throws {
    try Support.withTemporaryFolder { folder in
      let megatron = folder.appending(path: "megatron")
      try importModel(plain.folder, to: megatron)
      let source = folder.appending(path: "source")
      try write(predicting().tensors, to: source)
      let back = folder.appending(path: "back")
      let export = try exportModel(megatron, like: source, to: back)
      #expect(export.notes.contains { $0.contains("no multi-token predictors") })
      #expect(differences(try tensors(of: back), try tensors(of: plain.folder)) == [])
    }
  }

  @Test func halfAPredictorIsRefused() throws {
    try Support.withTemporaryFolder { folder in
      let (whole, prefix) = try predicting()
      var half = whole
      half[prefix + "eh_proj.weight"] = nil
      half[prefix + "enorm.weight"] = nil
      let bad = folder.appending(path: "bad")
      try write(half, to: bad)
      #expect {
        try ImportPlan(HuggingFaceModel(folder: bad.path), ConversionOptions())
      } throws: {
        guard case ConversionError.coverage(let coverage, _) = $0 else { return false }
        return Set(coverage.missing) == [prefix + "eh_proj.weight", prefix + "enorm.weight"]
      }
      let source = folder.appending(path: "source")
      try write(whole, to: source)
      let megatron = folder.appending(path: "megatron")
      try importModel(source, to: megatron)
      var stored = try CheckpointsTests.tensors(ofMegatron: megatron)
      stored["mtp.layers.0.eh_proj.weight"] = nil
      let holed = folder.appending(path: "holed")
      try writeMegatron(stored, to: holed)
      #expect {
        try ExportPlan(
          HuggingFaceModel(folder: source.path), from: MegatronModel(path: holed.path),
          ConversionOptions())
      } throws: {
        guard case ConversionError.coverage(let coverage, _) = $0 else { return false }
        return coverage.missing == ["mtp.layers.0.eh_proj.weight"]
      }
    }
  }

  @Test func aPredictorsHeadThatDiffersIsKeptBesideTheCheckpoint() throws {
    try Support.withTemporaryFolder { folder in
      var (tensors, prefix) = try predicting()
      let head = prefix + "shared_head.head.weight"
      tensors[head]?.bytes[3] ^= 1
      let source = folder.appending(path: "source")
      try write(tensors, to: source)
      let megatron = folder.appending(path: "megatron")
      let plan = try importModel(source, to: megatron)
      #expect(plan.notes.count == 1)
      #expect(plan.notes.first?.contains(head) == true)
      let stored = try CheckpointsTests.tensors(ofMegatron: megatron)
      #expect(!stored.keys.contains { $0.hasPrefix("mtp.") && $0.contains("head") })
      let back = folder.appending(path: "back")
      try exportModel(megatron, like: source, to: back)
      #expect(try differences(source, back) == [])

      // Without the source's weights the checkpoint gives it; without the record the source does.
      let bare = folder.appending(path: "bare")
      try FileManager.default.createDirectory(at: bare, withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        at: source.appending(path: "config.json"), to: bare.appending(path: "config.json"))
      let second = folder.appending(path: "second")
      try exportModel(megatron, like: bare, to: second)
      #expect(differences(try CheckpointsTests.tensors(of: second), tensors) == [])
      try FileManager.default.removeItem(at: megatron.appending(path: "iter_0000000/huggingface"))
      let third = folder.appending(path: "third")
      try exportModel(megatron, like: source, to: third)
      #expect(try differences(source, third) == [])
    }
  }

  @Test func aPredictorsEmbeddingOfAnotherShapeIsRefused() throws {
    try Support.withTemporaryFolder { folder in
      var (tensors, prefix) = try predicting()
      let name = prefix + "embed_tokens.weight"
      tensors[name] = tensors[prefix + "eh_proj.weight"]
      let bad = folder.appending(path: "bad")
      try write(tensors, to: bad)
      #expect {
        try ImportPlan(HuggingFaceModel(folder: bad.path), ConversionOptions())
      } throws: {
        guard case ConversionError.coverage(let coverage, _) = $0 else { return false }
        return coverage.wrongShape.map(\.name) == [name]
      }
    }
  }

  /// Models of other families, with the keys that give them a predictor.
  static let families: [(path: String, keys: [String: JSON])] = [
    ("hf/glm4_moe", [:]), ("hf/exaone_moe", [:]),
    ("hf/nemotron_h_moe", ["num_nextn_predict_layers": .integer(1)]),
    ("hf/deepseek_v32", ["num_nextn_predict_layers": .integer(2)]),
    ("hf/ernie4_5_moe", ["num_nextn_predict_layers": .integer(2)]),
  ]

  @Test(arguments: families.indices, [1, 2])
  func predictorsOfOtherFamiliesGoThereAndBack(_ index: Int, _ ranks: Int) throws {
    try Support.withTemporaryFolder { folder in
      let (path, keys) = Self.families[index]
      let item = Case(path: path)
      var tensors = try tensors(of: item.folder)
      let plain = folder.appending(path: "plain")
      try writeModel(tensors, like: item.folder, to: plain, changing: keys)
      let blueprint = try HuggingFaceModel(folder: plain.path).blueprint
      #expect(!blueprint.predictors.isEmpty)
      let before = tensors.count
      let beside = blueprint.predictors.filter { !$0.isInMegatron }.flatMap { predictor in
        predictor.blocks.flatMap { block in
          block.slots.flatMap(\.parts).map { Part(block.prefix + $0.name, $0.shape) }
        }
      }
      for part in blueprint.slots.filter(\.isPredictor).flatMap(\.slot.parts) + beside {
        let isCorrection = part.name.hasSuffix("e_score_correction_bias")
        let type = isCorrection ? DType.float32 : .bfloat16
        tensors[part.name] = Stored(
          dtype: type, shape: part.shape,
          bytes: (0..<part.shape.count * type.byteWidth).map {
            UInt8(truncatingIfNeeded: $0 &* 31 &+ part.name.utf8.count) & 0x3F
          })
      }
      #expect(tensors.count > before || path == "hf/glm4_moe")
      let source = folder.appending(path: "source")
      try writeModel(tensors, like: item.folder, to: source, changing: keys)
      let megatron = folder.appending(path: "megatron")
      try importModel(source, to: megatron, ConversionOptions(tp: ranks))
      let stored = try CheckpointsTests.tensors(ofMegatron: megatron)
      #expect(
        stored.keys.contains { $0.hasPrefix("mtp.") }
          == blueprint.predictors.contains(where: \.isInMegatron))
      let back = folder.appending(path: "back")
      try exportModel(megatron, like: source, to: back)
      #expect(try differences(source, back) == [])
    }
  }
}
