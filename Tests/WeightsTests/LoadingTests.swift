import Blueprint
import Checkpoints
import Engine
import Foundation
import Kernels
import SafeTensors
import Support
import Tensors
import Testing
import Weights

private let architectures = Support.names(in: "hf")

/// A model's parameters out of a Hugging Face folder.
private func model(
  _ path: String, _ numbers: Numbers = .float32, isFrozen: Bool = false
) throws -> Model {
  let weights = try ModelWeights(HuggingFaceModel(folder: Support.model(path).path))
  return try Model(weights, numbers, isFrozen: { _ in isFrozen })
}

@Suite struct PartsTests {
  /// Through a slot's packed rows and back, each tensor is what its file holds.
  @Test(arguments: architectures)
  func tensorsComeBackFromPackedRows(_ name: String) throws {
    let folder = try ShardedFolder(Support.model("hf/\(name)").path)
    let model = try model("hf/\(name)")
    var seen = 0
    for parameter in model.parameters {
      for (part, runs) in parameter.parts(parameter.value) {
        let entry = try #require(folder[part.name])
        let expected = try folder.runs(of: part.name).floats(dtype: entry.dtype)
        let shift = Float(parameter.slot.slot.shift)
        let found = try runs.floats(dtype: .float32)
        #expect(part.shape == entry.shape)
        #expect(found.count == expected.count)
        // A shift loses what is below float32's last digit at one.
        let isSame =
          shift == 0
          ? found == expected
          : zip(found, expected).allSatisfy { abs($0 - shift - $1) <= 2 * Float.ulpOfOne }
        #expect(isSame, "\(part.name)")
        seen += 1
      }
    }
    #expect(seen > 0)
  }
}

@Suite struct LoadingTests {
  /// What NVIDIA's code wrote, and the folder it was made from.
  static let checkpoints = Support.names(in: "bridge").flatMap { model in
    Support.names(in: "bridge/\(model)")
      .filter { $0.hasPrefix("megatron") && !$0.contains("_v0") }.map { (model, $0) }
  }

  @Test(arguments: checkpoints)
  func aCheckpointOfThePeerGivesTheNumbersOfItsModel(_ name: String, _ kind: String) throws {
    let source = try HuggingFaceModel(folder: Support.model("bridge/\(name)").path)
    let expected = try Model(ModelWeights(source), .float32)
    let checkpoint = Support.data("bridge/\(name)/\(kind)").path
    let found = try Model(ModelWeights(source, from: MegatronModel(path: checkpoint)), .float32)
    #expect(found.parameters.map(\.name) == expected.parameters.map(\.name))
    for (parameter, original) in zip(found.parameters, expected.parameters) {
      // The checkpoint holds w − 1 rounded to bfloat16.
      let slack: Float = parameter.slot.slot.shift == 0 ? 0 : 1 / 128
      let isSame = zip(parameter.value.floats, original.value.floats).allSatisfy {
        abs($0 - $1) <= slack * max(1, abs($1))
      }
      #expect(isSame, "\(parameter.name)")
    }
  }

  @Test func theModelThatARunNamesIsFoundAboveIt() throws {
    let weights = try ModelWeights(Support.data("bridge/llama/megatron_tp2").path)
    #expect(weights.model.folder == Support.data("bridge/llama/hf").path)
    #expect(weights.place.hasSuffix("megatron_tp2/iter_0000000"))
  }

