import Blueprint
import Engine
import Kernels
import Tensors
import Weights

/// The tensors of a run that trains adapters: their factors, and what the optimiser keeps of them.
struct PairChunks {
  let places: PairPlaces
  let numbers: Numbers
  private let states: [ObjectIdentifier: AdamW.State]

  /// What is written of each factor.
  private enum Quantity: CaseIterable {
    case value, master, first, second
  }

  init(_ places: PairPlaces, _ trainer: Trainer) {
    self.places = places
    numbers = trainer.model.numbers
    states = Dictionary(
      trainer.optimiser.states.map { (ObjectIdentifier($0.target), $0) },
      uniquingKeysWith: { first, _ in first })
  }

  private var wide: DType { numbers == .float64 ? .float64 : .float32 }

  func chunks(keepsOptimiser: Bool) -> [SavedChunk] {
    var chunks = chunks(.value, "", as: numbers.dtype)
    guard keepsOptimiser else { return chunks }
    let master = StateName.head(StateName.master)
    if numbers.dtype == wide {
      for index in chunks.indices { chunks[index].aliases = [master + chunks[index].key] }
    } else {
      chunks += self.chunks(.master, master, as: wide).map { chunk in
        var chunk = chunk
        let key = chunk.key.dropFirst(master.count)
        chunk.aliases = [StateName.head(StateName.masterOfShort) + key]
        return chunk
      }
    }
    chunks += self.chunks(.first, StateName.head(StateName.first), as: wide)
    chunks += self.chunks(.second, StateName.head(StateName.second), as: wide)
    return chunks
  }

  /// The keys of what Transformer Engine would keep of the factors, which are linear layers to Megatron.
  var extraStates: [String] {
    places.layers.flatMap { layer in
      (places.members[layer.module.key] ?? []).flatMap { member in
        ["linear_in", "linear_out"].map { name in
          layer.module.extraState("\(member.prefix)\(name)")
        }
      }
    }
  }

  private func chunks(_ quantity: Quantity, _ head: String, as target: DType) -> [SavedChunk] {
    places.layers.flatMap { layer in
      (places.members[layer.module.key] ?? []).flatMap { member in
        let factors = PairFactors(places, layer, member)
        return factors.all.flatMap { factor in
          let source = source(factor, quantity)
          return factor.pieces.flatMap { $0.chunks(head, factor.split, source, as: target) }
        }
      }
    }
  }

  private func source(_ factor: PairFactors.Factor, _ quantity: Quantity) -> RowSource {
    guard let learned = factor.learned else { return .zeros(width: factor.width) }
    let state = states[ObjectIdentifier(learned)]
    let (bytes, numbers) =
      switch quantity {
      case .value: (learned.value.bytes, learned.value.numbers)
      case .master:
        (
          state?.masterBytes ?? learned.value.bytes,
          state?.masterNumbers ?? learned.value.numbers
        )
      case .first: (state?.first.bytes ?? ByteRuns(), state?.first.numbers ?? .float32)
      case .second: (state?.second.bytes ?? ByteRuns(), state?.second.numbers ?? .float32)
      }
    guard bytes.byteCount > 0 else { return .zeros(width: factor.width) }
    let places = factor.places
    let (own, width) = (factor.ownWidth, factor.width)
    return RowSource(numbers.dtype, work: .computing) { range in
      var runs = ByteRuns()
      for (rows, place) in places.stretches(of: range) {
        guard let place else {
          runs.append(.zeros(rows.count * width * numbers.byteWidth))
          continue
        }
        let (rowBytes, wide) = (own * numbers.byteWidth, width * numbers.byteWidth)
        if rowBytes == wide {
          runs.append(bytes.slice(place * rowBytes..<(place + rows.count) * rowBytes))
          continue
        }
        for row in place..<place + rows.count {
          runs.append(bytes.slice(row * rowBytes..<(row + 1) * rowBytes))
          runs.append(.zeros(wide - rowBytes))
        }
      }
      return runs
    }
  }
}

