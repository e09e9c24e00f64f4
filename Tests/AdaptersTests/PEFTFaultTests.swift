import Adapters
import Checkpoints
import Foundation
import JSON
import SafeTensors
import Support
import Tensors
import Testing

/// What is wrong with a PEFT folder is told with its place, before anything is written.
struct PEFTFaultTests {
  /// A change to one case, and what the sentence must hold.
  struct Fault: Sendable, CustomTestStringConvertible {
    var name: String
    var base: String
    var words: [String]
    var settings: @Sendable (inout JSONObject) -> Void = { _ in }
    var tensors: @Sendable (inout [SafeTensorsWriter.Tensor]) -> Void = { _ in }
    /// The model to take instead of the case's own.
    var model: String?

    var testDescription: String { name }
  }

  private static func setting(
    _ name: String, _ key: String, _ value: JSON?, of base: String = "lora", _ words: String...
  ) -> Fault {
    Fault(name: name, base: base, words: words, settings: { $0[key] = value })
  }

  private static let first = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"

  static let faults: [Fault] = [
    setting("no peft_type", "peft_type", nil, "peft_type", "missing"),
    setting("another method", "peft_type", .string("IA3"), "IA3", "LORA", "merge_and_unload"),
    setting("no alpha", "lora_alpha", nil, "lora_alpha", "missing", "adapter_config.json"),
    setting("no rank", "r", nil, ": r:", "missing"),
    setting("rank 0", "r", .integer(0), "rank 0"),
    setting("a rank beyond reason", "r", .integer(.max), ": r:"),
    setting(
      "a rank pattern beyond reason", "rank_pattern", .object(["q_proj": .number(1e300)]),
      "rank_pattern"),
    setting(
      "another rank", "r", .integer(4), "layers.0.mlp.down_proj.lora_A", "[3, 20]", "[4, 20]",
      "and 25 more"),
    setting("an alpha that is no number", "lora_alpha", .string("5"), "lora_alpha"),
    setting("targets that are nowhere", "target_modules", .array([.string("w1")]), "w1"),
    setting(
      "tensors that are no targets", "target_modules", .array([.string("q_proj")]), "down_proj",
      "no target"),
    setting(
      "a target that is nowhere", "target_modules",
      .array(
        ["w1", "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"].map(
          JSON.string)),
      "w1", "target_modules"),
    setting("a pattern that matches nothing", "target_modules", .string("w[12]"), "w[12]"),
    setting("repeated layers", "layer_replication", .array([.array([])]), "layer_replication"),
    setting("single tokens", "trainable_token_indices", .array([.integer(1)]), "rows"),
    setting(
      "a start that changes the base", "init_lora_weights", .string("pissa_niter_4"), "pissa"),
    setting("a setting nobody knows", "use_magic", .bool(true), "use_magic"),
    setting(
      "saved modules that are nowhere", "modules_to_save", .array([.string("lm_head")]), "lm_head"),
    setting("DoRA without lengths", "use_dora", .bool(true), "lora_magnitude_vector"),
    setting(
      "a tied embedding trained apart", "ensure_weight_tying", .bool(false), of: "tied_untied",
      "tie_word_embeddings"),
    Fault(
      name: "A without B", base: "lora", words: ["down_proj", "missing"],
      tensors: { $0.removeAll { $0.plan.name.hasSuffix("down_proj.lora_B.weight") } }),
    Fault(
      name: "two adapters in one file", base: "lora", words: [first, "another adapter"],
      tensors: { tensors in
        var copy = tensors[0]
        copy.plan.name = copy.plan.name.replacingOccurrences(of: ".weight", with: ".other.weight")
        tensors.append(copy)
      }),
    Fault(
      name: "a tensor of a layer that is not there", base: "lora", words: ["layers.7", "no place"],
      tensors: { tensors in
        for index in tensors.indices {
          tensors[index].plan.name = tensors[index].plan.name.replacingOccurrences(
            of: "layers.1.", with: "layers.7.")
        }
      }),
    Fault(
      name: "rank 0 in the file", base: "lora", words: ["rank 0", first],
      tensors: { tensors in
        tensors.removeAll { $0.plan.name == first }
        tensors.append(.init(name: first, dtype: .float32, shape: [0, 20], bytes: []))
      }),
    Fault(
      name: "whole numbers", base: "lora", words: ["I32", first],
      tensors: { tensors in
        for index in tensors.indices { tensors[index].plan.dtype = .int32 }
      }),
    Fault(
      name: "more tokens", base: "modules_to_save", words: ["41 tokens", "40", "resize"],
      tensors: { tensors in
        for index in tensors.indices where tensors[index].plan.name.hasSuffix("embed_tokens.weight")
        {
          tensors[index].plan.shape.dimensions[0] += 1
          tensors[index].bytes += [UInt8](repeating: 0, count: 24 * 4)
        }
      }),
    Fault(
      name: "a copy of another base", base: "embeddings", words: ["base_layer", "trained on"],
      tensors: { tensors in
        for index in tensors.indices where tensors[index].plan.name.hasSuffix("base_layer.weight") {
          tensors[index].bytes[2] ^= 1
        }
      }),
    Fault(
      name: "a bias of B where the base has none", base: "lora_bias",
      words: ["lora_bias", ".bias"],
      model: "llama_tied"),
    Fault(
      name: "a model of another shape", base: "lora", words: ["for another model"],
      model: "gemma_wide"),
    Fault(name: "another architecture", base: "lora", words: ["no place"], model: "gpt_bigcode"),
  ]

