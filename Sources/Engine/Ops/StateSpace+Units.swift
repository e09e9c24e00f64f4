import CKernels
import Kernels

/// Heads of one sequence that one thread takes: those of a group, or a slice of them.
struct PlacedUnit {
  var sequence: Int
  var group: Int
  /// How many units share the group's B and C.
  var slices: Int
  var unit: state_space_unit
}

extension StateSpaceShape {
  /// The work, the longest pieces first.
  ///
  /// Heads of a group share what is computed of B and C, so groups are sliced only where threads would
  /// idle otherwise.
  func units(_ sequences: [Range<Int>], threads: Int = Team.size) -> [PlacedUnit] {
    let total = sequences.reduce(0) { $0 + $1.count } * heads
    var found: [PlacedUnit] = []
    for share in 1...4 {
      found = units(sequences, limit: max(1, total / (threads * share)))
      var loads = [Int](repeating: 0, count: threads)
      for (index, unit) in found.enumerated() {
        loads[index % threads] += unit.unit.rows * unit.unit.heads
      }
      if (loads.max() ?? 0) * threads * 8 <= total * 9 { break }
    }
    return found
  }

  /// - Parameter limit: rows · heads of a unit, unless it has one head only.
  private func units(_ sequences: [Range<Int>], limit: Int) -> [PlacedUnit] {
    let perGroup = heads / groups
    var units: [PlacedUnit] = []
    for (sequence, rows) in sequences.enumerated() where !rows.isEmpty {
      let slices = min(perGroup, max(1, (rows.count * perGroup + limit - 1) / limit))
      for group in 0..<groups {
        for slice in 0..<slices {
          let first = perGroup * slice / slices
          let unit = state_space_unit(
            first_row: rows.lowerBound, rows: rows.count, first_head: group * perGroup + first,
            heads: perGroup * (slice + 1) / slices - first)
          units.append(PlacedUnit(sequence: sequence, group: group, slices: slices, unit: unit))
        }
      }
    }
    return units.sorted { $0.unit.rows * $0.unit.heads > $1.unit.rows * $1.unit.heads }
  }
}

extension Tape {
  /// Adds the parts of the gradients of B and C of groups that several units shared, one after the other.
  ///
  /// - Parameter parts: of each unit, [rows, B; C]; `nil` of those that had a whole group.
  static func addShared(
    _ parts: [Matrix?], _ units: [PlacedUnit], _ shape: StateSpaceShape, to target: Matrix,
    accumulates: Bool
  ) {
    var sums: [[Int]: Matrix] = [:]
    for (part, unit) in zip(parts, units) {
      guard let part else { continue }
      if let sum = sums[[unit.sequence, unit.group]] {
        Sums.add(1, part, to: sum)
      } else {
        sums[[unit.sequence, unit.group]] = part
      }
    }
    for unit in units {
      guard let sum = sums.removeValue(forKey: [unit.sequence, unit.group]) else { continue }
      let rounded = sum.copied(as: target.numbers)
      let rows = target.rows(unit.unit.first_row..<unit.unit.first_row + unit.unit.rows)
      for which in 0..<2 {
        let column =
          shape.heads * shape.headSize + (which * shape.groups + unit.group) * shape.state
        Sums.add(
          1, rounded.columns(which * shape.state..<(which + 1) * shape.state),
          to: rows.columns(column..<column + shape.state), share: accumulates ? 1 : 0)
      }
    }
  }
}
