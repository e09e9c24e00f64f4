import Checkpoints
import Engine
import Foundation
import Kernels
import Support
import Testing
import Training
import Weights

/// Losses of labels add up to the loss that training takes, however batches are cut.
@Suite struct LossFiguresTests {
  private static func model() throws -> Model {
    try Model(
      ModelWeights(HuggingFaceModel(folder: Support.data("bridge/llama/hf").path)), .float32)
  }

  private static let sequences: [[Int32]] = [
    [1, 5, 9, 4, 7, 3], [2, 8], [6, 1, 1, 30, 2, 9, 11],
  ]
  /// Labels beside their own tokens, as data sets have them.
  private static let labels: [[Int32]] = [
    [1, -1, 9, 4, -1, 3], [-1, -1], [-1, -1, -1, 30, 2, 9, 11],
  ]

  /// The loss of a batch as the trainer takes it.
  private func loss(_ model: Model, _ batch: Batch) throws -> Double {
    let pass = Pass(model, Tape(model.numbers, isRecording: false), batch)
    return try model.loss(try #require(try model.hidden(pass).last), pass)
  }

  @Test func theyAreTheLossOfTraining() throws {
    let model = try Self.model()
    let batch = Batch(Self.sequences, aligned: Self.labels)
    var figures = LossFigures()
    let samples = try figures.add(batch, by: model)
    #expect(figures.labels == 7 && figures.tokens == 15 && figures.samples == 2)
    #expect(samples.map(\.labels) == [3, 0, 4])
    #expect(abs(figures.loss - (try loss(model, batch))) < 1e-6)
    #expect(abs(figures.perplexity - exp(figures.loss)) < 1e-9)
    for index in [0, 2] {
      let alone = Batch([Self.sequences[index]], aligned: [Self.labels[index]])
      #expect(abs(samples[index].loss - (try loss(model, alone))) < 1e-5)
    }
    #expect(abs(figures.sampleLoss - (samples[0].loss + samples[2].loss) / 2) < 1e-12)
  }

  @Test func theWayBatchesAreCutDoesNotMatter() throws {
    let model = try Self.model()
    var together = LossFigures()
    try together.add(Batch(Self.sequences, aligned: Self.labels), by: model)
    var apart = LossFigures()
    for (sequence, labels) in zip(Self.sequences, Self.labels) {
      try apart.add(Batch([sequence], aligned: [labels]), by: model)
    }
    #expect(apart.labels == together.labels && apart.samples == together.samples)
    #expect(abs(apart.loss - together.loss) < 1e-5)
  }

  @Test func withoutLabelsThereIsNoLoss() throws {
    var figures = LossFigures()
    try figures.add(Batch(Self.sequences), by: Self.model())
    #expect(figures.labels == 0 && figures.samples == 0 && figures.loss == 0)
    #expect(figures.tokens == 15)
  }
}
