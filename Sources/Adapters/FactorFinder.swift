import Blueprint
import MegatronFormat
import Tensors

/// Looks for the tensors of one pair of matrices under a layer's keys, and holds their shapes against
/// the layer's.
struct FactorFinder {
  let slot: Slot
  let spelling: [MegatronModule]
  let member: AdapterMember
  /// The packed rows of the layer's matrix that it has outputs for.
  let rows: [Range<Int>]
  /// The rank to name where none was found.
  let rank: Int
  private(set) var used: Set<String> = []
  /// Tensors of other shapes than the layer's.
  private(set) var mismatches: [AdapterError.Mismatch] = []
  /// Tensors that would make the pair whole.
  private(set) var missing: [String] = []

  private typealias Tensors = [String: DistributedTensor]

  init(
    slot: Slot, spelling: [MegatronModule], member: AdapterMember, rows: [Range<Int>], rank: Int
  ) {
    self.slot = slot
    self.spelling = spelling
    self.member = member
    self.rows = rows
    self.rank = rank
  }

  /// The outputs it has.
  private var height: Int { rows.reduce(0) { $0 + $1.count } }

  /// The pair, or `nil` if it is not whole or not of this layer; `mismatches` and `missing` say why.
  mutating func find(in modules: [String: [String: DistributedTensor]]) -> FoundFactors? {
    var inputs: [StoredFactor] = []
    var outputs: [PackedRows] = []
    var magnitudes: [PackedRows] = []
    var rank: Int?
    for module in spelling {
      let tensors = modules[module.key] ?? [:]
      if let input = input(module, tensors, rank) {
        rank = rank ?? input.tensor.shape.dimensions.dropLast().last
        inputs.append(input)
      }
      if let output = output(module, tensors, rank) { outputs.append(output) }
      if let magnitude = magnitude(module, tensors) { magnitudes.append(magnitude) }
    }
    guard mismatches.isEmpty, missing.isEmpty, let rank, !outputs.isEmpty else { return nil }
    return FoundFactors(
      slot: slot, rank: rank, rows: rows, inputs: inputs, outputs: outputs, magnitudes: magnitudes)
  }

  private func key(_ module: MegatronModule, _ name: String) -> String {
    "\(module.key).adapter.\(name)"
  }

  /// A tensor that fits the layer; its shape may have an axis for experts.
  ///
  /// - Parameter expected: the shape of one matrix.
  private mutating func stored(
    _ module: MegatronModule, _ name: String, _ tensors: Tensors, _ expected: [Int],
    paddedRows: Bool = false
  ) -> StoredFactor? {
    let key = key(module, name)
    guard let tensor = tensors[name] else {
      missing.append(key)
      return nil
    }
    used.insert(key)
    let counts = module.lead.map(\.count)
    let mayBeBank = slot.split.isExpert && module.expert == nil
    let isBank = mayBeBank && tensor.shape.rank == counts.count + 1 + expected.count
    let wanted = counts + (isBank ? [slot.shape[0]] : []) + expected
    let found = tensor.shape.dimensions
    let isPadded =
      paddedRows && found.count == wanted.count && found.dropFirst() == wanted.dropFirst()
      && found[0] >= wanted[0]
    guard found == wanted || isPadded, !found.contains(0), tensor.dtype.isFloat else {
      mismatches.append(
        .init(
          tensor: key, found: tensor.shape, base: "what \(slot.parts[0].name) needs",
          expected: Shape(wanted)))
      return nil
    }
    return StoredFactor(tensor: tensor, lead: module.lead, isBank: isBank)
  }

  private mutating func input(
    _ module: MegatronModule, _ tensors: Tensors, _ known: Int?
  ) -> StoredFactor? {
    let name = member.prefix + "linear_in.weight"
    // The tensor says the rank; all experts of a layer have the same.
    let found = tensors[name]?.shape.dimensions.dropLast().last
    return stored(module, name, tensors, [known ?? found ?? rank, slot.rowWidth])
  }

  private mutating func output(
    _ module: MegatronModule, _ tensors: Tensors, _ known: Int?
  ) -> PackedRows? {
    let name = member.prefix + "linear_out.weight"
    let rank = known ?? rank
    if tensors[name] == nil, slot.fragments.count > 1 {
      // Some layers keep fragments of B apart as they do of the weight.
      for separator in [".", "_"] {
        let names = slot.fragments.map { name + separator + $0.label }
        if names.contains(where: { tensors[$0] != nil }) {
          return pieces(module, names, tensors, rank)
        }
      }
    }
    let padded = slot.split == .vocabulary
    return stored(module, name, tensors, [height, rank], paddedRows: padded).map { factor in
      PackedRows([factor], strips(RankOrder.ofOutputs(slot, member, height, factor)))
    }
  }

