import CKernels
import Kernels

extension Tape {
  /// W_e · x + b_e for each row, that is for each token and each expert e it chose.
  ///
  /// - Parameters:
  ///   - x: [tokens, inputs].
  ///   - weights: factors on the inputs, [rows, 1], of the type of sums.
  /// - Returns: [rows, outputs].
  func dispatched(
    _ x: Node, _ bank: Bank, _ dispatch: Dispatch, weights: Node? = nil
  ) -> Node {
    let inputs = [x] + (weights.map { [$0] } ?? [])
    let y = node(dispatch.rows, bank.outputs, from: inputs, isTrained: bank.isTrained)
    let type = numbers.kernel
    let trace = bank.weight.change?.trace(dispatch.rows, y.numbers, adapterDropout)
    forward("experts in", y) {
      dispatch.forEachExpert { expert, rows in
        if rows.isEmpty { return }
        let output = y.value.rows(rows)
        bank.apply(
          expert, dispatch.taken(x.value, rows, weights: weights?.value), into: output,
          trace?.rows(rows))
        if let bias = bank.bias { addBias(bank.part(expert, of: bias.value), to: output) }
      }
    }
    backward("experts in", y) { dy in
      let wantsInput = inputs.contains(where: \.isTracked)
      let dx = wantsInput ? Matrix(dispatch.rows, x.columns, x.numbers) : nil
      let place = bank.gradientPlace()
      let biases = bank.bias.flatMap { $0.isTrained ? $0.gradientSum() : nil }
      let way = bank.weight.wayBack(trace)
      dispatch.forEachExpert { expert, rows in
        let above = dy.rows(rows)
        let dy = way?.throughMagnitudes(above, rows: rows, expert: expert) ?? above
        func taken() -> Matrix { dispatch.taken(x.value, rows, weights: weights?.value) }
        bank.learn(expert, dy, taken(), place)
        if rows.isEmpty { return }
        if let dx { bank.applyBack(expert, dy, into: dx.rows(rows)) }
        way?.backward(dy, taken(), dx: dx?.rows(rows), rows: rows, expert: expert)
        if let biases { Tape.addColumnSums(above, to: bank.part(expert, of: biases)) }
      }
      way?.finish()
      guard let dx else { return }
      if let weights {
        Tape.scaleBack(dx, x.value, weights, type, dispatch)
      }
      guard x.isTracked else { return }
      let (target, accumulates) = x.gradientPlace()
      dispatch.combine(dx, into: target, accumulates: accumulates)
    }
    return y
  }

  /// Of the gradients of weighted rows makes those of the weights and of the tokens' rows.
  private static func scaleBack(
    _ dx: Matrix, _ x: Matrix, _ weights: Node, _ type: number_type, _ dispatch: Dispatch
  ) {
    let products = weights.isTracked ? weights.gradientSum() : nil
    Team.split(dx.rows, grain: Sums.rows(dx.columns)) { rows in
      let first = rows.lowerBound
      if let products {
        multiply_rows(
          type, x.start, x.stride, dispatch.tokens.address(first), dx.address(first), dx.stride,
          products.address(first), rows.count, x.columns)
      }
      activation_forward(
        type, ACTIVATION_IDENTITY, dx.address(first), dx.stride, dx.address(first), dx.stride,
        rows.count, dx.columns, weights.value.address(first))
    }
  }
}
