import Checkpoints
import Foundation
import JSON
import Support
import Tensors
import Testing

/// Every tensor is used once, none is missing, none left over; and what is not so is listed in full.
@Suite struct CoverageTests {
  private let llama = Case(path: "bridge/llama")
  private let block = "model.layers.0."
  private let mystery = Stored(dtype: .float32, shape: [2], bytes: [1, 2, 3, 4, 5, 6, 7, 8])

  /// The coverage that an error carries.
  private func coverage(_ body: () throws -> Void) throws -> Coverage {
    do {
      try body()
    } catch ConversionError.coverage(let coverage, let place) {
      let text = "\(ConversionError.coverage(coverage, in: place))"
      for name in coverage.missing + coverage.extra + coverage.wrongShape.map(\.name) {
        #expect(text.contains(name))
      }
      return coverage
    }
    struct NoError: Error {}
    throw NoError()
  }

  private func transposed(_ tensor: Stored?) throws -> Stored {
    let tensor = try #require(tensor)
    return Stored(
      dtype: tensor.dtype, shape: Shape(tensor.shape.dimensions.reversed()), bytes: tensor.bytes)
  }

  private func importPlan(_ folder: URL, strict: Bool) throws -> ImportPlan {
    try ImportPlan(
      HuggingFaceModel(folder: folder.path, isStrict: strict), ConversionOptions(strict: strict))
  }