  @Test(arguments: faults)
  func theFaultIsTold(_ fault: Fault) throws {
    try AdapterCase.edited(fault.base, fault.settings, fault.tensors) { folder, model in
      let model = try HuggingFaceModel(
        folder: fault.model.map { try AdapterCase.model($0, in: folder) } ?? model.path)
      do {
        _ = try Adapter(reading: folder.path, for: model)
        Issue.record("it was read")
      } catch {
        for word in fault.words { #expect("\(error)".contains(word), "\(error)") }
      }
    }
  }

  @Test func aFolderWithoutAConfigurationIsTold() throws {
    try AdapterCase.edited("lora", { _ in }, { _ in }) { folder, model in
      try FileManager.default.removeItem(at: folder.appending(path: "adapter_config.json"))
      let model = try HuggingFaceModel(folder: model.path)
      let error = #expect(throws: AdapterError.self) {
        try Adapter(reading: folder.path, for: model)
      }
      #expect("\(try #require(error))".contains("adapter_config.json: it is missing"))
    }
  }

  static let mlxFaults: [(String, JSON?, String)] = [
    ("lora_parameters", nil, "lora_parameters: it is missing"),
    ("lora_parameters", .object(["rank": .integer(3)]), "lora_parameters.scale"),
    ("lora_parameters", .object(["scale": .integer(3)]), "lora_parameters.rank"),
    ("lora_parameters", .object(["scale": .integer(3), "rank": .integer(0)]), "rank 0"),
    ("lora_parameters", .object(["scale": .integer(3), "rank": .integer(2)]), "for another model"),
    ("fine_tune_type", .string("magic"), "fine_tune_type is magic"),
  ]

