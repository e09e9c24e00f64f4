import CKernels
import Kernels

extension Tape {
  /// A parameter whose rows are those of another, each scaled to length one; the gradient that gathers
  /// there goes back to the other.
  ///
  /// As torch.nn.functional.normalize: the length counts as 1e-12 at least.
  func unitRows(_ parameter: Parameter) -> Parameter {
    let value = parameter.value
    let result = Parameter(
      parameter.slot, Matrix(value.rows, value.columns, value.numbers),
      isTrained: parameter.isTrained && isRecording)
    result.gradientNumbers = value.numbers.accumulated
    let type = value.numbers.kernel
    let inverse = Matrix(1, value.rows, value.numbers.accumulated)
    // A row over its root mean square has the length √columns.
    let weight = Matrix(
      [Double](repeating: 1 / Double(value.columns).squareRoot(), count: value.columns),
      value.numbers.accumulated)
    let eps = 1e-24 / Double(value.columns)
    forward("unit rows", Node(result.value, isTracked: false)) {
      Team.split(value.rows, grain: Sums.rows(value.columns)) { rows in
        norm_forward(
          type, value.start, value.stride, result.value.start, result.value.stride,
          rows.lowerBound, rows.count, 1, 0, value.columns, weight.start, nil, 0, 0, eps, false,
          inverse.start, nil)
      }
    }
    guard result.isTrained else { return result }
    whenReturning("unit rows") {
      guard let sum = result.gradient else { return }
      let dy = sum.numbers == value.numbers ? sum : sum.copied(as: value.numbers)
      Team.split(value.rows, grain: Sums.rows(value.columns)) { rows in
        norm_backward(
          type, value.start, value.stride, dy.start, dy.stride, dy.start, dy.stride,
          rows.lowerBound, rows.count, 1, 0, value.columns, weight.start, 0, 0, false,
          inverse.start, nil, false, nil, nil)
      }
      let (target, accumulates) = parameter.gradientPlace()
      let gradient = dy.numbers == target.numbers ? dy : dy.copied(as: target.numbers)
      Sums.add(1, gradient, to: target, share: accumulates ? 1 : 0)
    }
    return result
  }
}
