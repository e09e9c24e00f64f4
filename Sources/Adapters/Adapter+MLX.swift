import Blueprint
import Checkpoints
import Tensors

/// Reads what mlx-lm's training writes: adapter_config.json and adapters.safetensors.
///
/// There `lora_a` is [inputs, rank] and `lora_b` [rank, outputs], and `scale` is the factor itself.
struct MLXReader {
  private let model: HuggingFaceModel
  private let tensors: AdapterTensors
  private let places: TensorPlaces
  private let rank: Int
  private let scale: Double
  private(set) var adapter: Adapter
  private var mismatches: [AdapterError.Mismatch] = []
  private var leftOver: [String] = []

  /// - Throws: `AdapterError`, and what reading the files throws.
  init(folder: String, model: HuggingFaceModel) throws {
    self.model = model
    var reader = try AdapterConfiguration(folder: folder)
    let kind = try reader.text("fine_tune_type") ?? "lora"
    guard ["lora", "dora", "full"].contains(kind) else {
      throw AdapterError.unsupported(
        file: reader.file, what: "fine_tune_type is \(kind); known are lora, dora and full")
    }
    (rank, scale) = kind == "full" ? (0, 0) : try Self.factors(&reader)
    guard Folder.isFile("\(folder)/adapters.safetensors") else {
      throw AdapterError.unsupported(
        file: folder,
        what: "it holds adapters.npz, as mlx-lm wrote until 2024; save the adapter as "
          + "adapters.safetensors")
    }
    tensors = try AdapterTensors(folder: folder, name: "adapters")
    places = TensorPlaces(model.blueprint)
    adapter = Adapter(source: folder)
    try read()
    guard mismatches.isEmpty else {
      throw AdapterError.doesNotFit(source: tensors.file, mismatches: mismatches)
    }
    guard leftOver.isEmpty else {
      throw AdapterError.leftOver(source: tensors.file, tensors: leftOver)
    }
  }

  private static func factors(
    _ reader: inout AdapterConfiguration
  ) throws -> (rank: Int, scale: Double) {
    guard let settings = try reader.object("lora_parameters") else {
      throw reader.fault(
        "lora_parameters", "it is missing, and only it says how much of the adapter is added")
    }
    guard let scale = settings["scale"]?.double, scale.isFinite else {
      throw reader.fault("lora_parameters.scale", "it is missing or no finite number")
    }
    guard let rank = settings["rank"]?.integer else {
      throw reader.fault("lora_parameters.rank", "it is missing or no whole number")
    }
    guard rank > 0 else {
      throw AdapterError.rankZero(source: reader.file, tensor: "lora_parameters.rank")
    }
    guard rank <= PEFTConfiguration.rankLimit else {
      throw reader.fault("lora_parameters.rank", "no adapter has that rank")
    }
    return (rank, scale)
  }

  private mutating func read() throws {
    for name in tensors.names {
      guard let factor = tensors[name] else { continue }
      guard let (module, kind) = Self.parts(name) else {
        addWhole(name, factor)
        continue
      }
      // B and the lengths come with A.
      guard kind == "lora_a" else {
        if tensors["\(module).lora_a"] == nil { leftOver.append(name) }
        continue
      }
      guard let b = tensors["\(module).lora_b"] else {
        throw AdapterError.malformed(
          file: tensors.file, place: name, reason: "its lora_b is missing; copy the file again")
      }
      guard factor.shape.rank >= 2, !factor.shape.dimensions.contains(0) else {
        throw AdapterError.rankZero(source: tensors.file, tensor: name)
      }
      try add(module, factor, b, lengths: tensors["\(module).m"])
    }
  }

  private static func parts(_ name: String) -> (module: String, kind: String)? {
    guard let dot = name.lastIndex(of: ".") else { return nil }
    let kind = String(name[name.index(after: dot)...])
    return ["lora_a", "lora_b", "m"].contains(kind) ? (String(name[..<dot]), kind) : nil
  }

