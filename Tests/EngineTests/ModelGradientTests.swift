import Engine
import Foundation
import Kernels
import Testing

/// Whole models of every architecture, in float64, held against themselves: no reference is needed.
@Suite struct ModelGradientTests {
  /// The slope of the loss along a direction of all parameters at once is what the gradients say.
  ///
  /// Each parameter's direction is random and as long as makes it contribute as much as the others, so
  /// that an error in any of the gradients shows, however small its tensor. What has no gradient must
  /// have no slope.
  @Test(arguments: ModelCase.all) func theLossFallsAsTheGradientsSay(_ test: ModelCase) throws {
    let model = try test.model(.float64)
    let batch = try test.batch([19, 12])
    let gradients = try PassResult(model, batch).gradients
    let trained = model.parameters.indices.filter { model.parameters[$0].isTrained }
    var worst = 0.0
    for seed in [1, 2] as [UInt64] {
      let directions = directions(model, gradients, trained, seed)
      let error = try error(model, batch, gradients, directions)
      worst = max(worst, error)
      guard error > bound || error.isNaN else { continue }
      // Which ones they are.
      for direction in directions {
        let error = try self.error(model, batch, gradients, [direction])
        #expect(error <= bound, "\(model.parameters[direction.index].name)")
      }
      #expect(error <= bound, "\(test.name)")
    }
    let count = trained.reduce(0) { $0 + model.parameters[$1].value.count }
    print(
      "gradient: model \(test.name) | \(trained.count) tensors | \(count) | \(String(format: "%.1e", worst)) | - | -"
    )
  }

  /// Relative to the contributions of all parameters.
  private let bound = 1e-5

  private struct Direction {
    /// The parameter's.
    var index: Int
    var values: Matrix
    /// What the gradient says of the slope.
    var slope: Double
  }

  private func directions(
    _ model: Model, _ gradients: [Matrix?], _ trained: [Int], _ seed: UInt64
  ) -> [Direction] {
    let norms = trained.map { index in
      (gradients[index]?.values ?? []).reduce(0) { $0 + $1 * $1 }.squareRoot()
    }
    // A tensor that hardly matters is not moved far.
    let least = (norms.max() ?? 0) / 1e4
    return zip(trained, norms).map { index, norm in
      let value = model.parameters[index].value
      let sample = Sample.matrix(
        model.parameters[index].name, value.rows, value.columns,
        deviation: least / max(norm, least))
      let values = sample.matrix(.float64, seed: seed).copied()
      let slope = zip(values.values, gradients[index]?.values ?? []).reduce(0) { $0 + $1.0 * $1.1 }
      return Direction(index: index, values: values, slope: slope)
    }
  }

  private func error(
    _ model: Model, _ batch: Batch, _ gradients: [Matrix?], _ directions: [Direction]
  ) throws -> Double {
    let values = directions.map { model.parameters[$0.index].value }
    let middle = values.map { $0.copied() }
    func loss(_ distance: Double) throws -> Double {
      for (index, direction) in directions.enumerated() {
        values[index].copy(middle[index])
        Sums.add(distance, direction.values, to: values[index])
      }
      return try PassResult.loss(model, batch)
    }
    // Small enough to stay on one side of what has an edge: ReLUs, and choices of experts.
    let step = 0x1p-16
    let near = try loss(step) - loss(-step)
    let far = try loss(2 * step) - loss(-2 * step)
    for (index, value) in values.enumerated() { value.copy(middle[index]) }
    let slope = (8 * near - far) / (12 * step)
    let expected = directions.reduce(0) { $0 + $1.slope }
    let size = directions.reduce(0) { $0 + $1.slope * $1.slope }.squareRoot()
    return abs(slope - expected) / max(size, 1e-6)
  }
}
