import Blueprint
import Checkpoints
import Foundation
import JSON
import SafeTensors
import Support
import Tensors
import Testing

/// Models whose files hold fewer bits than their numbers have, against what transformers makes of them
/// (fixtures/quantised/generate.py).
@Suite struct QuantisedModelTests {
  static let names = ["gpt_oss", "deepseek_v3"]

  private func fixture(_ name: String) -> URL {
    Support.fixtures.appending(path: "quantised/\(name)/hf")
  }

  /// The tensors of the model as transformers gives them once it has loaded it.
  private func plainTensors(_ name: String) throws -> [String: Stored] {
    let quantised = try tensors(of: fixture(name))
    let file = try SafeTensorsFile(
      Support.fixtures.appending(path: "quantised/\(name)/plain.safetensors").path)
    var result = quantised.filter { name, tensor in
      tensor.dtype.isFloat && !name.hasSuffix("_scale_inv")
    }
    for entry in file.header.tensors {
      result[entry.name] = Stored(
        dtype: entry.dtype, shape: entry.shape, bytes: try file.runs(of: entry.name).materialised())
    }
    return result
  }

  private func writePlain(_ name: String, to folder: URL) throws {
    try writeModel(
      plainTensors(name), like: fixture(name), to: folder, changing: ["quantization_config": .null])
  }

  @Test(
    arguments: names,
    [ConversionOptions(), ConversionOptions(tp: 2), ConversionOptions(ep: 2, etp: 2)])
  func quantisedWeightsBecomeTheNumbersOfTransformers(
    _ name: String, _ layout: ConversionOptions
  ) throws {
    try Support.withTemporaryFolder { folder in
      let plain = folder.appending(path: "plain")
      try writePlain(name, to: plain)
      for dtype in [DType.bfloat16, .float32] {
        var options = layout
        options.dtype = dtype
        let ours = folder.appending(path: "ours-\(dtype)")
        try importModel(fixture(name), to: ours, options)
        guard dtype == .bfloat16 else { continue }
        let expected = folder.appending(path: "expected-\(dtype)")
        try importModel(plain, to: expected, options)
        #expect(try differences(tensors(ofMegatron: ours), tensors(ofMegatron: expected)) == [])
      }
    }
  }

