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
    let alpha = plan.alpha
    let module =
      switch plan.kind {
      case .canonical: "canonical_lora"
      case .dora: "dora"
      case .lora, .vision: "lora"
      }
    var section = YAMLMap([
      "_target_": .string("megatron.bridge.peft.\(module).\(plan.kind.rawValue)"),
      "alpha": Int(exactly: alpha).map { .integer($0) } ?? .number(alpha),
      "canonical_mapping": mapping,
      "dim": .integer(plan.rank),
      "dropout": .number(0),
      "dropout_position": .string("pre"),
      "exclude_modules": .list([]),
      "lora_A_init_method": .string("xavier"),
      "lora_B_init_method": .string("zero"),
      "params_to_save": .set(parameters.map { .string($0) }),
      "target_modules": .list(targets.map { .string($0) }),
    ])
    if plan.kind == .dora { return section }
    section["normalize_moe_lora"] = .bool(false)
    section["share_expert_adapters"] = .bool(sharesExperts)
    if plan.kind == .canonical { return section }
    section["a2a_experimental"] = .bool(false)
    section["experts_shared_outer_loras"] = .bool(false)
    section["lora_dtype"] = .null
    section["sequence_parallel_input_regather"] = .bool(false)
    return section
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
      var module = layer.module.key
      let stack = "decoder.layers."
      if let axis = layer.module.lead.first, module.hasPrefix(stack) {
        module = "\(stack)\(axis.index).\(module.dropFirst(stack.count))"
      }
      if let (head, tail) = module.parted(at: "experts.experts.") {
        module = "\(head)experts.\(tail)"
      }
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
