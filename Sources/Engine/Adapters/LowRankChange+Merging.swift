import Kernels

extension LowRankChange {
  /// Sets magnitudes to the lengths of the rows of V, as they are before training.
  func startMagnitudes(of pairs: [LowRankPair]) {
    guard !pairs.isEmpty else { return }
    for expert in 0..<matrices {
      let norms = norms(expert: expert)
      for pair in pairs {
        guard let magnitude = pair.magnitude?.value.columns(pair.magnitudes(expert)) else {
          continue
        }
        for span in pair.spans {
          magnitude.columns(span.first..<span.first + span.packed.count)
            .copy(norms.columns(span.packed))
        }
      }
    }
  }

  /// The weights with everything added that the pairs have learned: W + Σ scale · B · A, with rows
  /// scaled to their magnitudes.
  func merged() -> Matrix {
    let result = weight.value.copied()
    for expert in 0..<matrices {
      let rows = result.rows(expert * height..<(expert + 1) * height)
      let factors = hasMagnitudes ? rowFactors(expert) : nil
      let change = product(expert)
      let sum = rows.copied(as: change.numbers)
      Sums.add(1, change, to: sum)
      if let factors {
        for row in 0..<height {
          let line = sum.rows(row..<row + 1)
          Sums.add(factors[0, row], line, to: line, share: 0)
        }
      }
      rows.copy(sum)
    }
    return result
  }
}
