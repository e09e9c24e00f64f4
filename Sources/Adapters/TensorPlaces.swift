import Blueprint
import Checkpoints
import Tensors

/// Finds the tensors in a model's files by the names that its running code gives them.
///
/// Mostly these are the same. They differ in what wraps the model ("model.", "language_model."), and in
/// experts and routers: transformers 5 runs listed experts as one stack under other names than the
/// files', and older adapters name single experts where files hold stacks.
struct TensorPlaces {
  /// What a name stands for.
  enum Place {
    /// A tensor of the files.
    case tensor(StoredPart)
    /// Rows of a slot that the files hold in other pieces: packed rows, in the order of the slot.
    case rows(StoredSlot, [Range<Int>])
    /// All experts' matrices of one kind, as a stack that the files do not hold as one.
    case bank(StoredSlot)
  }

  /// A tensor of the files, and where it belongs.
  struct StoredPart {
    var part: Part
    var slot: Slot
    /// Whether the matrix is stored [inputs, outputs].
    var isTransposed: Bool
    /// The name it was asked for under, if that is one of a tied tensor's others.
    var alias: String?
  }

  /// A slot, and which expert's matrix a row is of.
  struct StoredSlot {
    var slot: Slot

    var experts: Int { slot.split.isExpert ? slot.shape[0] : 1 }
    var rowsPerExpert: Int { slot.rows / max(1, experts) }
  }

  private var parts: [String: StoredPart] = [:]
  /// Tensors that are another one under a second name.
  private var aliases: [String: String] = [:]
  /// The slots of each block, by the block's prefix without wrappers.
  private var blocks: [String: [Slot]] = [:]
  private let attentions: AttentionTable
  let buffers: Set<String>
  let vocabulary: Int

  init(_ blueprint: Blueprint) {
    for slot in blueprint.slots.map(\.slot) {
      let isTransposed = if case .transposed = slot.layout { true } else { false }
      for part in slot.parts {
        parts[Self.bare(part.name)] = StoredPart(
          part: part, slot: slot, isTransposed: isTransposed)
      }
    }
    for (name, original) in blueprint.duplicates {
      aliases[Self.bare(name)] = Self.bare(original)
    }
    for block in blueprint.blocks {
      let slots = block.slots.map { slot in
        var slot = slot
        for index in slot.parts.indices {
          slot.parts[index].name = block.prefix + slot.parts[index].name
        }
        return slot
      }
      blocks[Self.bare(block.prefix)] = slots
    }
    attentions = AttentionTable(blueprint)
    buffers = Set(blueprint.buffers.map(Self.bare))
    vocabulary = blueprint.frame.vocabulary
  }

  /// What wraps a model's blocks and embeddings, in one class or another.
  private static let wrappers: Set<Substring> = [
    "model", "language_model", "text_model", "transformer", "backbone", "decoder", "module",
    "base_model", "_orig_mod", "gpt_neox",
  ]

  /// A name without what wraps the model.
  static func bare(_ name: String) -> String {
    name.split(separator: ".", omittingEmptySubsequences: false)
      .drop { wrappers.contains($0) }.joined(separator: ".")
  }

  /// The place of a tensor, by its name in the running model.
  subscript(name: String) -> Place? {
    let bare = Self.bare(name)
    if let part = parts[bare] { return .tensor(part) }
    if let original = aliases[bare], var part = parts[original] {
      part.alias = name
      return .tensor(part)
    }
    guard let (slots, tail) = block(of: bare) else { return nil }
    return Self.router(tail, slots) ?? Self.expert(tail, slots) ?? Self.half(tail, slots)
      ?? projection(tail, slots)
  }

  func isBuffer(_ name: String) -> Bool { buffers.contains(Self.bare(name)) }

  /// The stacks of a module that holds a block's experts, in the order in which PEFT meets them, with
  /// the names that the running model gives them.
  func banks(of module: String) -> [(names: [String], place: Place)] {
    guard let (slots, tail) = block(of: Self.bare(module)), tail.last == "experts" else {
      return []
    }
    let pairs: [(Role, [String])] = [
      (.expertFC1(.weight), ["gate_up_proj", "up_proj", "input_linear", "w1"]),
      (.expertFC2(.weight), ["down_proj", "output_linear", "w2"]),
    ]
    return pairs.compactMap { role, names in
      guard let slot = Self.only(role, in: slots) else { return nil }
      return (names, Self.whole(slot))
    }
  }

  /// A bank: the stack itself where the files hold it.
  private static func whole(_ slot: Slot) -> Place {
    guard slot.parts.count == 1, slot.parts[0].shape.rank == 3 else {
      return .bank(StoredSlot(slot: slot))
    }
    let isTransposed = if case .transposed = slot.layout { true } else { false }
    return .tensor(StoredPart(part: slot.parts[0], slot: slot, isTransposed: isTransposed))
  }

