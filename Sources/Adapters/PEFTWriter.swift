import Blueprint
import Checkpoints
import Tensors

/// An adapter in PEFT's words: the tensors of adapter_model.safetensors, and what the configuration has
/// to say of them.
///
/// Names and shapes are those of Megatron-Bridge's export, where that has them.
struct PEFTWriter {
  /// A tensor to write.
  struct Entry {
    var name: String
    var factor: Factor
    var work = TransferWork.computing
  }

  /// What one module's adapter makes of A and B.
  struct Weight: Hashable {
    var rank: Int
    var alpha: Double
  }

  private(set) var entries: [Entry] = []
  /// By the path of a module or of a parameter.
  private(set) var weights: [String: Weight] = [:]
  private(set) var modules: Set<String> = []
  private(set) var parameters: [String] = []
  private(set) var savedModules: Set<String> = []
  private(set) var isDoRA = false
  private(set) var hasBiases = false
  private(set) var replacesBiases = false
  /// Also those of modules without an adapter.
  private(set) var replacesOtherBiases = false
  private(set) var isTransposed = false
  private(set) var keepsTies = false
  let source: String
  let model: HuggingFaceModel
  private let slots: [String: Slot]
  private let changes: [String: [Change]]

  /// - Throws: `AdapterError.unsupported` for what PEFT has no words for.
  init(_ adapter: Adapter, for model: HuggingFaceModel) throws {
    source = adapter.source
    self.model = model
    var slots: [String: Slot] = [:]
    for slot in model.blueprint.slots.map(\.slot) {
      for part in slot.parts { slots[part.name] = slot }
    }
    self.slots = slots
    changes = adapter.changes
    var stacks: [(name: String, matrices: [Int: LowRank])] = []
    for name in Self.order(adapter) {
      let changes = adapter.changes[name] ?? []
      guard let slot = slots[name], let part = slot.parts.first(where: { $0.name == name }) else {
        throw AdapterError.leftOver(source: source, tensors: [name])
      }
      if part.shape.rank == 3 {
        stacks.append((name, try matrices(of: name, part.shape[0], changes)))
        continue
      }
      guard changes.count == 1, let change = changes.first, change.matrix == nil else {
        throw fault(name, "it has several changes, and PEFT has one adapter for each module")
      }
      try add(change.kind, to: name, slot)
    }
    try add(stacks)
    try requireOneKind()
  }

  /// Adapters first: what is done to a bias depends on them.
  private static func order(_ adapter: Adapter) -> [String] {
    let names = adapter.changes.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let isLow = { (name: String) in
      adapter.changes[name]?.contains { if case .lowRank = $0.kind { true } else { false } } == true
    }
    return names.filter(isLow) + names.filter { !isLow($0) }
  }

  func fault(_ tensor: String, _ reason: String) -> AdapterError {
    .unsupported(
      file: source,
      what: "\(tensor) cannot be written for PEFT: \(reason); merge the adapter instead")
  }

  func isRouter(_ module: String) -> Bool { slots[module + ".weight"]?.role == .router(.weight) }

  static func key(_ module: String) -> String { "base_model.model.\(module)" }

  // MARK: - Matrices and vectors

  private mutating func add(_ kind: Change.Kind, to name: String, _ slot: Slot) throws {
    let (module, parameter) = Self.split(name)
    switch kind {
    case .lowRank(let change):
      guard parameter == "weight" else {
        throw fault(name, "it is no module's weight")
      }
      if slot.role == .wordEmbeddings {
        try addEmbedding(change, module)
      } else {
        try add(change, to: module, slot)
      }
      modules.insert(Self.split(module).last)
      try remember(module, change)
    case .addition(let factor, let scale):
      guard parameter == "bias", let weight = weights[module],
        scale == weight.alpha / Double(weight.rank)
      else {
        throw fault(name, "a bias is added only with its layer's adapter, by the same factor")
      }
      hasBiases = true
      entries.append(Entry(name: Self.key(module) + ".lora_B.bias", factor: factor))
    case .replacement(let factor):
      if parameter == "bias", weights[module] != nil {
        replacesBiases = true
        entries.append(Entry(name: Self.key(module) + ".base_layer.bias", factor: factor))
        return
      }
      if parameter == "bias", !isReplaced("\(module).weight") {
        replacesOtherBiases = true
      } else {
        savedModules.insert(module)
      }
      entries.append(Entry(name: Self.key(name), factor: factor))
      for alias in aliases(of: name) {
        keepsTies = true
        savedModules.insert(Self.split(alias).path)
        entries.append(Entry(name: Self.key(alias), factor: factor))
      }
    }
  }

