import Blueprint
import Tensors

/// Adapters of stacks of experts' matrices (PEFT's `target_parameters`).
///
/// A is [experts · rank, x] by expert, B [y, rank · experts] with the expert fastest. For a stack
/// [experts, first, second] PEFT has known two layouts: B · A is [first, second], or it is turned.
extension PEFTReader {
  /// Experts whose matrices are no modules: the place among nested adapters says which stack it is.
  mutating func addExperts(_ group: Group, _ a: Factor, _ b: Factor) throws {
    let banks = places.banks(of: group.module)
    var targets: [(path: String, place: TensorPlaces.Place)] = []
    for bank in banks {
      let paths = bank.names.map { "\(group.module).\($0)" }
      // Without a list all stacks are meant.
      if configuration.parameters.isEmpty, let path = paths.first {
        targets.append((path, bank.place))
      } else if let path = paths.first(where: configuration.isTargetParameter) {
        targets.append((path, bank.place))
      }
    }
    // PEFT wraps one after the other: the first lies deepest.
    let position = targets.count - 1 - group.depth
    guard targets.indices.contains(position) else {
      leftOver += group.names
      return
    }
    guard group.factors[.magnitude] == nil, group.factors[.bias] == nil else {
      throw AdapterError.unsupported(
        file: tensors.file,
        what: "\(group.module) has DoRA's lengths or a bias for a stack of experts, which PEFT "
          + "does not make")
    }
    parameters.append(targets[position].path)
    try addStack(targets[position].place, path: targets[position].path, a, b)
  }

  /// The adapter of a whole stack.
  mutating func addStack(
    _ place: TensorPlaces.Place, path: String, _ a: Factor, _ b: Factor
  ) throws {
    let rank = configuration.rank(of: path)
    let (name, shape) = Self.stack(place)
    let (count, first, second) = (shape[0], shape[1], shape[2])
    let flat = count * rank
    let straight = a.shape == [flat, second] && b.shape == [first, flat]
    let turned = a.shape == [flat, first] && b.shape == [second, flat]
    guard straight || turned else {
      // The tensors' own widths tell which layout they are nearer to.
      let isStraight = a.shape[1] == second
      check(a, [flat, isStraight ? second : first], name)
      check(b, [isStraight ? first : second, flat], name)
      return
    }
    let isStraight = straight && turned ? try isStraight(place, a) : straight
    let scale = configuration.scale(of: path)
    switch place {
    case .tensor(let part):
      // B · A is the stored matrix or its transpose, whichever side is the input.
      for expert in 0..<count {
        let change = LowRank(
          a: a.rows(first: expert * rank, count: rank).named("[\(expert)]"),
          b: Self.slice(b, expert, rank: rank, of: count), scale: scale, isTransposed: !isStraight)
        append(Change(.lowRank(change), matrix: expert), to: part.part.name)
      }
    case .bank(let stored):
      let packed = PackedChange(
        slot: stored.slot, rows: [0..<stored.slot.rows],
        a: { expert in
          isStraight
            ? a.rows(first: expert * rank, count: rank).named("[\(expert)]")
            : Self.slice(b, expert, rank: rank, of: count).transposed
        },
        b: isStraight
          ? Self.byExpert(b, of: count).reshaped([count * first, rank])
          : a.reshaped([count, rank, first]).transposed.reshaped([count * first, rank]),
        scale: scale)
      for (tensor, change) in packed.parts() { append(change, to: tensor) }
    case .rows: leftOver += [a.name, b.name]
    }
  }

  /// The stack's name and shape in the running model.
  private static func stack(_ place: TensorPlaces.Place) -> (String, Shape) {
    switch place {
    case .tensor(let part): (part.part.name, part.part.shape)
    case .bank(let stored), .rows(let stored, _):
      (stored.slot.parts.first?.name ?? "", stored.slot.shape)
    }
  }

  /// Which of the layouts square matrices have, whose shapes do not tell.
  private mutating func isStraight(_ place: TensorPlaces.Place, _ a: Factor) throws -> Bool {
    // Until 0.19.0 all were turned; since then those are whose module says that it stores
    // [inputs, outputs], and that says the one with alternating rows.
    guard configuration.hasNewExpertLayout == true else {
      if configuration.version == nil {
        adapter.notes.append(
          "\(a.name) is of square matrices and adapter_config.json names no peft_version: taken as "
            + "PEFT wrote it before 0.19.1. If a newer one wrote it, add \"peft_version\".")
      }
      return false
    }
    guard case .tensor(let part) = place, part.isTransposed else { return true }
    return !TensorPlaces.saysItIsTransposed(part.slot, in: model.blueprint)
  }

  /// B of one expert, [outputs, rank], out of [outputs, rank · experts].
  static func slice(_ b: Factor, _ expert: Int, rank: Int, of count: Int) -> Factor {
    var result = byExpert(b, of: count).named("[\(expert)]")
    let bytes = b.shape[0] * rank * b.dtype.byteWidth
    result.shape = [b.shape[0], rank]
    result.runs = { [runs = result.runs] in
      try runs().slice(expert * bytes..<(expert + 1) * bytes)
    }
    return result
  }

  /// [outputs, rank · experts] as [experts, outputs · rank].
  private static func byExpert(_ b: Factor, of count: Int) -> Factor {
    b.reshaped([b.shape[0] * b.shape[1] / count, count]).transposed
  }
}

extension TensorPlaces {
  /// Whether transformers marks the module of a stack as one that stores [inputs, outputs]: it does so
  /// for the one whose gate and up rows alternate, in both of its stacks.
  static func saysItIsTransposed(_ slot: Slot, in blueprint: Blueprint) -> Bool {
    guard case .transposed = slot.layout else { return false }
    return blueprint.blocks.lazy.flatMap(\.slots).contains { other in
      guard other.role == .expertFC1(.weight), case .transposed(let segments, _) = other.layout
      else { return false }
      return segments.contains { $0.stride > 1 }
    }
  }
}
