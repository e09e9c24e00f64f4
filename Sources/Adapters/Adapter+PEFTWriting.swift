import Blueprint
import Checkpoints
import JSON
import SafeTensors
import Tensors

extension Adapter {
  /// Everything that writing it as a PEFT folder takes.
  ///
  /// - Parameter base: what adapter_config.json calls the base model.
  /// - Throws: `AdapterError.unsupported` for what PEFT has no words for.
  public func peftTransfer(for model: HuggingFaceModel, base: String) throws -> Transfer {
    let writer = try PEFTWriter(self, for: model)
    let file = "adapter_model.safetensors"
    let plans = SafeTensorsHeader.referenceOrder(
      writer.entries.map {
        TensorPlan(name: $0.name, dtype: $0.factor.dtype, shape: $0.factor.shape)
      })
    let header: SafeTensorsHeader
    do {
      header = try .encoded(tensors: plans)
    } catch {
      throw SafeTensorsError.header(file: file, error)
    }
    var transfer = Transfer()
    transfer.files = [.init(path: file, size: header.fileSize)]
    transfer.blocks = [.init(file: 0, offset: 0, bytes: header.rawHeader)]
    for entry in writer.entries {
      guard let offset = header.fileOffset(of: entry.name) else { continue }
      let dtype = entry.factor.dtype
      transfer.tasks.append(
        Transfer.Task(
          name: entry.name, file: 0, offset: offset, count: entry.factor.shape.count,
          source: dtype, target: dtype, work: entry.work, runs: entry.factor.runs))
    }
    let configuration = writer.configuration(base: base).serializedBytes(.indented(2))
    transfer.after = [(path: "adapter_config.json", bytes: configuration)]
    return transfer
  }
}

extension PEFTWriter {
  /// The release of PEFT whose layout stacks of experts are written in.
  private static let version = "0.19.1"

  /// The content of adapter_config.json, its keys as Megatron-Bridge orders them.
  func configuration(base: String) -> JSON {
    let common = commonWeight
    var (ranks, alphas) = (JSONObject(), JSONObject())
    for (module, weight) in weights.sorted(by: { $0.key < $1.key }) {
      let path = pattern(module)
      if weight.rank != common.rank { ranks[path] = .integer(weight.rank) }
      if weight.alpha != common.alpha { alphas[path] = Self.number(weight.alpha) }
    }
    var object = JSONObject([
      "peft_type": .string("LORA"), "auto_mapping": .null, "base_model_name_or_path": .string(base),
      "bias": .string(replacesOtherBiases ? "all" : replacesBiases ? "lora_only" : "none"),
      "fan_in_fan_out": .bool(isTransposed), "inference_mode": .bool(true),
      "init_lora_weights": .bool(true), "lora_alpha": Self.number(common.alpha),
      "lora_dropout": .number(0),
      "modules_to_save": savedModules.isEmpty ? .null : Self.list(savedModules),
      "r": .integer(common.rank), "rank_pattern": .object(ranks), "alpha_pattern": .object(alphas),
      "target_modules": Self.list(modules), "task_type": .string("CAUSAL_LM"),
      "use_dora": .bool(isDoRA),
      "use_rslora": .bool(false),
    ])
    if keepsTies { object["ensure_weight_tying"] = .bool(true) }
    if hasBiases { object["lora_bias"] = .bool(true) }
    if !parameters.isEmpty {
      object["target_parameters"] = .array(parameters.map(JSON.string))
      object["peft_version"] = .string(Self.version)
    }
    return .object(object)
  }

  /// What stands for a module in `rank_pattern`.
  ///
  /// A router is a parameter to newer releases of transformers, below a module of another name.
  private func pattern(_ module: String) -> String {
    guard isRouter(module),
      let block = model.blueprint.blocks.first(where: {
        module.hasPrefix($0.prefix)
      })
    else { return module }
    return "\(block.prefix).*\\.?\(Self.split(module).last)(\\.weight)?"
  }

  /// What most modules have; of equals, the larger rank.
  private var commonWeight: Weight {
    let counts = Dictionary(grouping: weights.values) { $0 }.mapValues(\.count)
    let most = counts.max {
      ($0.value, $0.key.rank, $0.key.alpha) < ($1.value, $1.key.rank, $1.key.alpha)
    }
    return most?.key ?? Weight(rank: 1, alpha: 1)
  }

  private static func list(_ names: Set<String>) -> JSON {
    .array(names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map(JSON.string))
  }

  private static func number(_ value: Double) -> JSON {
    Int(exactly: value).map(JSON.integer) ?? .number(value)
  }
}
