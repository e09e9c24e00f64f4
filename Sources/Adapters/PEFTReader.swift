import Checkpoints
import Tensors

/// Turns the tensors of a PEFT folder into changes of a model's tensors.
struct PEFTReader {
  let model: HuggingFaceModel
  let configuration: PEFTConfiguration
  let tensors: AdapterTensors
  let places: TensorPlaces
  var adapter: Adapter
  var mismatches: [AdapterError.Mismatch] = []
  var leftOver: [String] = []
  /// The paths of modules and parameters whose adapters were found.
  var modules: [String] = []
  var parameters: [String] = []
  var saved: [PEFTName] = []

  /// One module's tensors.
  struct Group {
    var module: String
    var depth: Int
    var factors: [PEFTName.Kind: Factor] = [:]

    var names: [String] { factors.values.map(\.name).sorted() }
  }

  /// - Throws: `AdapterError`, and what reading the files throws.
  init(folder: String, model: HuggingFaceModel) throws {
    self.model = model
    configuration = try PEFTConfiguration(folder: folder)
    tensors = try AdapterTensors(folder: folder, name: "adapter_model")
    places = TensorPlaces(model.blueprint)
    adapter = Adapter(source: folder)
    adapter.notes = configuration.notes
    var groups: [Group] = []
    var positions: [String: Int] = [:]
    var whole: [(PEFTName, Factor)] = []
    for text in tensors.names {
      guard let factor = tensors[text] else { continue }
      guard let name = PEFTName(text) else {
        leftOver.append(text)
        continue
      }
      switch name.kind {
      case .saved, .base: whole.append((name, factor))
      default:
        let key = "\(name.depth) \(name.module)"
        if positions[key] == nil {
          positions[key] = groups.count
          groups.append(Group(module: name.module, depth: name.depth))
        }
        guard let place = positions[key] else { continue }
        if let other = groups[place].factors.updateValue(factor, forKey: name.kind) {
          throw AdapterError.malformed(
            file: tensors.file, place: text,
            reason: "\(other.name) is the same tensor of another adapter; save one adapter alone")
        }
      }
    }
    for group in groups { try add(group) }
    try addWhole(whole)
    try finish()
  }

  // MARK: - One module

  private mutating func add(_ group: Group) throws {
    if group.factors[.embeddingA] != nil || group.factors[.embeddingB] != nil {
      try addEmbedding(group)
      return
    }
    guard let a = group.factors[.a], let b = group.factors[.b] else {
      throw AdapterError.malformed(
        file: tensors.file, place: group.names.first ?? group.module,
        reason: "A or B of this module is missing; copy the file again")
    }
    guard a.shape.rank == 2, b.shape.rank == 2 else {
      throw AdapterError.unsupported(
        file: tensors.file,
        what: "\(a.name) has the shape \(a.shape); only matrices' adapters are understood")
    }
    guard a.shape[0] > 0 else {
      throw AdapterError.rankZero(source: tensors.file, tensor: a.name)
    }
    let name = group.module + ".weight"
    guard group.depth == 0, let place = places[name] else {
      try addExperts(group, a, b)
      return
    }
    if case .tensor(let part) = place, part.part.shape.rank == 3 {
      parameters.append(name)
      try addStack(.tensor(part), path: name, a, b)
      return
    }
    modules.append(group.module)
    switch place {
    case .tensor(let part): try add(group, a, b, to: part)
    case .rows(let slot, let rows): try add(group, a, b, to: slot, rows)
    case .bank: leftOver += group.names
    }
  }

  private mutating func add(
    _ group: Group, _ a: Factor, _ b: Factor, to place: TensorPlaces.StoredPart
  ) throws {
    let shape = place.part.shape
    guard shape.rank == 2 else {
      leftOver += group.names
      return
    }
    let (outputs, inputs) = place.isTransposed ? (shape[1], shape[0]) : (shape[0], shape[1])
    let rank = configuration.rank(of: group.module)
    check(a, [rank, inputs], place.part.name)
    check(b, [outputs, rank], place.part.name)
    let magnitude = try magnitude(of: group, outputs: outputs, place.part.name)
    let change = LowRank(
      a: a, b: b, scale: configuration.scale(of: group.module), magnitude: magnitude,
      isTransposed: place.isTransposed)
    append(Change(.lowRank(change)), to: place.part.name)
    noteTie(place)
    try addBias(group, to: place.part.name)
  }

  /// Rows of a tensor that the files hold as part of another one.
  private mutating func add(
    _ group: Group, _ a: Factor, _ b: Factor, to stored: TensorPlaces.StoredSlot,
    _ rows: [Range<Int>]
  ) throws {
    let slot = stored.slot
    let rank = configuration.rank(of: group.module)
    let base = slot.parts.first?.name ?? group.module
    guard group.factors[.magnitude] == nil, group.factors[.bias] == nil else {
      throw AdapterError.unsupported(
        file: tensors.file,
        what: "\(group.module) has \(group.factors[.bias] == nil ? "DoRA's lengths" : "a bias"), "
          + "but the model holds it as a part of \(base); merge into files that hold it apart")
    }
    let fits =
      check(a, [rank, slot.rowWidth], base)
      && check(b, [rows.reduce(0) { $0 + $1.count }, rank], base)
    guard fits else { return }
    let packed = PackedChange(
      slot: slot, rows: rows, a: { _ in a }, b: b,
      scale: configuration.scale(of: group.module))
    for (tensor, change) in packed.parts() { append(change, to: tensor) }
  }

