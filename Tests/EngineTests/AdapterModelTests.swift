import Kernels
import Testing

@testable import Engine

/// Adapters on every matrix of every architecture.
@Suite struct AdapterModelTests {
  enum Kind: CaseIterable {
    case byTensor, fused, shared, withMagnitudes

    func plans(_ model: Model) -> [PlannedPair] {
      model.adapterPlaces(isFused: self == .fused).enumerated().map { index, place in
        var place = place
        if self == .shared {
          place.sharesInputs = index % 2 == 0
          place.sharesOutputs = index % 3 == 0
        }
        return PlannedPair(
          place, rank: 1 + index % 3, scale: 0.5, hasMagnitude: self == .withMagnitudes)
      }
    }
  }

  /// A model whose adapters have learned something.
  private func model(_ test: ModelCase, _ kind: Kind) throws -> Model {
    let model = try test.model(.float64)
    try model.attach(kind.plans(model), seed: 1)
    for learned in model.learned where learned.name.hasSuffix("lora_B") {
      RandomStream(seed: 2, learned.name).fill(learned.value, .normal(deviation: 0.2))
    }
    for learned in model.learned where learned.name.hasSuffix("lora_magnitude") {
      let change = Matrix(1, learned.value.count, .float64)
      RandomStream(seed: 2, learned.name).fill(change, .normal(deviation: 0.05))
      Sums.add(1, change, to: learned.value)
    }
    return model
  }

  @Test(arguments: ModelCase.all) func mergedModelsAreTheSame(_ test: ModelCase) throws {
    let batch = try test.batch([19, 12])
    let plain = try PassResult(test.model(.float64), batch)
    for kind in Kind.allCases {
      let model = try model(test, kind)
      let adapted = try PassResult(model, batch)
      // They do something at all, and nothing that is frozen learns.
      #expect(adapted.logits.distance(to: plain.logits) > 1e-3, "\(kind)")
      #expect(adapted.gradients.allSatisfy { $0 == nil }, "\(kind)")
      model.mergeAdapters()
      #expect(model.learned.isEmpty)
      #expect(model.parameters.allSatisfy { $0.change == nil })
      let merged = try PassResult(model, batch)
      #expect(merged.logits.distance(to: adapted.logits) < 1e-9, "\(kind)")
      #expect(abs(merged.loss - adapted.loss) < 1e-9, "\(kind)")
    }
  }

  /// Fresh adapters leave a model as it is, to the last bit where there are no magnitudes.
  @Test(arguments: ModelCase.all) func freshAdaptersChangeNothing(_ test: ModelCase) throws {
    let batch = try test.batch([11])
    func settled() throws -> Model {
      let model = try test.model(.float64)
      // Rows that stand twice have one length.
      for parameter in model.parameters { parameter.settleCopies() }
      return model
    }
    let plain = try PassResult(settled(), batch)
    for kind in Kind.allCases {
      let model = try settled()
      try model.attach(kind.plans(model))
      #expect(model.learned.count == Set(model.learned.map(\.name)).count)
      let fresh = try PassResult(model, batch)
      let bound = kind == .withMagnitudes ? 1e-10 : 0
      #expect(fresh.logits.distance(to: plain.logits) <= bound, "\(kind)")
    }
  }

  /// The slope of the loss along a direction of all factors at once is what their gradients say.
  ///
  /// Not those of pairs with magnitudes, whose gradients take the lengths of rows as constants.
  @Test(arguments: ModelCase.all) func theLossFallsAsTheFactorsGradientsSay(
    _ test: ModelCase
  ) throws {
    let batch = try test.batch([19, 12])
    for kind in Kind.allCases where kind != .withMagnitudes {
      let model = try model(test, kind)
      _ = try PassResult(model, batch)
      let gradients = model.learned.map(\.gradient)
      for (learned, gradient) in zip(model.learned, gradients) where gradient == nil {
        // It only picks keys, so that nothing comes back to it.
        #expect(learned.name.contains("indexer"), "\(learned.name) has no gradient")
      }
      let norms = gradients.map { ($0?.values ?? []).reduce(0) { $0 + $1 * $1 }.squareRoot() }
      let least = (norms.max() ?? 0) / 1e4
      let directions = zip(model.learned, norms).map { learned, norm in
        let direction = Matrix(learned.value.rows, learned.value.columns, .float64)
        RandomStream(seed: 3, learned.name).fill(
          direction, .normal(deviation: least / max(norm, least)))
        return direction
      }
      let slopes = zip(directions, gradients).map { direction, gradient in
        zip(direction.values, gradient?.values ?? []).reduce(0) { $0 + $1.0 * $1.1 }
      }
      let values = model.learned.map(\.value)
      let middle = values.map { $0.copied() }
      func loss(_ distance: Double) throws -> Double {
        for (index, direction) in directions.enumerated() {
          values[index].copy(middle[index])
          Sums.add(distance, direction, to: values[index])
        }
        return try PassResult.loss(model, batch)
      }
      let step = 0x1p-16
      let near = try loss(step) - loss(-step)
      let far = try loss(2 * step) - loss(-2 * step)
      let slope = (8 * near - far) / (12 * step)
      let size = slopes.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let error = abs(slope - slopes.reduce(0, +)) / max(size, 1e-6)
      #expect(error < 1e-5, "\(kind)")
    }
  }
}
