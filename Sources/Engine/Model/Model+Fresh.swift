import Blueprint
import Glibc
import Kernels

extension Model {
  /// A model before training.
  ///
  /// Its numbers depend on the seed and on nothing else.
  ///
  /// - Parameter scalesOutputs: whether matrices whose output is added to the stream begin smaller, the
  ///   deeper the model is (Megatron's default; Hugging Face's families begin with one deviation).
  public convenience init(
    _ blueprint: Blueprint, _ numbers: Numbers, seed: UInt64, scalesOutputs: Bool = false
  ) throws {
    let deviation = blueprint.frame.initialDeviation
    let ofOutputs = scalesOutputs ? blueprint.scaledDeviation : deviation
    try self.init(blueprint, numbers) { placed, rows, columns, numbers in
      let slot = placed.slot
      let stream = RandomStream(seed: seed, slot.parts.first?.name ?? "\(slot.role)")
      let matrix = Matrix(rows, columns, numbers)
      switch slot.initial {
      case .normal: stream.fill(matrix, .normal(deviation: deviation))
      case .output: stream.fill(matrix, .normal(deviation: ofOutputs))
      case .uniform(let bound): stream.fill(matrix, .uniform(from: -bound, to: bound))
      case .constant(let value): matrix.change { _ in value }
      case .logarithms(let from, let to):
        stream.fill(matrix, .uniform(from: from, to: to))
        matrix.change(log)
      case .steps(let from, let to):
        stream.fill(matrix, .uniform(from: log(from), to: log(to)))
        // The inverse of softplus: s + ln(1 − e^−s) for a step s.
        matrix.change { exp($0) + log(-expm1(-exp($0))) }
      }
      if slot.shift != 0 { matrix.change { $0 + slot.shift } }
      return matrix
    }
    for parameter in parameters { parameter.settleCopies() }
  }
}

extension Matrix {
  /// Changes each element; for small things.
  fileprivate func change(_ body: (Double) -> Double) {
    for row in 0..<rows {
      for column in 0..<columns { self[row, column] = body(self[row, column]) }
    }
  }
}