  // MARK: - By role

  private func block(of bare: String) -> (slots: [Slot], tail: [Substring])? {
    let components = bare.split(separator: ".")
    // layers.3., h.3., blocks.3.
    guard components.count >= 2 else { return nil }
    guard let slots = blocks[components[0] + "." + components[1] + "."] else { return nil }
    return (slots, Array(components.dropFirst(2)))
  }

  private static func only(_ role: Role, in slots: [Slot]) -> Slot? {
    let found = slots.filter { $0.role == role }
    return found.count == 1 ? found[0] : nil
  }

  private static let routers: Set<String> = [
    "gate.weight", "router.weight", "router.layer.weight", "router.classifier.weight",
  ]
  private static let moeModules: Set<Substring> = [
    "mlp", "block_sparse_moe", "feed_forward", "moe", "mixer",
  ]

  private static func router(_ tail: [Substring], _ slots: [Slot]) -> Place? {
    guard let first = tail.first, moeModules.contains(first),
      routers.contains(tail.dropFirst().joined(separator: ".")),
      let slot = only(.router(.weight), in: slots), slot.parts.count == 1
    else { return nil }
    return .tensor(StoredPart(part: slot.parts[0], slot: slot, isTransposed: false))
  }

  private static let gates: Set<Substring> = ["gate_proj", "w1"]
  private static let ups: Set<Substring> = ["up_proj", "w3"]
  private static let downs: Set<Substring> = ["down_proj", "w2"]

  /// The place of `….experts.3.up_proj.weight`.
  private static func expert(_ tail: [Substring], _ slots: [Slot]) -> Place? {
    guard tail.count == 5, moeModules.contains(tail[0]), tail[1] == "experts",
      let expert = Int(tail[2]), expert >= 0, tail[4] == "weight"
    else { return nil }
    return matrix(expert, tail[3], slots)
  }

  /// One expert's gate, up or down matrix.
  static func matrix(_ expert: Int, _ projection: Substring, _ slots: [Slot]) -> Place? {
    let isDown = downs.contains(projection)
    guard let slot = only(isDown ? .expertFC2(.weight) : .expertFC1(.weight), in: slots) else {
      return nil
    }
    let stored = StoredSlot(slot: slot)
    guard expert < stored.experts else { return nil }
    let start = expert * stored.rowsPerExpert
    return range(projection, isDown, slot).map {
      .rows(stored, [start + $0.lowerBound..<start + $0.upperBound])
    }
  }

  /// The rows of a projection in the packed matrix it is part of.
  private static func range(_ projection: Substring, _ isDown: Bool, _ slot: Slot) -> Range<Int>? {
    let rows = StoredSlot(slot: slot).rowsPerExpert
    if isDown { return 0..<rows }
    guard slot.fragments.count == 2 else { return ups.contains(projection) ? 0..<rows : nil }
    if gates.contains(projection) { return 0..<rows / 2 }
    return ups.contains(projection) ? rows / 2..<rows : nil
  }

  /// The expert's matrices of one kind in mlx-lm: `….switch_mlp.up_proj`.
  func switched(_ module: String) -> (expert: (Int) -> Place?, count: Int)? {
    guard let (slots, tail) = block(of: Self.bare(module)), tail.count >= 2,
      tail[tail.count - 2] == "switch_mlp", let projection = tail.last,
      let bank = Self.only(.expertFC1(.weight), in: slots)
    else { return nil }
    return ({ Self.matrix($0, projection, slots) }, bank.shape[0])
  }

  /// The gate or the up half of a dense layer whose files hold both in one tensor, or both of two.
  private static func half(_ tail: [Substring], _ slots: [Slot]) -> Place? {
    guard tail.count == 3, tail[0] == "mlp", tail[2] == "weight",
      let slot = only(.fc1(.weight), in: slots), slot.fragments.count == 2
    else { return nil }
    if tail[1] == "gate_up_proj", slot.parts.count == 2 {
      return .rows(StoredSlot(slot: slot), [0..<slot.rows])
    }
    guard slot.parts.count == 1 else { return nil }
    return range(tail[1], false, slot).map { .rows(StoredSlot(slot: slot), [$0]) }
  }

  private static let attentionMembers: [Substring: AdapterMember] = [
    "q_proj": .query, "k_proj": .key, "v_proj": .value,
  ]

  /// Queries, keys or values of a layer whose files hold all three in one tensor.
  private func projection(_ tail: [Substring], _ slots: [Slot]) -> Place? {
    guard tail.count == 3, tail[2] == "weight", let member = Self.attentionMembers[tail[1]],
      let slot = Self.only(.queryKeyValue(.weight), in: slots), slot.parts.count == 1,
      case .success(let rows) = member.rows(of: slot, attentions[slot])
    else { return nil }
    return .rows(StoredSlot(slot: slot), rows)
  }
}