  @Test(arguments: names) func withoutATypeTheyAreRefused(_ name: String) throws {
    let model = try HuggingFaceModel(folder: fixture(name).path)
    #expect {
      try ImportPlan(model, ConversionOptions())
    } throws: {
      guard case ConversionError.quantised = $0 else { return false }
      return "\($0)".contains("--torch-dtype bfloat16")
    }
    #expect {
      try model.requireWayBack()
    } throws: {
      guard case ConversionError.noWayBack(_, let method) = $0 else { return false }
      return method == (name == "gpt_oss" ? "mxfp4" : "fp8")
    }
  }

  @Test(arguments: names, [true, false])
  func anExportWritesPlainTensorsAndSaysSo(_ name: String, _ hasWeights: Bool) throws {
    try Support.withTemporaryFolder { folder in
      let checkpoint = folder.appending(path: "megatron")
      try importModel(fixture(name), to: checkpoint, ConversionOptions(dtype: .bfloat16))
      var reference = fixture(name)
      if !hasWeights {
        reference = folder.appending(path: "reference")
        try FileManager.default.createDirectory(at: reference, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
          at: fixture(name).appending(path: "config.json"),
          to: reference.appending(path: "config.json"))
      }
      let back = folder.appending(path: "back")
      let plan = try exportModel(checkpoint, like: reference, to: back)
      #expect(plan.notes.contains { $0.contains("quantization_config") })
      #expect(try differences(tensors(of: back), plainTensors(name)) == [])
      var expected = try HuggingFaceModel.configuration(in: fixture(name).path)
      expected["quantization_config"] = nil
      #expect(try HuggingFaceModel.configuration(in: back.path) == expected)
      // What was written is a model of its own, which comes back byte for byte.
      try HuggingFaceModel(folder: back.path).requireWayBack()
      let again = folder.appending(path: "again")
      try importModel(back, to: again)
      #expect(try differences(tensors(ofMegatron: again), tensors(ofMegatron: checkpoint)) == [])
    }
  }

  @Test(arguments: names) func theCheckpointComparesAsEqual(_ name: String) throws {
    try Support.withTemporaryFolder { folder in
      let checkpoint = folder.appending(path: "megatron")
      try importModel(fixture(name), to: checkpoint, ConversionOptions(dtype: .bfloat16))
      let pair = try ComparablePair(
        StoredThing(fixture(name).path), StoredThing(checkpoint.path))
      let comparison = try Comparison(pair.left, pair.right, workers: 2)
      #expect(comparison.differences.isEmpty)
      #expect(comparison.compared == (try plainTensors(name)).count)
    }
  }

  @Test func plainPartsBesideQuantisedOnesKeepTheirNumbers() throws {
    try Support.withTemporaryFolder { folder in
      let plain = try plainTensors("deepseek_v3")
      var mixed = try tensors(of: fixture("deepseek_v3"))
      let name = "model.layers.1.mlp.experts.1.up_proj.weight"
      mixed[name] = plain[name]
      mixed[name + "_scale_inv"] = nil
      let model = folder.appending(path: "mixed")
      try writeModel(mixed, like: fixture("deepseek_v3"), to: model)
      let (ours, all) = (folder.appending(path: "ours"), folder.appending(path: "all"))
      try importModel(model, to: ours, ConversionOptions(dtype: .bfloat16))
      try importModel(fixture("deepseek_v3"), to: all, ConversionOptions(dtype: .bfloat16))
      #expect(try differences(tensors(ofMegatron: ours), tensors(ofMegatron: all)) == [])
    }
  }

  @Test func oneScaleMayServeAWholeMatrix() throws {
    // As Mistral's eight-bit releases: no blocks, and scales of inputs, which only serve to compute.
    let blocked = try tensors(of: fixture("deepseek_v3"))
    var single = blocked
    let scale = withUnsafeBytes(of: Float(0.25)) { Array($0) }
    for name in blocked.keys where name.hasSuffix("_scale_inv") {
      single[name] = Stored(dtype: .float32, shape: [], bytes: scale)
      let input = name.replacingOccurrences(of: "weight_scale_inv", with: "activation_scale")
      single[input] = Stored(dtype: .float32, shape: [], bytes: scale)
    }
    try Support.withTemporaryFolder { folder in
      let settings = JSONObject([
        "quant_method": .string("fp8"), "activation_scheme": .string("static"),
        "weight_block_size": .null,
      ])
      let model = folder.appending(path: "single")
      try writeModel(
        single, like: fixture("deepseek_v3"), to: model,
        changing: ["quantization_config": .object(settings)])
      let equal = folder.appending(path: "equal")
      try writeModel(
        Dictionary(
          uniqueKeysWithValues: blocked.map { name, tensor in
            guard name.hasSuffix("_scale_inv") else { return (name, tensor) }
            let scales = (0..<tensor.shape.count).flatMap { _ in scale }
            return (name, Stored(dtype: .float32, shape: tensor.shape, bytes: scales))
          }), like: fixture("deepseek_v3"), to: equal)
      let (ours, expected) = (folder.appending(path: "ours"), folder.appending(path: "expected"))
      let plan = try importModel(model, to: ours, ConversionOptions(dtype: .float16))
      #expect(plan.notes.contains { $0.contains("inputs") })
      try importModel(equal, to: expected, ConversionOptions(dtype: .float16))
      #expect(try differences(tensors(ofMegatron: ours), tensors(ofMegatron: expected)) == [])
    }
  }

  /// The model with some tensors changed, imported.
  private func fault(
    _ name: String, _ change: (inout [String: Stored]) throws -> Void
  ) throws -> ConversionError? {
    try Support.withTemporaryFolder { folder in
      var changed = try tensors(of: fixture(name))
      try change(&changed)
      let model = folder.appending(path: "model")
      try writeModel(changed, like: fixture(name), to: model)
      do {
        _ = try ImportPlan(
          HuggingFaceModel(folder: model.path), ConversionOptions(dtype: .bfloat16))
        return nil
      } catch let error as ConversionError {
        return error
      }
    }
  }

  private static let matrix = "model.layers.0.mlp.up_proj.weight"
  private static let bank = "model.layers.0.mlp.experts.down_proj"

  @Test(arguments: [
    // Codes without scales, scales without codes, scales of another shape or type.
    ("deepseek_v3", matrix, "_scale_inv", "no scale"),
    ("deepseek_v3", matrix + "_scale_inv", "", "which is not there in eight bits"),
    ("gpt_oss", bank + "_blocks", "_scales", "are missing"),
    ("gpt_oss", bank + "_scales", "_blocks", "are missing"),
  ])
  func codesAndScalesComeInPairs(
    _ model: String, _ tensor: String, _ other: String, _ reason: String
  ) throws {
    let found = try fault(model) { tensors in
      let removed =
        model == "gpt_oss"
        ? Self.bank + other : other.isEmpty ? Self.matrix : tensor + other
      tensors[removed] = nil
    }
    guard case .badQuantisation(tensor, _, let text) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
    #expect(text.contains(reason))
  }

  @Test func scalesOfAnotherShapeOrTypeAreRefused() throws {
    let cases: [(String, String, Shape, DType)] = [
      ("deepseek_v3", Self.matrix + "_scale_inv", [2, 3], .float32),
      ("deepseek_v3", Self.matrix + "_scale_inv", [3, 2], .int32),
      ("gpt_oss", Self.bank + "_scales", [2, 32], .uint8),
      ("gpt_oss", Self.bank + "_blocks", [2, 32, 16], .uint8),
      ("gpt_oss", Self.bank + "_scales", [2, 32, 1], .int8),
    ]
    for (model, name, shape, dtype) in cases {
      let found = try fault(model) { tensors in
        tensors[name] = Stored(
          dtype: dtype, shape: shape,
          bytes: [UInt8](repeating: 0, count: shape.count * dtype.byteWidth))
      }
      guard case .badQuantisation(name, _, _) = found else {
        Issue.record("\(name) \(shape) \(dtype): \(String(describing: found))")
        continue
      }
    }
  }

  @Test func aQuantisedMatrixOfAnotherSizeIsOfTheWrongShape() throws {
    let found = try fault("gpt_oss") { tensors in
      for (ending, shape) in [("_blocks", [2, 33, 1, 16] as Shape), ("_scales", [2, 33, 1])] {
        tensors[Self.bank + ending] = Stored(
          dtype: .uint8, shape: shape, bytes: [UInt8](repeating: 0, count: shape.count))
      }
    }
    guard case .coverage(let coverage, _) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
    #expect(coverage.wrongShape.map(\.name) == [Self.bank])
    #expect(coverage.wrongShape.map(\.found) == [[2, 32, 33]])
    #expect(coverage.extra == [] && coverage.missing == [])
  }
}