  private mutating func addEmbedding(_ group: Group) throws {
    guard let a = group.factors[.embeddingA], let b = group.factors[.embeddingB] else {
      throw AdapterError.malformed(
        file: tensors.file, place: group.names.first ?? group.module,
        reason: "A or B of this embedding is missing; copy the file again")
    }
    guard case .tensor(let place)? = places[group.module + ".weight"], place.part.shape.rank == 2
    else {
      leftOver += group.names
      return
    }
    modules.append(group.module)
    let (count, width) = (place.part.shape[0], place.part.shape[1])
    let rank = configuration.rank(of: group.module)
    if a.shape.rank == 2, a.shape[1] != count {
      throw resized(place.part.name, from: count, to: a.shape[1], a.name)
    }
    check(a, [rank, count], place.part.name)
    check(b, [width, rank], place.part.name)
    let change = LowRank(
      a: a, b: b, scale: configuration.scale(of: group.module),
      magnitude: try magnitude(of: group, outputs: width, place.part.name), isTransposed: true)
    append(Change(.lowRank(change)), to: place.part.name)
    noteTie(place)
  }

  private mutating func magnitude(
    of group: Group, outputs: Int, _ base: String
  ) throws -> Factor? {
    guard let magnitude = group.factors[.magnitude] else {
      if configuration.isDoRA {
        throw AdapterError.malformed(
          file: tensors.file, place: group.module,
          reason: "use_dora is set, but it has no lora_magnitude_vector; copy the file again")
      }
      return nil
    }
    // A convolution's has more axes, of one element each.
    guard magnitude.shape.count == outputs else {
      check(magnitude, [outputs], base)
      return nil
    }
    return magnitude.reshaped([outputs])
  }

  private mutating func addBias(_ group: Group, to weight: String) throws {
    guard let bias = group.factors[.bias] else { return }
    let name = group.module + ".bias"
    guard case .tensor(let place)? = places[name] else {
      throw AdapterError.unsupported(
        file: tensors.file,
        what: "\(bias.name) is the bias of B (lora_bias), but the base has no \(name) to add it "
          + "to; train without lora_bias, or give the base biases")
    }
    guard check(bias, place.part.shape, place.part.name) else { return }
    let scale = configuration.scale(of: group.module)
    append(Change(.addition(bias, scale: scale)), to: place.part.name)
  }

  // MARK: - Collecting

  mutating func append(_ change: Change, to tensor: String) {
    adapter.changes[tensor, default: []].append(change)
  }

  @discardableResult
  mutating func check(_ factor: Factor, _ expected: Shape, _ base: String) -> Bool {
    if factor.shape == expected { return true }
    mismatches.append(
      .init(tensor: factor.name, found: factor.shape, base: base, expected: expected))
    return false
  }

  func resized(_ base: String, from: Int, to count: Int, _ tensor: String) -> AdapterError {
    .unsupported(
      file: tensors.file,
      what: "\(tensor) is for \(count) tokens, but \(base) has \(from): the vocabulary was resized "
        + "before training; resize the base in the same way (resize_token_embeddings), save it, and "
        + "merge into that")
  }

  private mutating func noteTie(_ place: TensorPlaces.StoredPart) {
    let embedding = model.blueprint.duplicates.values.contains(place.part.name)
    guard embedding else { return }
    let note =
      "\(place.part.name) is embedding and output layer at once: what the adapter does to one, the "
      + "merged model does to both, as PEFT's merge_and_unload makes it."
    if !adapter.notes.contains(note) { adapter.notes.append(note) }
  }

  private func finish() throws {
    guard mismatches.isEmpty else {
      throw AdapterError.doesNotFit(source: tensors.file, mismatches: mismatches)
    }
    guard leftOver.isEmpty else {
      throw AdapterError.leftOver(source: tensors.file, tensors: leftOver)
    }
    let found = saved.map(\.module)
    var idle = configuration.idleTargets(modules, saved: found)
    idle += configuration.parameters.filter { name in
      !(parameters + modules.map { $0 + ".weight" }).contains {
        PEFTConfiguration.ends($0, with: name)
      }
    }
    idle += configuration.savedModules.filter { name in
      !found.contains { $0.hasSuffix(name) || $0.contains(name + ".") }
    }
    guard idle.isEmpty else {
      throw AdapterError.malformed(
        file: configuration.file, place: "target_modules, target_parameters, modules_to_save",
        reason: "the weights have nothing for \(idle.prefix(3).joined(separator: ", ")); take the "
          + "configuration that belongs to the weights, or take the names out of it")
    }
    let strange = modules.filter {
      !configuration.isTarget($0) && !configuration.isTargetParameter($0 + ".weight")
    }
    guard strange.isEmpty else {
      throw AdapterError.malformed(
        file: configuration.file, place: "target_modules",
        reason: "the weights hold an adapter for \(strange[0]), which is no target, so PEFT would "
          + "pass it by; take the configuration that belongs to the weights")
    }
  }
}

extension Adapter {
  /// Reads a PEFT folder: adapter_config.json, and adapter_model.safetensors or .bin.
  ///
  /// - Throws: `AdapterError`, and what reading the files throws.
  init(peft folder: String, for model: HuggingFaceModel) throws {
    self = try PEFTReader(folder: folder, model: model).adapter
  }
}
