import CKernels
import Kernels

extension Tape {
  /// y = x · Wᵀ + b, with what adapters add to W.
  ///
  /// - Parameters:
  ///   - x: [tokens, inputs].
  ///   - weight: [outputs, inputs].
  ///   - bias: [outputs].
  public func linear(_ x: Node, _ weight: Parameter, bias: Parameter? = nil) -> Node {
    let isTrained = weight.learns || bias?.isTrained ?? false
    let y = node(x.rows, weight.value.rows, from: [x], isTrained: isTrained)
    let trace = weight.change?.trace(x.rows, y.numbers, adapterDropout)
    forward("linear", y) {
      Product.multiply(x.value, by: weight.value, rightTransposed: true, into: y.value)
      if let trace { weight.change?.forward(x.value, into: y.value, trace) }
      if let bias { addBias(bias.value, to: y.value) }
    }
    // The gradient of the input needs no input.
    let (input, x) = (weight.isTrained || trace != nil ? x.recalled : nil, x.returning)
    backward("linear", y) { dy in
      if let bias, bias.isTrained { Tape.addColumnSums(dy, to: bias.gradientSum()) }
      let way = weight.wayBack(trace)
      let dy = way?.throughMagnitudes(dy) ?? dy
      var target: Matrix?
      if x.isTracked {
        let (dx, accumulates) = x.gradientPlace()
        Product.multiply(dy, by: weight.value, into: dx, accumulates: accumulates)
        target = dx
      }
      if let input = input?() {
        if weight.isTrained {
          let (dw, accumulates) = weight.gradientPlace()
          Product.multiply(dy, leftTransposed: true, by: input, into: dw, accumulates: accumulates)
        }
        way?.backward(dy, input, dx: target)
      }
      way?.finish()
    }
    return y
  }

  /// Adds a row to every row.
  func addBias(_ bias: Matrix, to target: Matrix) {
    Team.split(target.rows, grain: Sums.rows(target.columns)) { rows in
      add_row(
        target.numbers.kernel, bias.start, target.address(rows.lowerBound), target.stride,
        rows.count,
        target.columns)
    }
  }

  /// Adds the sums of a gradient's columns to a row.
  static func addColumnSums(_ gradient: Matrix, to row: Matrix) {
    Sums.reduce(gradient.rows, into: row) { rows, sums in
      sum_rows(
        gradient.numbers.kernel, gradient.address(rows.lowerBound), gradient.stride, rows.count,
        gradient.columns, sums.start)
    }
  }
}
