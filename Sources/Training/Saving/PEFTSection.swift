import Adapters
import Blueprint
import MegatronFormat

/// The `peft` section of a run that trains adapters, as Megatron-Bridge writes it while it trains.
struct PEFTSection {
  let places: PairPlaces
  let settings: AdapterSettings

  var section: YAMLMap {
    var words = MegatronAdapterWords(
      kind: places.kind ?? .lora, rank: places.rank, alpha: places.scale * Double(places.rank))
    words.dropout = settings.dropout
    words.dropsInputs = settings.dropsInputs
    words.excluded = settings.kind == .parts ? [] : settings.excluded
    words.targets =
      settings.kind == .parts || settings.targets.isEmpty ? targets : settings.targets
    words.start =
      switch settings.start {
      case .xavier: "xavier"
      case .kaiming: "kaiming"
      case .normal: "normal"
      }
    words.parameters = parameters
    words.mapping = mapping
    words.sharesExperts = sharesExperts
    var section = words.section
    if places.kind == nil { section["_target_"] = .string(MegatronAdapterSettings.ownClass) }
    return section
  }

  /// The last component of each layer's name, in the model's order, with its members.
  private var modules: [(name: String, members: [PairMember])] {
    var found: [(name: String, members: [PairMember])] = []
    for layer in places.layers {
      guard let name = layer.module.key.split(separator: ".").last.map(String.init) else {
        continue
      }
      let members = places.members[layer.module.key] ?? []
      if let index = found.firstIndex(where: { $0.name == name }) {
        found[index].members += members.filter { !found[index].members.contains($0) }
      } else {
        found.append((name, members))
      }
    }
    return found
  }

  /// The settings' words for what of a module has adapters.
  private func words(_ module: (name: String, members: [PairMember])) -> [String] {
    let words = module.members.compactMap { member -> String? in
      if case .known(let known) = member { known.target } else { nil }
    }
    if !words.isEmpty { return words }
    // The canonical class knows this layer by its halves alone, even where experts keep it whole.
    if places.kind == .canonical, module.name == "linear_fc1" {
      return [AdapterMember.gate, .up].compactMap(\.target)
    }
    return [module.name]
  }

  private var targets: [String] { modules.flatMap(words) }

  private var mapping: YAMLValue {
    guard places.kind == .canonical else { return .map(YAMLMap()) }
    var map = YAMLMap()
    for module in modules { map[module.name] = .set(words(module).map { .string($0) }) }
    return .map(map)
  }

  /// The parameters' names while training: layers by number, and the modules that hold experts.
  private var parameters: [String] {
    var names: Set<String> = []
    for layer in places.layers {
      let module = layer.module.trainingName
      for member in places.members[layer.module.key] ?? [] {
        var tensors = ["linear_in.weight", "linear_out.weight"]
        if places.hasMagnitudes { tensors.append("weight_magnitude") }
        for tensor in tensors { names.insert("module.\(module).adapter.\(member.prefix)\(tensor)") }
      }
    }
    return names.sorted()
  }

  /// Whether all experts of each bank have one adapter.
  private var sharesExperts: Bool {
    let pairs = places.layers.filter { $0.slot.split.isExpert }.flatMap(\.pairs.values)
    return pairs.allSatisfy { $0.place.sharesInputs && $0.place.sharesOutputs }
  }
}
