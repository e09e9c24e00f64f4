import Blueprint
import Kernels
import Testing

@testable import Engine

/// A training step is what it says: the same with and without recomputing, and in one batch or several;
/// and where numbers stop to be finite, nothing is changed.
@Suite struct TrainerTests {
  private static let test = ModelCase(name: "llama_gqa_llama3rope")
  private static let experts = ModelCase(name: "qwen3_moe_norm")

  private func trainer(_ model: Model, clip: Double? = 1) -> Trainer {
    var settings = Trainer.Settings()
    settings.clip = clip
    return Trainer(
      model, Schedule(.cosine, rate: 1e-2, warmUp: 2, length: 10), AdamW.Settings(), settings)
  }

  private func values(_ model: Model) -> [[Double]] {
    model.parameters.map(\.value.values) + model.learned.map(\.value.values)
  }

  @Test(arguments: [test, experts]) func recomputingChangesNothing(_ test: ModelCase) throws {
    for numbers in [Numbers.float32, .bfloat16] {
      for hasAdapters in [false, true] {
        let batch = try test.batch([19, 12])
        let outcomes = try [false, true].map { recomputes in
          let model = try test.model(numbers)
          if hasAdapters {
            try model.attach(
              model.adapterPlaces().map {
                PlannedPair($0, rank: 2, scale: 2, hasMagnitude: true)
              }, seed: 1)
          }
          model.recomputes = recomputes
          let trainer = trainer(model)
          MemoryPool.shared.resetPeak()
          var reports = try (0..<3).map { _ in try trainer.step([batch]) }
          for index in reports.indices { reports[index].peakBytes = 0 }
          return (reports, values(model))
        }
        #expect(outcomes[0].0 == outcomes[1].0)
        #expect(outcomes[0].1 == outcomes[1].1)
      }
    }
  }

  @Test func aStepLearnsAndReports() throws {
    let model = try Self.test.model(.float32)
    let batch = try Self.test.batch([19, 12])
    let trainer = trainer(model)
    let first = try trainer.step([batch])
    #expect(first.loss == (try PassResult(Self.test.model(.float32), batch).loss))
    #expect(first.tokens == 31 && first.trained == batch.trained)
    // The first step of a warm-up from 0.
    #expect(first.rate == 0)
    #expect(first.peakBytes > 0)
    var last = first
    for _ in 0..<8 { last = try trainer.step([batch]) }
    #expect(last.loss < 0.8 * first.loss)
    #expect(trainer.optimiser.updates == 9)
  }

  @Test func severalBatchesAreAsOne() throws {
    let whole = try Self.test.batch([19, 12])
    let parts = whole.sequences.map { rows in
      Batch(
        tokens: Array(whole.tokens[rows]), labels: Array(whole.labels[rows]),
        starts: [0, rows.count])
    }
    let (one, several) = (try Self.test.model(.float64), try Self.test.model(.float64))
    let reports = try (0..<4).map { _ in
      (try trainer(one).step([whole]), try trainer(several).step(parts))
    }
    for (ours, theirs) in reports {
      #expect(abs(ours.loss - theirs.loss) < 1e-10)
      #expect(abs(ours.gradientNorm - theirs.gradientNorm) < 1e-9 * ours.gradientNorm)
      #expect(ours.tokens == theirs.tokens && ours.trained == theirs.trained)
    }
    for (ours, theirs) in zip(one.parameters, several.parameters) {
      #expect(ours.value.distance(to: theirs.value) < 1e-6, "\(ours.name)")
    }
  }

  /// The mean of two batches' means is another one than that of all labels.
  @Test func lossesMayBeAveragedByBatch() throws {
    let batches = try [Self.test.batch([19]), Self.test.batch([4])]
    let model = try Self.test.model(.float64)
    let means = try batches.map { try PassResult.loss(model, $0) }
    let trainer = trainer(model)
    trainer.settings.averaging = .batches
    let report = try trainer.gradients(batches)
    #expect(abs(report.loss - (means[0] + means[1]) / 2) < 1e-12)
    for learned in model.learned { learned.clearGradient() }
    trainer.settings.averaging = .tokens
    let counts = batches.map { Double($0.trained) }
    let mean = (means[0] * counts[0] + means[1] * counts[1]) / (counts[0] + counts[1])
    #expect(abs(try trainer.gradients(batches).loss - mean) < 1e-12)
  }