  private mutating func pieces(
    _ module: MegatronModule, _ names: [String], _ tensors: Tensors, _ rank: Int
  ) -> PackedRows? {
    var found: [StoredFactor] = []
    var strips: [PackedRows.Strip] = []
    var start = 0
    for (fragment, name) in zip(slot.fragments, names) {
      guard let factor = stored(module, name, tensors, [fragment.rows, rank]) else { continue }
      strips.append(
        .init(packed: start..<start + fragment.rows, tensor: found.count, stored: 0))
      found.append(factor)
      start += fragment.rows
    }
    return found.count == names.count ? PackedRows(found, strips) : nil
  }

  private mutating func magnitude(_ module: MegatronModule, _ tensors: Tensors) -> PackedRows? {
    let name = member.prefix + "weight_magnitude"
    guard tensors[name] != nil else { return nil }
    return stored(module, name, tensors, [height]).map { factor in
      PackedRows([factor], strips(RankOrder.ofMagnitudes(slot, height, factor)))
    }
  }

  /// The places in the packed matrix of rows that a tensor holds in the given order.
  private func strips(_ order: [RankOrder.Stretch]) -> [PackedRows.Strip] {
    var strips: [PackedRows.Strip] = []
    var start = 0
    for range in rows {
      for stretch in order {
        let own = stretch.rows.clamped(to: start..<start + range.count)
        guard !own.isEmpty else { continue }
        let packed = range.lowerBound + own.lowerBound - start
        strips.append(
          .init(
            packed: packed..<packed + own.count, tensor: 0,
            stored: stretch.stored + own.lowerBound - stretch.rows.lowerBound))
      }
      start += range.count
    }
    return strips
  }
}

/// The order in which tensor-parallel ranks leave a tensor's rows where the writer joins what each rank
/// has: all of the first rank's fragments, then all of the second's.
///
/// Megatron joins fragments properly for most of an adapter's tensors and so for some of them; how many
/// ranks there were is told by the chunks.
enum RankOrder {
  /// Rows in their true order that stand one after the other in the tensor.
  struct Stretch {
    var rows: Range<Int>
    var stored: Int
  }

  /// B of the whole layer is in order but for layers of fragments that are not a gate and what it
  /// gates; that of a gate or an up projection alone is cut as if it were both.
  static func ofOutputs(
    _ slot: Slot, _ member: AdapterMember, _ height: Int, _ stored: StoredFactor
  ) -> [Stretch] {
    switch member {
    case .gate, .up:
      return halves(height, ranks: stored.chunks / 2)
    case .whole where slot.fragments.count > 2 && !slot.split.isExpert:
      return fragments(slot.fragments, ranks: stored.chunks)
    default:
      return [Stretch(rows: 0..<height, stored: 0)]
    }
  }

  /// Magnitudes are joined rank by rank whatever the layer.
  static func ofMagnitudes(_ slot: Slot, _ height: Int, _ stored: StoredFactor) -> [Stretch] {
    guard slot.fragments.count > 1, !slot.split.isExpert else {
      return [Stretch(rows: 0..<height, stored: 0)]
    }
    return fragments(slot.fragments, ranks: stored.chunks)
  }

  /// [fragments of rank 0; fragments of rank 1; …].
  private static func fragments(_ fragments: [Fragment], ranks: Int) -> [Stretch] {
    let height = fragments.reduce(0) { $0 + $1.rows }
    guard ranks > 1, fragments.allSatisfy({ $0.rows.isMultiple(of: ranks) }) else {
      return [Stretch(rows: 0..<height, stored: 0)]
    }
    var stretches: [Stretch] = []
    var start = 0
    for fragment in fragments {
      let size = fragment.rows / ranks
      for rank in 0..<ranks {
        let first = start + rank * size
        stretches.append(
          Stretch(rows: first..<first + size, stored: rank * height / ranks + start / ranks))
      }
      start += fragment.rows
    }
    return stretches
  }

  /// [first halves of all ranks; second halves of all ranks].
  private static func halves(_ height: Int, ranks: Int) -> [Stretch] {
    guard ranks > 1, height.isMultiple(of: 2 * ranks) else {
      return [Stretch(rows: 0..<height, stored: 0)]
    }
    let size = height / (2 * ranks)
    return (0..<ranks).flatMap { rank in
      (0..<2).map { half in
        let first = (2 * rank + half) * size
        return Stretch(rows: first..<first + size, stored: (half * ranks + rank) * size)
      }
    }
  }
}