  @Test func aRunWithoutAModelAsksForOne() throws {
    #expect {
      try ModelWeights(Support.data("formats/td_gpt_tp1").path)
    } throws: { error in
      "\(error)".contains("Name it with --hf-model")
    }
  }

  @Test func aFileOfTensorsIsNoModel() throws {
    let file = Support.fixtures.appending(path: "demo/model-00001-of-00002.safetensors").path
    #expect {
      try ModelWeights(file)
    } throws: { error in
      "\(error)".contains("nothing says what model they are")
    }
  }

  @Test func matricesHaveTheModelsTypeAndVectorsTheTypeOfSums() throws {
    for numbers in Numbers.allCases {
      let model = try model("bridge/llama", numbers)
      for parameter in model.parameters {
        let isMatrix = parameter.slot.slot.isMatrix
        #expect(parameter.value.numbers == (isMatrix ? numbers : numbers.accumulated))
      }
    }
  }

  @Test(arguments: ["gpt_oss", "deepseek_v3"])
  func quantisedWeightsAreTheNumbersOfTransformers(_ name: String) throws {
    let root = Support.fixtures.appending(path: "quantised/\(name)")
    let plain = try SafeTensorsFile(root.appending(path: "plain.safetensors").path)
    let weights = try ModelWeights(
      HuggingFaceModel(folder: root.appending(path: "hf").path))
    for numbers in [Numbers.float32, .bfloat16] {
      let model = try Model(weights, numbers)
      var seen = 0
      for parameter in model.parameters {
        for (part, runs) in parameter.parts(parameter.value) {
          guard let entry = plain[part.name] else { continue }
          // transformers has made bfloat16 of them.
          let expected = try plain.runs(of: part.name).floats(dtype: entry.dtype)
          let found = try runs.floats(dtype: parameter.value.numbers.dtype)
            .map { Float(bitPattern: UInt32(bfloat16Bits($0)) << 16) }
          #expect(found == expected, "\(part.name)")
          seen += 1
        }
      }
      #expect(seen == plain.header.tensors.count)
    }
  }
}

@Suite struct MappingTests {
  /// A copy of a model in bfloat16, whose file a test may change.
  private func withCopy(_ body: (URL, ModelWeights) throws -> Void) throws {
    try Support.withTemporaryFolder { folder in
      let copy = folder.appending(path: "model")
      try FileManager.default.copyItem(at: Support.demo, to: copy)
      try body(copy, try ModelWeights(HuggingFaceModel(folder: copy.path)))
    }
  }

  /// Overwrites a tensor's first number in its file with 3.
  private func change(_ name: String, in folder: URL) throws {
    let weights = try ShardedFolder(folder.path)
    let location = try #require(weights.tensors[name])
    let file = weights.files[location.file]
    let handle = try FileHandle(forWritingTo: URL(filePath: file.path))
    try handle.seek(toOffset: UInt64(file.header.dataOffset + location.entry.range.lowerBound))
    try handle.write(contentsOf: Data([0x40, 0x40]))
    try handle.close()
  }

  @Test func frozenMatricesAreTheFilesOwnMemory() throws {
    let (single, fused) = ("mlp.down_proj.weight", "self_attn.q_proj.weight")
    try withCopy { folder, weights in
      let frozen = try Model(weights, .bfloat16, isFrozen: { _ in true })
      let trained = try Model(weights, .bfloat16, isFrozen: { _ in false })
      let widened = try Model(weights, .float32, isFrozen: { _ in true })
      #expect(!frozen.parameters.contains { $0.isTrained })
      #expect(!trained.parameters.contains { !$0.isTrained })
      for name in [single, fused] { try change("model.layers.0.\(name)", in: folder) }
      func first(_ model: Model, _ name: String) throws -> Double {
        let parameter = model.parameters.first { $0.name == "model.layers.0.\(name)" }
        return try #require(parameter).value[0, 0]
      }
      #expect(try first(frozen, single) == 3)
      for model in [trained, widened] { #expect(try first(model, single) != 3) }
      // What is packed out of several tensors lies in no file.
      #expect(try first(frozen, fused) != 3)
    }
  }

  @Test func aFileThatWasCutShortIsAnError() throws {
    try withCopy { folder, weights in
      let file = try #require(weights.model.weights?.files.last?.path)
      let handle = try FileHandle(forWritingTo: URL(filePath: file))
      try handle.truncate(atOffset: 4096)
      try handle.close()
      for isFrozen in [true, false] {
        #expect(throws: (any Error).self) {
          try Model(weights, .bfloat16, isFrozen: { _ in isFrozen })
        }
      }
    }
  }

  @Test func whatIsToldWhileLoadingMayEndIt() throws {
    struct Enough: Error {}
    try withCopy { _, weights in
      var bytes = 0
      _ = try Model(weights, .bfloat16, loaded: { bytes += $0 })
      #expect(bytes == weights.blueprint.parameterBytes(.bfloat16))
      #expect(throws: Enough.self) {
        try Model(weights, .bfloat16, loaded: { _ in throw Enough() })
      }
    }
  }
}
