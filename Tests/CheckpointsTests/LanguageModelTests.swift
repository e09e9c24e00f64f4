import Checkpoints
import Foundation
import JSON
import Support
import Tensors
import Testing

/// Qwen3.5 as it is released: a language model inside a larger one, with names to match.
@Suite struct LanguageModelTests {
  private let plain = Case(path: "hf/qwen3_5_text")
  private let experts = Case(path: "hf/qwen3_5_moe_text")

  /// The configuration keys of the whole model around a language model's.
  private func whole(_ item: Case, _ name: String) throws -> [String: JSON] {
    let configuration = try HuggingFaceModel.configuration(in: item.folder.path)
    var keys = Dictionary(uniqueKeysWithValues: configuration.keys.map { ($0, JSON.null) })
    keys["architectures"] = .array([.string(name)])
    keys["tie_word_embeddings"] = configuration["tie_word_embeddings"]
    keys["text_config"] = .object(configuration)
    keys["vision_config"] = .object(JSONObject(["depth": .integer(1)]))
    keys["image_token_id"] = .integer(3)
    return keys
  }

  private func nested(_ item: Case) throws -> [String: Stored] {
    var result: [String: Stored] = [:]
    for (name, tensor) in try tensors(of: item.folder) {
      let isInside = name.hasPrefix("model.")
      result[isInside ? "model.language_model." + name.dropFirst(6) : name] = tensor
    }
    return result
  }

  @Test(arguments: [
    ("hf/qwen3_5_text", "Qwen3_5ForConditionalGeneration"),
    ("hf/qwen3_5_moe_text", "Qwen3_5MoeForConditionalGeneration"),
  ])
  func theLanguageModelOfALargerOneGoesThereAndBack(_ path: String, _ name: String) throws {
    try Support.withTemporaryFolder { folder in
      let item = Case(path: path)
      var all = try nested(item)
      let tower = Stored(dtype: .bfloat16, shape: [2, 2], bytes: [1, 2, 3, 4, 5, 6, 7, 8])
      all["model.visual.blocks.0.attn.qkv.weight"] = tower
      let source = folder.appending(path: "source")
      try writeModel(all, like: item.folder, to: source, changing: whole(item, name))
      let megatron = folder.appending(path: "megatron")
      let plan = try importModel(source, to: megatron)
      #expect(plan.notes.contains { $0.contains("no part of the language model") })

      // To Megatron it is the language model by itself.
      let alone = folder.appending(path: "alone")
      try importModel(item.folder, to: alone)
      #expect(try differences(tensors(ofMegatron: megatron), tensors(ofMegatron: alone)) == [])

      let back = folder.appending(path: "back")
      try exportModel(megatron, like: source, to: back)
      #expect(try differences(source, back) == [])
      let bare = folder.appending(path: "bare")
      try FileManager.default.createDirectory(at: bare, withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        at: source.appending(path: "config.json"), to: bare.appending(path: "config.json"))
      let again = folder.appending(path: "again")
      try exportModel(megatron, like: bare, to: again)
      #expect(differences(all, try tensors(of: again)) == [])
    }
  }

  @Test func theTextClassAnswersToBothPrefixes() throws {
    try Support.withTemporaryFolder { folder in
      let all = try nested(plain)
      let source = folder.appending(path: "source")
      try writeModel(all, like: plain.folder, to: source)
      let megatron = folder.appending(path: "megatron")
      try importModel(source, to: megatron)
      let back = folder.appending(path: "back")
      try exportModel(megatron, like: source, to: back)
      #expect(try differences(source, back) == [])
    }
  }

  /// The experts one by one, as transformers saves them: [gate; up] and down of each.
  private func listed() throws -> [String: Stored] {
    var result: [String: Stored] = [:]
    for (name, tensor) in try tensors(of: experts.folder) {
      guard let range = name.range(of: "mlp.experts.") else {
        result[name] = tensor
        continue
      }
      let prefix = name[..<range.upperBound]
      let isFirst = name.hasSuffix("gate_up_proj")
      let parts = isFirst ? ["gate_proj", "up_proj"] : ["down_proj"]
      let count = tensor.shape[0]
      let rows = tensor.shape[1] / (isFirst ? 2 : 1)
      let size = rows * tensor.shape[2] * 2
      for expert in 0..<count {
        for (half, part) in parts.enumerated() {
          let start = (expert * (isFirst ? 2 : 1) + half) * size
          result["\(prefix)\(expert).\(part).weight"] = Stored(
            dtype: tensor.dtype, shape: [rows, tensor.shape[2]],
            bytes: Array(tensor.bytes[start..<start + size]))
        }
      }
    }
    return result
  }

  @Test func expertsMayBeStackedOrListed() throws {
    try Support.withTemporaryFolder { folder in
      let all = try listed()
      let source = folder.appending(path: "source")
      try writeModel(all, like: experts.folder, to: source)
      let megatron = folder.appending(path: "megatron")
      try importModel(source, to: megatron)
      let stacked = folder.appending(path: "stacked")
      try importModel(experts.folder, to: stacked)
      #expect(try differences(tensors(ofMegatron: megatron), tensors(ofMegatron: stacked)) == [])
      let back = folder.appending(path: "back")
      try exportModel(megatron, like: source, to: back)
      #expect(try differences(source, back) == [])
    }
  }

  @Test func tensorsThatAreNeitherAreRefused() throws {
    try Support.withTemporaryFolder { folder in
      var all = try nested(plain)
      all["model.audio.weight"] = Stored(dtype: .bfloat16, shape: [1], bytes: [0, 0])
      let source = folder.appending(path: "source")
      try writeModel(all, like: plain.folder, to: source)
      #expect {
        try ImportPlan(HuggingFaceModel(folder: source.path), ConversionOptions())
      } throws: {
        guard case ConversionError.coverage(let coverage, _) = $0 else { return false }
        return coverage.extra == ["model.audio.weight"]
      }
    }
  }
}
