import Blueprint
import Checkpoints
import MegatronFormat
import Tensors

/// The `peft` section of `run_config.yaml`, as Megatron-Bridge 0.6.0 writes it.
struct MegatronAdapterSection {
  private let plan: MegatronAdapterPlan
  private let tensors: MegatronAdapterTensors

  init(_ plan: MegatronAdapterPlan, _ tensors: MegatronAdapterTensors) {
    self.plan = plan
    self.tensors = tensors
  }

  func runConfig(_ model: HuggingFaceModel, pretrained: String?) throws -> YAMLValue {
    let config = try model.runConfig(dtype: plan.dtype)
    guard var root = config.map else { return config }
    root["peft"] = .map(section)
    if let pretrained, var checkpoint = root["checkpoint"]?.map {
      checkpoint["pretrained_checkpoint"] = .string(pretrained)
      root["checkpoint"] = .map(checkpoint)
    }
    return .map(root)
  }

  private var section: YAMLMap {
    var words = MegatronAdapterWords(kind: plan.kind, rank: plan.rank, alpha: plan.alpha)
    words.targets = targets
    words.parameters = parameters
    words.mapping = mapping
    words.sharesExperts = sharesExperts
    return words.section
  }

  /// The last component of each layer's name, in the model's order, and its members.
  private var modules: [(name: String, members: [AdapterMember])] {
    var found: [(name: String, members: [AdapterMember])] = []
    for layer in plan.layers {
      guard let name = layer.module.key.split(separator: ".").last.map(String.init) else {
        continue
      }
      let members = tensors.members[layer.module.key] ?? []
      if let index = found.firstIndex(where: { $0.name == name }) {
        found[index].members += members.filter { !found[index].members.contains($0) }
      } else {
        found.append((name, members))
      }
    }
    return found
  }

  private var targets: [String] {
    modules.flatMap { module in words(module) }
  }

  /// The settings' words for what of a module has adapters.
  private func words(_ module: (name: String, members: [AdapterMember])) -> [String] {
    let words = module.members.compactMap(\.target)
    if !words.isEmpty { return words }
    // The canonical class knows this layer by its halves alone, even where experts keep it whole.
    if plan.kind == .canonical, module.name == "linear_fc1" {
      return [AdapterMember.gate, .up].compactMap(\.target)
    }
    return [module.name]
  }

  private var mapping: YAMLValue {
    guard plan.kind == .canonical else { return .map(YAMLMap()) }
    var map = YAMLMap()
    for module in modules { map[module.name] = .set(words(module).map { .string($0) }) }
    return .map(map)
  }

  /// The parameters' names while training: layers by number, and the modules that hold experts.
  private var parameters: [String] {
    var names: Set<String> = []
    for layer in plan.layers {
      let module = layer.module.trainingName
      for member in tensors.members[layer.module.key] ?? [] {
        var tensors = ["linear_in.weight", "linear_out.weight"]
        if plan.kind == .dora { tensors.append("weight_magnitude") }
        for tensor in tensors {
          names.insert("module.\(module).adapter.\(member.prefix)\(tensor)")
        }
      }
    }
    return names.sorted()
  }

  /// Whether all experts of each layer have one adapter.
  private var sharesExperts: Bool {
    let banks = plan.layers.filter { $0.placed.slot.split.isExpert }
    return banks.allSatisfy { layer in
      guard let first = layer.matrices.first else { return true }
      return layer.matrices.dropFirst().allSatisfy { (try? $0.equals(first)) ?? false }
    }
  }
}

extension MegatronModule {
  /// What the module is called while training: layers by number, and the module that holds experts.
  package var trainingName: String {
    var module = key
    let stack = "decoder.layers."
    if let axis = lead.first, module.hasPrefix(stack) {
      module = "\(stack)\(axis.index).\(module.dropFirst(stack.count))"
    }
    if let (head, tail) = module.parted(at: "experts.experts.") {
      module = "\(head)experts.\(tail)"
    }
    return module
  }
}

/// What the `peft` section of Megatron-Bridge 0.6.0 says.
package struct MegatronAdapterWords {
  package var kind: MegatronAdapterSettings.Kind
  package var rank: Int
  package var alpha: Double
  package var dropout = 0.0
  package var dropsInputs = true
  package var targets: [String] = []
  package var excluded: [String] = []
  /// The initialisation of A, by Bridge's name.
  package var start = "xavier"
  /// The parameters' names while training.
  package var parameters: [String] = []
  package var mapping = YAMLValue.map(YAMLMap())
  package var sharesExperts = false

  package init(kind: MegatronAdapterSettings.Kind, rank: Int, alpha: Double) {
    self.kind = kind
    self.rank = rank
    self.alpha = alpha
  }

  private static func number(_ value: Double) -> YAMLValue {
    Int(exactly: value).map { .integer($0) } ?? .number(value)
  }

  package var section: YAMLMap {
    let module =
      switch kind {
      case .canonical: "canonical_lora"
      case .dora: "dora"
      case .lora, .vision: "lora"
      }
    var section: YAMLMap = [
      "_target_": .string("megatron.bridge.peft.\(module).\(kind.rawValue)"),
      "alpha": Self.number(alpha), "canonical_mapping": mapping, "dim": .integer(rank),
      "dropout": .number(dropout),
      "dropout_position": .string(dropsInputs ? "pre" : "post"),
      "exclude_modules": .list(excluded.map { .string($0) }),
      "lora_A_init_method": .string(start), "lora_B_init_method": .string("zero"),
      "params_to_save": .set(parameters.map { .string($0) }),
      "target_modules": .list(targets.map { .string($0) }),
    ]
    if kind == .dora { return section }
    section["normalize_moe_lora"] = .bool(false)
    section["share_expert_adapters"] = .bool(sharesExperts)
    if kind == .canonical { return section }
    section["a2a_experimental"] = .bool(false)
    section["experts_shared_outer_loras"] = .bool(false)
    section["lora_dtype"] = .null
    section["sequence_parallel_input_regather"] = .bool(false)
    return section
  }
}

extension MegatronAdapterPlan.Matrix {
  /// Whether another matrix's pairs are the same numbers.
  fileprivate func equals(_ other: MegatronAdapterPlan.Matrix) throws -> Bool {
    guard pairs.count == other.pairs.count else { return false }
    for (own, others) in zip(pairs, other.pairs) {
      guard own.low.scale == others.low.scale, own.offset == others.offset,
        own.low.a.dtype == others.low.a.dtype, own.low.b.dtype == others.low.b.dtype,
        try own.low.a.bytes() == others.low.a.bytes(),
        try own.low.b.bytes() == others.low.b.bytes()
      else { return false }
    }
    return true
  }
}
