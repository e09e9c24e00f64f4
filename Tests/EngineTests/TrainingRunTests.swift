import Checkpoints
import Foundation
import Kernels
import Support
import Testing
import Weights

@testable import Engine

/// Whole runs are those of transformers, PEFT and PyTorch: loss by loss.
@Suite struct TrainingRunTests {
  struct Runs: Decodable {
    struct Case: Decodable {
      struct Settings: Decodable {
        var rate, clip, decay: Double
        var steps: Int
      }
      var kind: String
      var settings: Settings
      var losses, norms: [Double]
    }
    var tokens, labels: [[Int32]]
    var cases: [Case]
  }

  /// The numbers that both programs begin with.
  private func wave(_ rows: Int, _ columns: Int, _ seed: Double) -> Matrix {
    let matrix = Matrix(rows, columns, .float32)
    matrix.set((0..<rows * columns).map { sin(Double($0) * 1.3 + seed) * 0.1 })
    return matrix
  }

  private func plans(_ model: Model, hasMagnitudes: Bool) -> [PlannedPair] {
    let names = ["q", "k", "v", "o", "gate", "up", "down"]
    return model.parameters.flatMap { parameter -> [PlannedPair] in
      let slot = parameter.slot.slot
      guard slot.takesAdapters else { return [] }
      return slot.parts.enumerated().compactMap { part, tensor in
        guard let index = names.firstIndex(where: { tensor.name.hasSuffix(".\($0)_proj.weight") })
        else { return nil }
        return PlannedPair(
          AdapterPlace(parameter.name, .part(part)), rank: 3, scale: 2,
          hasMagnitude: hasMagnitudes,
          start: .given(
            inputs: wave(3, tensor.shape[1], Double(index)),
            outputs: wave(tensor.shape[0], 3, Double(index) + 0.5), magnitude: nil))
      }
    }
  }

  @Test func lossesAndNormsAreThoseOfTorch() throws {
    let runs = try LearningData.read("runs", as: Runs.self)
    #expect(runs.cases.map(\.kind) == ["all", "lora", "dora"])
    let folder = Support.fixtures.appending(path: "demo").path
    for run in runs.cases {
      let model = try Model(ModelWeights(HuggingFaceModel(folder: folder)), .float32)
      if run.kind != "all" {
        try model.attach(plans(model, hasMagnitudes: run.kind == "dora"))
        #expect(model.learned.count == 4 * 7 * (run.kind == "dora" ? 3 : 2))
      }
      let schedule = Schedule(
        .cosine, rate: run.settings.rate, length: run.settings.steps,
        weightDecay: run.settings.decay)
      let trainer = Trainer(model, schedule)
      trainer.settings.clip = run.settings.clip
      let batches = [0..<2, 2..<4].map {
        Batch(Array(runs.tokens[$0]), aligned: Array(runs.labels[$0]))
      }
      var worst = (loss: 0.0, norm: 0.0)
      for (loss, norm) in zip(run.losses, run.norms) {
        let report = try trainer.step(batches)
        worst.loss = max(worst.loss, abs(report.loss - loss))
        worst.norm = max(worst.norm, abs(report.gradientNorm - norm) / norm)
      }
      print(
        "run: \(run.kind) | largest difference of a loss \(worst.loss), of a norm \(worst.norm)")
      #expect(worst.loss < 5e-6, "\(run.kind)")
      #expect(worst.norm < 2e-5, "\(run.kind)")
    }
  }

  /// In bfloat16 the losses are those of float32 as far as its digits reach, whatever is kept of weights.
  @Test(arguments: [AdamW.Precision.full, .half]) func shortNumbersLearnAsWell(
    _ precision: AdamW.Precision
  ) throws {
    let runs = try LearningData.read("runs", as: Runs.self)
    let run = try #require(runs.cases.first { $0.kind == "all" })
    let folder = Support.fixtures.appending(path: "demo").path
    let model = try Model(ModelWeights(HuggingFaceModel(folder: folder)), .bfloat16)
    var settings = AdamW.Settings()
    settings.precision = precision
    let trainer = Trainer(
      model,
      Schedule(
        .cosine, rate: run.settings.rate, length: run.settings.steps,
        weightDecay: run.settings.decay), settings)
    let batches = [0..<2, 2..<4].map {
      Batch(Array(runs.tokens[$0]), aligned: Array(runs.labels[$0]))
    }
    for loss in run.losses {
      #expect(abs(try trainer.step(batches).loss - loss) < 0.02)
    }
  }
}