  @Test(arguments: mlxFaults)
  func aFaultOfAnMLXAdapterIsTold(_ key: String, _ value: JSON?, _ words: String) throws {
    let original = try AdapterCase("mlx_lora")
    try Support.withTemporaryFolder { folder in
      let file = "adapters.safetensors"
      try FileManager.default.copyItem(
        at: original.adapter.appending(path: file), to: folder.appending(path: file))
      let text = try InputFile(original.adapter.appending(path: "adapter_config.json").path)
        .readAll()
      var object = try #require(try JSON(parsing: text).object)
      object[key] = value
      try Data(JSON.object(object).serializedBytes(.indented(2)))
        .write(to: folder.appending(path: "adapter_config.json"))
      let model = try HuggingFaceModel(folder: original.model.path)
      let error = #expect(throws: AdapterError.self) {
        try Adapter(reading: folder.path, for: model)
      }
      let sentence = "\(try #require(error))"
      #expect(sentence.contains(words), "\(sentence)")
    }
  }

  /// The release alone tells which way square matrices of experts are turned.
  @Test func aSquareStackWithoutAReleaseIsToldOf() throws {
    try AdapterCase.edited("experts_square_old", { $0["peft_version"] = nil }, { _ in }) {
      folder, model in
      let read = try Adapter(reading: folder.path, for: HuggingFaceModel(folder: model.path))
      #expect(read.notes.contains { $0.contains("peft_version") })
    }
  }

  @Test(arguments: [0x7FC0_0000, 0x7F80_0000] as [UInt32])
  func numbersThatAreNoneAreRefusedUnlessAllowed(_ bits: UInt32) throws {
    let edit = { @Sendable (tensors: inout [SafeTensorsWriter.Tensor]) in
      withUnsafeBytes(of: bits) { tensors[3].bytes.replaceSubrange(0..<4, with: $0) }
    }
    try AdapterCase.edited("lora", { _ in }, edit) { folder, model in
      let base = try BaseModel(.init(pretrained: nil, model: model.path), adapter: folder.path)
      let adapter = WeightedAdapter(try Adapter(reading: folder.path, for: base.model))
      #expect(throws: AdapterError.self) { try MergePlan([adapter], into: base, MergeOptions()) }
      var options = MergeOptions()
      options.allowsNonFinite = true
      _ = try MergePlan([adapter], into: base, options)
    }
  }
}

extension AdapterCase {
  /// Calls `body` with a copy of a case's adapter with some of it changed, and the case's model.
  static func edited(
    _ name: String, _ settings: (inout JSONObject) -> Void,
    _ edit: (inout [SafeTensorsWriter.Tensor]) -> Void,
    _ body: (_ adapter: URL, _ model: URL) throws -> Void
  ) throws {
    let isUntied = name == "tied_untied"
    let original = try AdapterCase(isUntied ? "tied_saved" : name)
    try Support.withTemporaryFolder { folder in
      let text = try InputFile(original.adapter.appending(path: "adapter_config.json").path)
        .readAll()
      var object = try #require(try JSON(parsing: text).object)
      settings(&object)
      try Data(JSON.object(object).serializedBytes(.indented(2)))
        .write(to: folder.appending(path: "adapter_config.json"))
      let file = "adapter_model.safetensors"
      let opened = try SafeTensorsFile(original.adapter.appending(path: file).path)
      var tensors = try opened.header.tensors.map { entry in
        SafeTensorsWriter.Tensor(
          name: entry.name, dtype: entry.dtype, shape: entry.shape,
          bytes: try Values(opened.runs(of: entry.name), entry.dtype).bytes)
      }.sorted { $0.plan.name < $1.plan.name }
      if isUntied { tensors.removeAll { $0.plan.name.contains("lm_head") } }
      edit(&tensors)
      try SafeTensorsWriter.write(path: folder.appending(path: file).path, tensors: tensors)
      try body(folder, original.model)
    }
  }

  /// A model of the fixtures; "_wide" is one whose configuration alone is wider.
  static func model(_ name: String, in folder: URL) throws -> String {
    let root = PEFTMergeTests.root.appending(path: "models")
    guard name.hasSuffix("_wide") else { return root.appending(path: name).path }
    let source = root.appending(path: "\(name.dropLast(5))/config.json")
    let target = folder.appending(path: "wide")
    try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
    var object = try #require(try JSON(parsing: InputFile(source.path).readAll()).object)
    object["hidden_size"] = .integer(32)
    try Data(JSON.object(object).serializedBytes(.indented(2)))
      .write(to: target.appending(path: "config.json"))
    return target.path
  }
}