  private mutating func add(
    _ module: String, _ a: Factor, _ b: Factor, lengths: Factor?
  ) throws {
    if let (place, count) = places.switched(module) {
      try addExperts(module, place, count, a, b)
      return
    }
    switch places[module + ".weight"] {
    case .tensor(let place)? where place.part.shape.rank == 2:
      let (name, shape) = (place.part.name, place.part.shape)
      if place.slot.role == .wordEmbeddings {
        // A is a row for each token: the tensor is A · B as it stands.
        guard check(a, [shape[0], rank], name), check(b, [rank, shape[1]], name) else { return }
        append(LowRank(a: b, b: a, scale: scale, magnitude: lengths), to: name)
        return
      }
      let (outputs, inputs) = place.isTransposed ? (shape[1], shape[0]) : (shape[0], shape[1])
      guard check(a, [inputs, rank], name), check(b, [rank, outputs], name) else { return }
      append(
        LowRank(
          a: a.transposed, b: b.transposed, scale: scale, magnitude: lengths,
          isTransposed: place.isTransposed), to: name)
    case .rows(let stored, let rows)? where lengths == nil:
      let base = stored.slot.parts.first?.name ?? module
      let outputs = rows.reduce(0) { $0 + $1.count }
      guard check(a, [stored.slot.rowWidth, rank], base), check(b, [rank, outputs], base)
      else { return }
      append(
        PackedChange(
          slot: stored.slot, rows: rows, a: { _ in a.transposed }, b: b.transposed, scale: scale))
    default: leftOver.append(a.name)
    }
  }

  /// A is [experts, rank, inputs], B [experts, outputs, rank].
  private mutating func addExperts(
    _ module: String, _ place: (Int) -> TensorPlaces.Place?, _ count: Int, _ a: Factor, _ b: Factor
  ) throws {
    for expert in 0..<count {
      guard case .rows(let stored, let rows)? = place(expert) else {
        leftOver.append(a.name)
        return
      }
      let (inputs, base) = (stored.slot.rowWidth, stored.slot.parts.first?.name ?? module)
      // Older files hold A's experts one below the other.
      let isFlat = a.shape == [count * rank, inputs]
      let outputs = rows.reduce(0) { $0 + $1.count }
      guard isFlat || check(a, [count, rank, inputs], base),
        check(b, [count, outputs, rank], base)
      else { return }
      let rank = rank
      let flat = a.reshaped([count * rank, inputs])
      let part = b.reshaped([count * outputs, rank])
        .rows(first: expert * outputs, count: outputs).named("[\(expert)]")
      append(
        PackedChange(
          slot: stored.slot, rows: rows,
          a: { flat.rows(first: $0 * rank, count: rank).named("[\($0)]") }, b: part, scale: scale))
    }
  }

  private mutating func addWhole(_ name: String, _ factor: Factor) {
    guard case .tensor(let place)? = places[name] else {
      leftOver.append(name)
      return
    }
    guard check(factor, place.part.shape, place.part.name) else { return }
    adapter.changes[place.part.name, default: []].append(Change(.replacement(factor)))
  }

  // MARK: - Collecting

  private mutating func append(_ change: LowRank, to tensor: String) {
    adapter.changes[tensor, default: []].append(Change(.lowRank(change)))
  }

  private mutating func append(_ change: PackedChange) {
    for (tensor, change) in change.parts() {
      adapter.changes[tensor, default: []].append(change)
    }
  }

  private mutating func check(_ factor: Factor, _ expected: Shape, _ base: String) -> Bool {
    if factor.shape == expected { return true }
    mismatches.append(
      .init(tensor: factor.name, found: factor.shape, base: base, expected: expected))
    return false
  }
}

extension Adapter {
  /// Reads an mlx-lm folder.
  ///
  /// - Throws: `AdapterError`, and what reading the files throws.
  init(mlx folder: String, for model: HuggingFaceModel) throws {
    self = try MLXReader(folder: folder, model: model).adapter
  }
}