  /// The names under which a tied tensor is used besides.
  private func aliases(of name: String) -> [String] {
    model.blueprint.duplicates.filter { $0.value == name }.map(\.key).sorted()
  }

  private func isReplaced(_ name: String) -> Bool {
    changes[name]?.contains { if case .replacement = $0.kind { true } else { false } } == true
  }

  private mutating func add(_ change: LowRank, to module: String, _ slot: Slot) throws {
    var isStored = false
    if case .transposed = slot.layout { isStored = true }
    guard change.isTransposed == isStored else {
      throw fault(module, "its factors are the other way round than its tensor")
    }
    if isStored { isTransposed = true }
    let key = Self.key(module)
    entries.append(Entry(name: key + ".lora_A.weight", factor: change.a))
    entries.append(Entry(name: key + ".lora_B.weight", factor: change.b))
    addMagnitude(change, key)
  }

  private mutating func addEmbedding(_ change: LowRank, _ module: String) throws {
    let key = Self.key(module)
    var (a, b, work) = (change.a, change.b, TransferWork.computing)
    if !change.isTransposed {
      guard aliases(of: module + ".weight").isEmpty else {
        throw fault(module, "it is embedding and output layer at once, and PEFT adapts one of them")
      }
      // mlx-lm's: a row of B for each token.
      guard change.magnitude == nil else {
        throw fault(
          module, "it has a length for each token, and PEFT one for each number of a token")
      }
      (a, b, work) = (change.b.transposed, change.a.transposed, .turning)
    }
    entries.append(Entry(name: key + ".lora_embedding_A", factor: a, work: work))
    entries.append(Entry(name: key + ".lora_embedding_B", factor: b, work: work))
    addMagnitude(change, key)
  }

  private mutating func addMagnitude(_ change: LowRank, _ key: String) {
    guard let magnitude = change.magnitude else { return }
    isDoRA = true
    entries.append(
      Entry(
        name: key + ".lora_magnitude_vector", factor: magnitude.reshaped([magnitude.shape.count])))
  }

  private mutating func remember(_ path: String, _ change: LowRank) throws {
    guard change.rank > 0 else {
      throw AdapterError.rankZero(source: source, tensor: change.a.name)
    }
    weights[path] = Weight(rank: change.rank, alpha: Self.alpha(change))
  }

  /// A whole number where one gives this very factor.
  private static func alpha(_ change: LowRank) -> Double {
    let alpha = change.scale * Double(change.rank)
    let whole = alpha.rounded()
    return whole / Double(change.rank) == change.scale ? whole : alpha
  }

  /// A name as module and parameter: `model.layers.0.mlp.up_proj` and `weight`.
  static func split(_ name: String) -> (path: String, last: String) {
    guard let dot = name.lastIndex(of: ".") else { return ("", name) }
    return (String(name[..<dot]), String(name[name.index(after: dot)...]))
  }

  /// PEFT's settings of DoRA hold for all modules, and a saved module is saved with all it has.
  private mutating func requireOneKind() throws {
    guard !weights.isEmpty else {
      throw AdapterError.unsupported(
        file: source, what: "it has no low-rank change, so there is nothing to write for PEFT")
    }
    let lengths = entries.filter { $0.name.hasSuffix(".lora_magnitude_vector") }.count
    if isDoRA, lengths != weights.count {
      throw fault("an adapter", "some modules have DoRA's lengths and some have not")
    }
    let written = Set(entries.map(\.name))
    for name in savedModules.sorted().flatMap({ ["\($0).weight", "\($0).bias"] })
    where slots[name] != nil && !written.contains(Self.key(name)) {
      // What was not trained is the base's.
      guard let weights = model.weights, let entry = weights[name] else {
        throw fault(name, "its module is replaced, and PEFT saves modules as a whole")
      }
      let factor = Factor(name: name, dtype: entry.dtype, shape: entry.shape) {
        try weights.runs(of: name)
      }
      entries.append(Entry(name: Self.key(name), factor: factor, work: .copying))
    }
  }