/// The factors of one adapter of a layer, and where their rows stand in Megatron's tensors.
struct PairFactors {
  struct Factor {
    /// `nil` where the layer has no pair of this kind: zeros.
    var learned: LearnedMatrix?
    var pieces: [MegatronPiece]
    var split: Split
    /// The elements of a row in the checkpoint, and in the engine.
    var width: Int
    var ownWidth: Int
    var places: RowPlaces
  }

  let all: [Factor]

  init(_ places: PairPlaces, _ layer: PairedLayer, _ member: PairMember) {
    let slot = layer.slot
    let pair = layer.pairs[member]
    let isBank = slot.split.isExpert
    let split: Split = isBank ? .expertRows : .rows
    let lead = isBank ? [slot.shape[0]] : []
    let ranges = places.rows(of: member, slot)
    let height = ranges.reduce(0) { $0 + $1.count }
    func pieces(_ name: String, _ shape: [Int], rowsOf: Slot? = nil) -> [MegatronPiece] {
      layer.module.pieces(
        member.prefix + name, shape: Shape(lead + shape), rowsOf: rowsOf, isBank: isBank)
    }
    let matrices = slot.matrices
    let inputs = RowPlaces(
      (0..<matrices).flatMap { expert -> [Int?] in
        guard let pair else { return Array(repeating: nil, count: places.rank) }
        let rows = Array(pair.inputRows(expert))
        return rows.map(Optional.some) + Array(repeating: nil, count: places.rank - rows.count)
      })
    let packed = pair.map { Self.rows(of: $0, ranges) } ?? Array(repeating: nil, count: height)
    let outputs = RowPlaces(
      (0..<matrices).flatMap { expert in
        packed.map { row in row.map { (pair?.outputRows(expert).lowerBound ?? 0) + $0 } }
      })
    let whole = member == .known(.whole) ? slot : nil
    var all = [
      Factor(
        learned: pair?.inputs, pieces: pieces("linear_in.weight", [places.rank, slot.rowWidth]),
        split: split, width: slot.rowWidth, ownWidth: slot.rowWidth, places: inputs),
      Factor(
        learned: pair?.outputs,
        pieces: pieces("linear_out.weight", [height, places.rank], rowsOf: whole), split: split,
        width: places.rank, ownWidth: pair?.rank ?? places.rank, places: outputs),
    ]
    if places.hasMagnitudes {
      let lengths = RowPlaces(
        (0..<matrices).flatMap { expert in
          packed.map { row in row.map { (pair?.magnitudes(expert).lowerBound ?? 0) + $0 } }
        })
      all.append(
        Factor(
          learned: pair?.magnitude, pieces: pieces("weight_magnitude", [height]), split: split,
          width: 1, ownWidth: 1, places: lengths))
    }
    self.all = all
  }

  /// For each row of a member's outputs the row of B it is; `nil` for rows that stand for nothing.
  private static func rows(of pair: LowRankPair, _ ranges: [Range<Int>]) -> [Int?] {
    var byPacked: [Int: Int] = [:]
    for span in pair.spans {
      for (offset, row) in span.packed.enumerated() { byPacked[row] = span.first + offset }
    }
    return ranges.flatMap { range in range.map { byPacked[$0] } }
  }
}

/// For each row of a tensor in a checkpoint the row of a matrix that it is; `nil` for zeros.
struct RowPlaces: Sendable {
  private let rows: [Int?]

  init(_ rows: [Int?]) { self.rows = rows }

  var count: Int { rows.count }

  /// A range cut into stretches that follow each other in the matrix, or are zeros.
  func stretches(of range: Range<Int>) -> [(rows: Range<Int>, place: Int?)] {
    var result: [(rows: Range<Int>, place: Int?)] = []
    for row in range {
      if let last = result.last {
        let next = last.place.map { $0 + last.rows.count }
        if next == rows[row] {
          result[result.count - 1].rows = last.rows.lowerBound..<row + 1
          continue
        }
      }
      result.append((row..<row + 1, rows[row]))
    }
    return result
  }

  /// For each row of the matrix, of so many, the first row of the tensor that it is.
  func inverse(_ count: Int) -> [Int?] {
    var result = [Int?](repeating: nil, count: count)
    for (index, row) in rows.enumerated() {
      if let row, result.indices.contains(row), result[row] == nil { result[row] = index }
    }
    return result
  }
}
