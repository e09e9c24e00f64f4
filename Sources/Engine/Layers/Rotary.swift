import Blueprint
import Kernels

/// Tables of turns, computed once and for more positions than were asked for, so that a sequence may
/// grow.
final class RotationTables {
  private var tables: [Key: Matrix] = [:]
  private let numbers: Numbers

  private struct Key: Hashable {
    var rotary: Rotary
    var regime: Rotary.Regime
  }

  init(_ numbers: Numbers) { self.numbers = numbers }

  /// The turns at positions from 0 on, so many at least.
  func table(_ rotary: Rotary, _ regime: Rotary.Regime, positions: Int) -> Matrix {
    let key = Key(rotary: rotary, regime: regime)
    if let found = tables[key], found.rows >= positions { return found }
    let room = 1 << (Int.bitWidth - max(255, positions - 1).leadingZeroBitCount)
    let table = Rotation.table(
      rotary.frequencies(regime), magnitude: rotary.magnitude(regime), positions: room, numbers)
    // What is known of one length is of no use for the next.
    if case .length = regime { return table }
    tables[key] = table
    return table
  }
}

extension Pass {
  /// How the tokens turn: each by its position, and at the frequencies that its own sequence's length
  /// asks for.
  func rotation(_ rotary: Rotary) -> Rotation {
    if let known = rotations[rotary] { return known }
    let lengths = batch.lengths
    var regimes: [Rotary.Regime] = []
    for length in lengths where !regimes.contains(rotary.regime(length)) {
      regimes.append(rotary.regime(length))
    }
    let tables = regimes.map {
      model.rotations.table(rotary, $0, positions: batch.longest)
    }
    let rotation: Rotation
    if tables.count == 1 {
      rotation = Rotation(rotary, tables[0], Indices(batch.positions))
    } else {
      // One table below the other.
      let joined = Matrix(tables.count * batch.longest, tables[0].columns, tables[0].numbers)
      for (index, table) in tables.enumerated() {
        joined.rows(index * batch.longest..<(index + 1) * batch.longest)
          .copy(table.rows(0..<batch.longest))
      }
      let rows = zip(batch.sequences, lengths).flatMap { sequence, length in
        let first = (regimes.firstIndex(of: rotary.regime(length)) ?? 0) * batch.longest
        return sequence.indices.map { Int32(first + batch.offset + $0 - sequence.lowerBound) }
      }
      rotation = Rotation(rotary, joined, Indices(rows))
    }
    rotations[rotary] = rotation
    return rotation
  }
}

extension Rotation {
  fileprivate init(_ rotary: Rotary, _ table: Matrix, _ rows: Indices) {
    self.init(
      table: table, rows: rows, distance: rotary.isInterleaved ? 1 : rotary.dimensions / 2,
      isInterleaved: rotary.isInterleaved)
  }
}

extension Model {
  /// Whether a cache of a sequence that grows must be computed anew, because the sequence's new length
  /// turns all of its keys otherwise.
  public func outgrowsCache(from old: Int, to new: Int) -> Bool {
    rotaries.contains { $0.regime(old) != $0.regime(new) }
  }
}
