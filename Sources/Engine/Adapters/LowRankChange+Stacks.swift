import CKernels
import Kernels

/// The factors of all pairs on a matrix as those of one, and what follows from them.
extension LowRankChange {
  /// Which of the common rank's columns each pair has.
  var columns: [Range<Int>] {
    var start = 0
    return pairs.map { pair in
      defer { start += pair.rank }
      return start..<start + pair.rank
    }
  }

  /// The scale of each of the common rank's columns.
  var scales: Matrix {
    Matrix(
      pairs.flatMap { Array(repeating: $0.scale, count: $0.rank) },
      weight.value.numbers.accumulated)
  }

  /// The A of all pairs, one below the other, [rank, inputs].
  func stackedInputs(_ expert: Int) -> Matrix {
    if pairs.count == 1 { return pairs[0].inputs.value.rows(pairs[0].inputRows(expert)) }
    let result = Matrix(rank, weight.value.columns, weight.value.numbers)
    for (pair, rows) in zip(pairs, columns) {
      result.rows(rows).copy(pair.inputs.value.rows(pair.inputRows(expert)))
    }
    return result
  }

  /// The B of all pairs side by side, each where its rows are packed and zeros elsewhere, [height, rank].
  ///
  /// One product with these zeros costs less than many small ones: all of them wait for memory.
  func stackedOutputs(_ expert: Int) -> Matrix {
    if pairs.count == 1, pairs[0].spans == [.init(packed: 0..<height, first: 0)] {
      return pairs[0].outputs.value.rows(pairs[0].outputRows(expert))
    }
    let result = Matrix(height, rank, weight.value.numbers)
    result.clear()
    for (pair, columns) in zip(pairs, columns) {
      let source = pair.outputs.value.rows(pair.outputRows(expert))
      for span in pair.spans {
        result.rows(span.packed).columns(columns)
          .copy(source.rows(span.first..<span.first + span.packed.count))
      }
    }
    return result
  }

  // MARK: Magnitudes

  /// m / ‖V‖ and 1 / ‖V‖ of each row of a matrix; where there are no magnitudes, the first is 1.
  func setFactors(
    _ expert: Int, _ a: Matrix, _ b: Matrix, _ factors: Matrix, _ inverse: Matrix
  ) {
    let norms = norms(expert, a, b)
    for row in 0..<height {
      // Rows of zeros, which stand for no tensor, stay zeros.
      inverse[0, row] = norms[0, row] > 0 ? 1 / norms[0, row] : 0
      factors[0, row] = 1
    }
    for pair in pairs {
      guard let magnitude = pair.magnitude?.value.columns(pair.magnitudes(expert)) else { continue }
      for span in pair.spans {
        for (offset, row) in span.packed.enumerated() {
          factors[0, row] = magnitude[0, span.first + offset] * inverse[0, row]
        }
      }
    }
  }

  /// ‖V‖ of each row of a matrix, [1, height].
  func norms(expert: Int) -> Matrix {
    norms(expert, stackedInputs(expert), stackedOutputs(expert))
  }

  private func norms(_ expert: Int, _ a: Matrix, _ b: Matrix) -> Matrix {
    let rows = weight.value.rows(expert * height..<(expert + 1) * height)
    let (squares, scales, sums) = (squares(expert), scales, weight.value.numbers.accumulated)
    let products = Matrix(height, rank, sums)
    Product.multiply(rows, by: a, rightTransposed: true, into: products)
    LowRankChange.scale(products, by: scales)
    let gram = Matrix(rank, rank, sums)
    Product.multiply(a, by: a, rightTransposed: true, into: gram)
    LowRankChange.scale(gram, by: scales)
    for row in 0..<rank {
      let line = gram.rows(row..<row + 1)
      Sums.add(scales[0, row], line, to: line, share: 0)
    }
    let norms = Matrix(1, height, sums)
    Team.split(height, grain: Sums.rows(rank * rank)) { range in
      let first = range.lowerBound
      changed_row_norms(
        rows.numbers.kernel, squares.address(0, first), products.address(first), products.stride,
        b.address(first), b.stride, gram.start, rank, range.count, norms.address(0, first))
    }
    return norms
  }

  // MARK: Merging

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
  /// scaled to their magnitudes; rounded once.
  func merged() -> Matrix {
    let result = weight.value.copied()
    let sums = weight.value.numbers.accumulated
    for expert in 0..<matrices {
      let rows = result.rows(expert * height..<(expert + 1) * height)
      let (a, b) = (stackedInputs(expert), stackedOutputs(expert))
      let outputs = b.copied(as: sums)
      LowRankChange.scale(outputs, by: scales)
      let sum = rows.copied(as: sums)
      Product.multiply(outputs, by: a.converted(to: sums), into: sum, accumulates: true)
      if hasMagnitudes {
        let (factors, inverse) = (Matrix(1, height, sums), Matrix(1, height, sums))
        setFactors(expert, a, b, factors, inverse)
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