  @Test func longGradientsAreShortened() throws {
    let batch = try Self.test.batch([19])
    let (free, clipped) = (try Self.test.model(.float32), try Self.test.model(.float32))
    let whole = try trainer(free, clip: nil).gradients([batch])
    let trainer = trainer(clipped, clip: whole.gradientNorm / 10)
    let report = try trainer.gradients([batch])
    #expect(report.gradientNorm == whole.gradientNorm)
    trainer.update(gradientNorm: report.gradientNorm)
    let state = trainer.optimiser.states[0]
    let gradient = try #require(free.learned[0].gradient)
    // The first mean of a gradient is (1 − beta1) times it.
    let expected = gradient.copied()
    Sums.add(0.1 / 10, gradient, to: expected, share: 0)
    #expect(state.first.distance(to: expected) < 1e-5)
  }

  /// Rows that stand twice for one tensor stay alike, and rows for none stay zeros.
  @Test func copiesStayAlike() throws {
    var attention = Attention(
      SmallModel.width, heads: 4, groups: 2, headSize: 4,
      rotary: Rotary(theta: 100, dimensions: 4))
    attention.keySource = .sameProjection
    let model = try SmallModel([attention]).model(.float32)
    let trainer = trainer(model)
    let before = try #require(model.blocks[0].byRole[.queryKeyValue(.weight)]).value.copied()
    for _ in 0..<3 { _ = try trainer.step([SmallModel.batch]) }
    let after = try #require(model.blocks[0].byRole[.queryKeyValue(.weight)]).value
    for group in 0..<2 {
      let keys = group * 16 + 8..<group * 16 + 12
      let values = group * 16 + 12..<group * 16 + 16
      #expect(after.rows(keys).values == after.rows(values).values)
      #expect(after.rows(keys).values != before.rows(keys).values)
    }
  }

  // MARK: What goes wrong

  @Test func nothingToLearnIsSaid() throws {
    let model = try Self.test.model(.float32)
    var batch = try Self.test.batch([7])
    batch.labels = [Int32](repeating: -100, count: 7)
    let before = values(model)
    #expect(throws: EngineError.nothingToLearn) { try trainer(model).step([batch]) }
    #expect(throws: EngineError.emptyBatch) { try trainer(model).step([]) }
    #expect(values(model) == before)
  }

  /// A weight that overflows: its operation is named, and no weight is touched.
  @Test func overflowIsFoundWhereItHappens() throws {
    let model = try Self.test.model(.float32)
    let parameter = try #require(model.blocks[1].byRole[.fc2(.weight)])
    parameter.value[0, 0] = 3e38
    parameter.value[0, 1] = 3e38
    parameter.value[0, 2] = 3e38
    let (before, trainer) = (values(model), trainer(model))
    let batch = try Self.test.batch([19])
    let error = #expect(throws: EngineError.self) { try trainer.step([batch]) }
    guard case .notFinite(let operation, let place) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(operation == "linear")
    #expect(place == "model.layers.1")
    #expect(values(model) == before)
    #expect(trainer.optimiser.updates == 0)
    #expect(model.learned.allSatisfy { $0.gradient == nil })
    #expect(trainer.optimiser.states.allSatisfy { $0.first.values.allSatisfy { $0 == 0 } })
  }

  @Test func damagedWeightsAreNamed() throws {
    let model = try Self.test.model(.float32)
    let parameter = try #require(model.blocks[0].byRole[.attentionOutput(.weight)])
    parameter.value[1, 1] = .nan
    let error = #expect(throws: EngineError.self) {
      try trainer(model).step([Self.test.batch([19])])
    }
    #expect("\(try #require(error))".contains(parameter.name))
  }

  /// The way there is finite, and a gradient on the way back is not.
  @Test func overflowOnTheWayBackIsFound() throws {
    let model = try Self.test.model(.float32)
    // The stream is tiny behind the last block, so the final norm's gradient is huge.
    let trainer = trainer(model)
    let norm = try #require(model.surroundings.byRole[.finalNorm(.weight)])
    for parameter in model.parameters where parameter.role == .wordEmbeddings {
      Sums.add(1e-30, parameter.value, to: parameter.value, share: 0)
    }
    for block in model.blocks {
      for role in [Role.fc2(.weight), .attentionOutput(.weight)] {
        if let parameter = block.byRole[role] {
          Sums.add(1e-30, parameter.value, to: parameter.value, share: 0)
        }
      }
    }
    Sums.add(1e20, norm.value, to: norm.value, share: 0)
    let before = values(model)
    let error = #expect(throws: EngineError.self) {
      try trainer.step([Self.test.batch([19])])
    }
    guard case .notFinite = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(values(model) == before)
  }
}
