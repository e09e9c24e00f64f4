import Engine
import Kernels
import Testing

/// What must hold of every architecture, whatever its mathematics.
@Suite struct WholeModelTests {
  /// A batch's sequences, each as a batch of its own.
  private func separate(_ batch: Batch) -> [Batch] {
    batch.sequences.map { rows in
      Batch(
        tokens: Array(batch.tokens[rows]), labels: Array(batch.labels[rows]),
        starts: [0, rows.count])
    }
  }

  @Test(arguments: ModelCase.all) func sequencesOfABatchDoNotMeet(_ test: ModelCase) throws {
    let model = try test.model(.float64)
    let batch = try test.batch([19, 12, 1])
    let packed = try PassResult(model, batch)
    var loss = 0.0
    var sums = [Matrix?](repeating: nil, count: model.parameters.count)
    for (rows, one) in zip(batch.sequences, separate(batch)) {
      let alone = try PassResult(model, one, divisor: batch.trained)
      loss += alone.loss
      #expect(packed.logits.rows(rows).distance(to: alone.logits) < 1e-10)
      for (index, gradient) in alone.gradients.enumerated() {
        guard let gradient else { continue }
        if let sum = sums[index] { Sums.add(1, gradient, to: sum) } else { sums[index] = gradient }
      }
    }
    #expect(abs(loss - packed.loss) < 1e-10)
    for (index, parameter) in model.parameters.enumerated() where parameter.isTrained {
      // Choices have none.
      guard let sum = sums[index], let gradient = packed.gradients[index] else {
        #expect((sums[index] == nil) == (packed.gradients[index] == nil), "\(parameter.name)")
        continue
      }
      // Where nothing is learned, all that is left is rounding.
      if gradient.most > 1e-12 { #expect(gradient.distance(to: sum) < 1e-9, "\(parameter.name)") }
    }
  }

  @Test(arguments: ModelCase.all) func recomputingChangesNothing(_ test: ModelCase) throws {
    let model = try test.model(.float32)
    let batch = try test.batch([19, 12])
    let kept = try PassResult(model, batch)
    model.recomputes = true
    let recomputed = try PassResult(model, batch)
    #expect(kept.loss == recomputed.loss)
    for (index, parameter) in model.parameters.enumerated() {
      guard let gradient = kept.gradients[index] else { continue }
      #expect(gradient.isSame(as: recomputed.gradients[index]), "\(parameter.name)")
    }
  }

  @Test(arguments: ModelCase.all) func theSameIsComputedTwice(_ test: ModelCase) throws {
    for numbers in [Numbers.float32, .bfloat16] {
      let model = try test.model(numbers)
      let batch = try test.batch([19, 12])
      let first = try PassResult(model, batch)
      let second = try PassResult(model, batch)
      #expect(first.loss == second.loss && first.loss.isFinite)
      #expect(first.logits.isSame(as: second.logits))
      for (index, parameter) in model.parameters.enumerated() {
        guard let gradient = first.gradients[index] else { continue }
        #expect(gradient.isSame(as: second.gradients[index]), "\(parameter.name), \(numbers)")
      }
    }
  }

  /// In float32 all is as in float64, as far as float32 reaches.
  @Test(arguments: ModelCase.all) func singlePrecisionIsClose(_ test: ModelCase) throws {
    let batch = try test.batch([19, 12])
    let single = try PassResult(test.model(.float32), batch)
    let model = try test.model(.float64)
    let exact = try PassResult(model, batch)
    #expect(abs(single.loss - exact.loss) < 1e-5 * max(1, abs(exact.loss)))
    #expect(single.logits.copied(as: .float64).distance(to: exact.logits) < 1e-4)
    for (index, parameter) in model.parameters.enumerated() {
      guard let ours = single.gradients[index], let theirs = exact.gradients[index] else {
        continue
      }
      if theirs.most > 1e-6 {
        #expect(ours.copied(as: .float64).distance(to: theirs) < 1e-3, "\(parameter.name)")
      }
    }
  }
}