  // MARK: - Stacks

  /// The change of each matrix of a stack.
  private func matrices(
    of name: String, _ count: Int, _ changes: [Change]
  ) throws -> [Int: LowRank] {
    var matrices: [Int: LowRank] = [:]
    for change in changes {
      guard case .lowRank(let low) = change.kind, low.magnitude == nil else {
        throw fault(name, "a stack of experts has low-rank changes alone")
      }
      for matrix in change.matrix.map({ [$0] }) ?? Array(0..<count) {
        guard matrices.updateValue(low, forKey: matrix) == nil else {
          throw fault(name, "matrix \(matrix) has several changes")
        }
      }
    }
    let kinds = Set(matrices.values.map { Weight(rank: $0.rank, alpha: $0.scale) })
    guard matrices.count == count, kinds.count == 1,
      Set(matrices.values.map(\.isTransposed)).count == 1
    else {
      throw fault(name, "its experts have no, or different, ranks and factors")
    }
    return matrices
  }

  private mutating func add(_ stacks: [(name: String, matrices: [Int: LowRank])]) throws {
    // PEFT wraps a module's parameters one by one in their order in the module; the last is outermost.
    let byModule = Dictionary(grouping: stacks) { Self.split($0.name).path }
    for (module, stacks) in byModule.sorted(by: { $0.key < $1.key }) {
      let ordered = stacks.sorted { left, right in
        (slots[left.name]?.role == .expertFC2(.weight) ? 0 : 1, left.name)
          < (slots[right.name]?.role == .expertFC2(.weight) ? 0 : 1, right.name)
      }
      for (depth, stack) in ordered.enumerated() {
        guard let slot = slots[stack.name] else { continue }
        let nested = String(repeating: ".base_layer", count: depth)
        try add(stack.matrices, of: stack.name, slot, key: Self.key(module) + nested)
        parameters.append(stack.name)
      }
    }
  }

  private mutating func add(
    _ matrices: [Int: LowRank], of name: String, _ slot: Slot, key: String
  ) throws {
    let ordered = matrices.sorted { $0.key < $1.key }.map(\.value)
    guard let first = ordered.first else { return }
    try remember(name, first)
    // Since 0.19.1 the stored matrix is B · A, unless the module says that it is turned.
    let isTurned = TensorPlaces.saysItIsTransposed(slot, in: model.blueprint)
    let pairs = ordered.map { low in
      low.isTransposed == isTurned ? (low.a, low.b) : (low.b.transposed, low.a.transposed)
    }
    let a = Factor.joined(pairs.map(\.0))
    // The expert is the fastest index of B's columns.
    let outputs = pairs[0].1.shape[0]
    let b = Factor.joined(pairs.map { $0.1.reshaped([1, outputs * first.rank]) }).transposed
      .reshaped([outputs, first.rank * ordered.count])
    entries.append(Entry(name: key + ".lora_A.weight", factor: a, work: .turning))
    entries.append(Entry(name: key + ".lora_B.weight", factor: b, work: .turning))
  }
}

extension Factor {
  /// Matrices one below the other.
  static func joined(_ factors: [Factor]) -> Factor {
    var result = factors[0]
    result.shape = [factors.reduce(0) { $0 + $1.shape[0] }, factors[0].shape[1]]
    result.runs = {
      var runs = ByteRuns()
      for factor in factors {
        runs.append(
          try factor.runs().converted(
            from: factor.dtype, to: factors[0].dtype, width: max(1, factor.shape[1])))
      }
      return runs
    }
    return result
  }
}