  @Test func anImportNamesEverythingThatIsWrongAtOnce() throws {
    try Support.withTemporaryFolder { folder in
      var source = try tensors(of: llama.folder)
      source[block + "self_attn.k_proj.weight"] = nil
      source["model.norm.weight"] = nil
      source["vision.patch.weight"] = mystery
      source[block + "mlp.gate_proj.bias"] = mystery
      source[block + "mlp.down_proj.weight"] = try transposed(
        source[block + "mlp.down_proj.weight"])
      source[block + "mlp.up_proj.weight"] = try transposed(source[block + "mlp.up_proj.weight"])
      let bad = folder.appending(path: "bad")
      try writeModel(source, like: llama.folder, to: bad)
      let found = try coverage { _ = try importPlan(bad, strict: true) }
      #expect(
        Set(found.missing) == [block + "self_attn.k_proj.weight", "model.norm.weight"])
      #expect(Set(found.extra) == ["vision.patch.weight", block + "mlp.gate_proj.bias"])
      #expect(
        Set(found.wrongShape.map(\.name)) == [
          block + "mlp.down_proj.weight", block + "mlp.up_proj.weight",
        ])
      // A shape is no matter of leniency.
      let lenient = try coverage { _ = try importPlan(bad, strict: false) }
      #expect(lenient.wrongShape.count == 2)
    }
  }

  /// A checkpoint of `item` with its tensors changed.
  private func checkpoint(
    _ item: Case, in folder: URL, _ change: (inout [String: Stored]) throws -> Void
  ) throws -> MegatronModel {
    let megatron = folder.appending(path: "whole")
    try importModel(item.folder, to: megatron)
    var stored = try tensors(ofMegatron: megatron)
    try change(&stored)
    let changed = folder.appending(path: "changed")
    try writeMegatron(stored, to: changed)
    return try MegatronModel(path: changed.path)
  }

  @Test func anExportNamesEverythingThatIsWrongAtOnce() throws {
    try Support.withTemporaryFolder { folder in
      let layers = "decoder.layers."
      let bad = try checkpoint(llama, in: folder) { stored in
        stored[layers + "self_attention.linear_qkv.weight"] = nil
        stored["decoder.final_layernorm.weight"] = nil
        stored["vision.patch.weight"] = mystery
        stored["extra"] = mystery
        let key = layers + "mlp.linear_fc2.weight"
        let old = try #require(stored[key])
        stored[key] = Stored(
          dtype: old.dtype, shape: [old.shape[0], old.shape[2], old.shape[1]], bytes: old.bytes)
        stored["output_layer.weight"] = try transposed(stored["output_layer.weight"])
      }
      let found = try coverage {
        _ = try ExportPlan(llama.model(), from: bad, ConversionOptions())
      }
      #expect(
        Set(found.missing) == [
          layers + "self_attention.linear_qkv.weight", "decoder.final_layernorm.weight",
        ])
      #expect(found.missing.count == 2)
      #expect(found.extra == ["extra", "vision.patch.weight"])
      // One key of stacked layers is one fault.
      #expect(
        found.wrongShape.map(\.name).sorted() == [
          layers + "mlp.linear_fc2.weight", "output_layer.weight",
        ])
      let shape = try #require(found.wrongShape.first { $0.name == "output_layer.weight" })
      #expect(shape.found.dimensions == shape.expected.dimensions.reversed())
    }
  }

  @Test func aPieceOfAFusedTensorThatIsMissingIsNamedItself() throws {
    try Support.withTemporaryFolder { folder in
      let item = Case(path: "bridge/nemotron_h")
      var gone = ""
      var wrong = ""
      let bad = try checkpoint(item, in: folder) { stored in
        gone = try #require(stored.keys.filter { $0.hasSuffix("in_proj.weight.B") }.min())
        wrong = gone.dropLast() + "x"
        stored[gone] = nil
        stored[wrong] = try transposed(stored[wrong])
      }
      let found = try coverage { _ = try ExportPlan(item.model(), from: bad, ConversionOptions()) }
      #expect(found.missing == [gone])
      #expect(found.wrongShape.map(\.name) == [wrong])
      #expect(found.extra == [])
    }
  }

  @Test func aModelOfAnotherDepthIsNoMatch() throws {
    try Support.withTemporaryFolder { folder in
      let source = try tensors(of: llama.folder).filter { !$0.key.hasPrefix("model.layers.1.") }
      let depth = try llama.model().blueprint.frame.depth
      let megatron = folder.appending(path: "megatron")
      try importModel(llama.folder, to: megatron)
      let shallow = folder.appending(path: "shallow")
      try writeModel(
        source, like: llama.folder, to: shallow,
        changing: ["num_hidden_layers": .integer(depth - 1)])
      let found = try coverage {
        _ = try ExportPlan(
          HuggingFaceModel(folder: shallow.path), from: MegatronModel(path: megatron.path),
          ConversionOptions())
      }
      #expect(found.missing == [] && found.extra == [])
      #expect(
        Set(found.wrongShape.map(\.name)).count == found.wrongShape.count
          && found.wrongShape.allSatisfy { $0.found[0] == depth && $0.expected[0] == depth - 1 })
    }
  }

  @Test func tensorsThatTheModelOfAnExportHasBesidesAreNamed() throws {
    try Support.withTemporaryFolder { folder in
      let megatron = folder.appending(path: "megatron")
      try importModel(llama.folder, to: megatron)
      var source = try tensors(of: llama.folder)
      source["mystery.one"] = mystery
      source["mystery.two"] = mystery
      let width = try #require(source["model.norm.weight"]).shape[0]
      source["model.norm.weight"]?.shape = [2, width / 2]
      let other = folder.appending(path: "other")
      try writeModel(source, like: llama.folder, to: other)
      let found = try coverage {
        _ = try ExportPlan(
          HuggingFaceModel(folder: other.path), from: MegatronModel(path: megatron.path),
          ConversionOptions())
      }
      #expect(Set(found.extra) == ["mystery.one", "mystery.two"])
      #expect(found.wrongShape.map(\.name) == ["model.norm.weight"])
    }
  }

  // MARK: - Tied embeddings

  private let tied = Case(path: "bridge/llama_tied")

  @Test func anOutputLayerEqualToTheEmbeddingIsDroppedAndComesBack() throws {
    try Support.withTemporaryFolder { folder in
      var source = try tensors(of: tied.folder)
      source["lm_head.weight"] = source["model.embed_tokens.weight"]
      let twice = folder.appending(path: "twice")
      try writeModel(source, like: tied.folder, to: twice)
      let megatron = folder.appending(path: "megatron")
      try importModel(twice, to: megatron)
      #expect(try tensors(ofMegatron: megatron)["output_layer.weight"] == nil)
      let back = folder.appending(path: "back")
      try exportModel(megatron, like: twice, to: back)
      #expect(try differences(twice, back) == [])
    }
  }

  @Test func anOutputLayerThatDiffersFromTheEmbeddingIsRefused() throws {
    try Support.withTemporaryFolder { folder in
      var source = try tensors(of: tied.folder)
      source["lm_head.weight"] = source["model.embed_tokens.weight"]
      source["lm_head.weight"]?.bytes[7] ^= 1
      let bad = folder.appending(path: "bad")
      try writeModel(source, like: tied.folder, to: bad)
      for strict in [true, false] {
        #expect {
          try importPlan(bad, strict: strict)
        } throws: {
          guard
            case ConversionError.unequalDuplicate(
              "lm_head.weight", "model.embed_tokens.weight", _) = $0
          else { return false }
          return "\($0)".contains("tie_word_embeddings")
        }
      }
    }
  }

  @Test func aDuplicateDoesNotHideThatItsOriginalIsMissing() throws {
    try Support.withTemporaryFolder { folder in
      var source = try tensors(of: tied.folder)
      source["lm_head.weight"] = source["model.embed_tokens.weight"]
      source["model.embed_tokens.weight"] = nil
      let bad = folder.appending(path: "bad")
      try writeModel(source, like: tied.folder, to: bad)
      let found = try coverage { _ = try importPlan(bad, strict: true) }
      #expect(found.missing == ["model.embed_tokens.weight"])
    }
  }
}
