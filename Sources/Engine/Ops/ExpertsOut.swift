import CKernels
import Kernels

extension Tape {
  /// The sum over each token's rows of W_e · x + w · b_e.
  ///
  /// Weights of the experts' outputs stand on x already, where they cost no memory of their own; here they
  /// are for the biases.
  ///
  /// - Parameters:
  ///   - x: [rows, inputs].
  ///   - weights: w, [rows, 1], of the type of sums; ones where there are none.
  /// - Returns: [tokens, outputs].
  func combined(_ x: Node, _ bank: Bank, _ dispatch: Dispatch, weights: Node? = nil) -> Node {
    let biasWeights = bank.bias == nil ? nil : weights
    let inputs = [x] + (biasWeights.map { [$0] } ?? [])
    let y = node(dispatch.count, bank.outputs, from: inputs, isTrained: bank.isTrained)
    let trace = bank.weight.change?.trace(dispatch.rows, y.numbers, adapterDropout)
    forward("experts out", y) {
      let outputs = Matrix(dispatch.rows, bank.outputs, numbers)
      dispatch.forEachExpert { expert, rows in
        if rows.isEmpty { return }
        let output = outputs.rows(rows)
        bank.apply(expert, x.value.rows(rows), into: output, trace?.rows(rows))
        guard let bias = bank.bias.map({ bank.part(expert, of: $0.value) }) else { return }
        guard let weights = biasWeights?.value.rows(rows) else {
          return addBias(bias, to: output)
        }
        add_weighted_row(
          output.numbers.kernel, bias.start, weights.start, output.start, output.stride,
          output.rows, output.columns)
      }
      dispatch.combine(outputs, into: y.value, accumulates: false)
    }
    backward("experts out", y) { dy in
      let place = bank.gradientPlace()
      let dx = x.isTracked ? x.gradientPlace() : nil
      let biases = bank.bias.flatMap { $0.isTrained ? $0.gradientSum() : nil }
      let products = biasWeights.flatMap { $0.isTracked ? $0.gradientSum() : nil }
      let way = bank.weight.wayBack(trace)
      dispatch.forEachExpert { expert, rows in
        let above = dispatch.taken(dy, rows)
        let dy = way?.throughMagnitudes(above, rows: rows, expert: expert) ?? above
        bank.learn(expert, dy, x.value.rows(rows), place)
        if rows.isEmpty { return }
        if let (target, accumulates) = dx {
          bank.applyBack(expert, dy, into: target.rows(rows), accumulates: accumulates)
        }
        way?.backward(dy, x.value.rows(rows), dx: dx?.target.rows(rows), rows: rows, expert: expert)
        if let biases {
          Tape.addSums(
            above, weights: biasWeights?.value.rows(rows), to: bank.part(expert, of: biases))
        }
        if let products, let bias = bank.bias {
          multiply_by_row(
            above.numbers.kernel, above.start, above.stride,
            bank.part(expert, of: bias.value).start, products.address(rows.lowerBound), above.rows,
            above.columns)
        }
      }
      way?.finish()
    }
    return y
  }

  /// Adds the sums of a gradient's columns, its rows weighted, to a row.
  private static func addSums(_ dy: Matrix, weights: Matrix?, to sums: Matrix) {
    guard let weights else { return addColumnSums(dy, to: sums) }
    sum_weighted_rows(
      dy.numbers.kernel, dy.start, dy.stride, weights.start, dy.rows, dy.columns, sums.start)
  }
}
