import Blueprint
import Checkpoints
import Tensors

/// Tensors that were trained, or merely saved, as a whole.
extension PEFTReader {
  /// `modules_to_save`, trained biases, and embeddings that PEFT saves beside their adapters.
  mutating func addWhole(_ tensors: [(name: PEFTName, factor: Factor)]) throws {
    var replaced: [String: (factor: Factor, aliases: Set<String>)] = [:]
    for (name, factor) in tensors {
      let parameter: String
      switch name.kind {
      case .saved(let text):
        saved.append(name)
        parameter = text
      case .base(let text): parameter = text
      default: continue
      }
      let path = "\(name.module).\(parameter)"
      guard let place = places[path] else {
        if places.isBuffer(path) { continue }
        try addStack(name.module, parameter, factor)
        continue
      }
      guard case .tensor(let found) = place else {
        leftOver.append(factor.name)
        continue
      }
      let base = found.part.name
      guard try fits(factor, found) else { continue }
      if case .base = name.kind {
        try requireEqual(factor, base)
        continue
      }
      if Self.isVocabulary(found.slot), try isBase(factor, base) == true { continue }
      if let other = replaced[base] {
        guard try factor.equals(other.factor) else { throw untied(base, factor) }
      }
      replaced[base, default: (factor, [])].aliases.insert(found.alias ?? base)
    }
    try addReplacements(replaced)
  }

  private mutating func addReplacements(
    _ replaced: [String: (factor: Factor, aliases: Set<String>)]
  ) throws {
    for (base, change) in replaced.sorted(by: { $0.key < $1.key }) {
      // All names of a tied tensor must have been trained as one.
      let names = model.blueprint.duplicates.values.filter { $0 == base }.count + 1
      guard change.aliases.count == names || configuration.keepsTies else {
        throw untied(base, change.factor)
      }
      guard adapter.changes[base] == nil else {
        throw AdapterError.malformed(
          file: tensors.file, place: change.factor.name,
          reason: "\(base) is replaced as a whole and has an adapter besides; save one of them")
      }
      append(Change(.replacement(change.factor)), to: base)
    }
  }

  private static func isVocabulary(_ slot: Slot) -> Bool {
    slot.role == .wordEmbeddings || slot.role == .outputLayer(.weight)
  }

  private mutating func fits(_ factor: Factor, _ place: TensorPlaces.StoredPart) throws -> Bool {
    let (found, expected) = (factor.shape, place.part.shape)
    if Self.isVocabulary(place.slot), found.rank == 2, found[1] == expected[1],
      found[0] != expected[0]
    {
      throw resized(place.part.name, from: expected[0], to: found[0], factor.name)
    }
    return check(factor, expected, place.part.name)
  }

  /// A stack of experts that the files hold in pieces.
  private mutating func addStack(
    _ module: String, _ parameter: String, _ factor: Factor
  ) throws {
    guard
      case .bank(let stored)? = places.banks(of: module).first(where: {
        $0.names.contains(parameter)
      })?.place
    else {
      leftOver.append(factor.name)
      return
    }
    let slot = stored.slot
    guard check(factor, slot.shape, slot.parts.first?.name ?? module) else { return }
    let rowBytes = slot.rowWidth * factor.dtype.byteWidth
    for (index, part) in slot.parts.enumerated() {
      var piece = factor.named("[\(index)]")
      piece.shape = part.shape
      piece.runs = {
        slot.layout.unpack(
          try factor.runs(), part: index, rowBytes: rowBytes, dtype: factor.dtype)
      }
      append(Change(.replacement(piece)), to: part.name)
    }
  }

  // MARK: - Comparing with the base

  /// Whether a tensor is the base's; `nil` where the base's values are not at hand.
  private func isBase(_ factor: Factor, _ base: String) throws -> Bool? {
    guard let weights = model.weights, let entry = weights[base], entry.dtype.isFloat else {
      return nil
    }
    let original = Factor(name: base, dtype: entry.dtype, shape: entry.shape) {
      try weights.runs(of: base)
    }
    return try factor.equals(original)
  }

  /// A copy of a base tensor that is another than the base's would be a second, unseen change.
  private mutating func requireEqual(_ factor: Factor, _ base: String) throws {
    switch try isBase(factor, base) {
    case true?: break
    case false?:
      throw AdapterError.unsupported(
        file: tensors.file,
        what: "\(factor.name) is a copy of the model that was trained on, and another than \(base) "
          + "of the base; merge into the model that was trained on")
    case nil:
      adapter.notes.append("\(factor.name) is taken to be the base's \(base); not compared.")
    }
  }

  private func untied(_ base: String, _ factor: Factor) -> AdapterError {
    .unsupported(
      file: tensors.file,
      what: "\(factor.name) was trained apart from the other use of \(base), but the base has one "
        + "tensor for both; untie the base first (tie_word_embeddings false in config.json, and a copy "
        + "of \(base) as the output layer), and merge into that")
  }
}

extension Factor {
  /// Whether two tensors hold the same numbers, whatever their types.
  func equals(_ other: Factor) throws -> Bool {
    guard shape == other.shape else { return false }
    let (left, right) = (try runs(), try other.runs())
    let step = 1 << 20
    for start in stride(from: 0, to: shape.count, by: step) {
      let end = min(shape.count, start + step)
      let values = try left.slice(start * dtype.byteWidth..<end * dtype.byteWidth)
        .floats(dtype: dtype)
      let others = try right.slice(start * other.dtype.byteWidth..<end * other.dtype.byteWidth)
        .floats(dtype: other.dtype)
      if values != others { return false }
    }
    return true
  }
}
