import Blueprint
import Checkpoints
import Data
import Engine
import Foundation
import JSON
import Kernels
import Support
import Weights

@testable import Training

/// A small run, driven step by step: what is trained, in what numbers, on which samples.
struct RunCase {
  var folder = Support.fixtures.appending(path: "demo").path
  var numbers = Numbers.float32
  var precision = AdamW.Precision.full
  var adapters: AdapterSettings?
  var settings: RunSettings

  init(_ folder: URL) {
    var data = DataSettings()
    data.files = ["made up"]
    settings = RunSettings(
      name: "test", model: .weights(self.folder, revision: nil, configuration: nil),
      data: .rows(data))
    settings.saving.folder = folder.path
    settings.batch.global = 2
    settings.length = RunLength(steps: 10)
  }

  /// A model on its way: its trainer and what it was made of.
  struct Live {
    var trainer: Trainer
    var model: HuggingFaceModel
    var weights: ModelWeights
  }

  /// Makes the model, of the files or of a checkpoint, with adapters where they are trained.
  func begin(from saved: SavedRun? = nil) throws -> Live {
    var weights = try ModelWeights(HuggingFaceModel(folder: folder))
    if let saved, !saved.holdsAdapters { weights = try saved.weights() }
    let model = try Model(weights, numbers, isFrozen: { _ in adapters != nil })
    if let adapters {
      let isFused = adapters.kind == .lora || adapters.kind == .dora
      let places = model.adapterPlaces(isFused: isFused) { _, _ in true }
      try model.attach(
        places.map {
          PlannedPair(
            $0, rank: adapters.rank, scale: adapters.alpha / Double(adapters.rank),
            hasMagnitude: adapters.kind == .dora || adapters.hasMagnitude,
            start: .fresh(adapters.start))
        }, seed: settings.seed)
    }
    var schedule = Schedule(.cosine, rate: 3e-3, warmUp: 2, length: 20)
    schedule.leastRate = 1e-4
    var optimiser = AdamW.Settings()
    optimiser.precision = precision
    return Live(
      trainer: Trainer(model, schedule, optimiser), model: weights.model, weights: weights)
  }

  var runSettings: RunSettings {
    var settings = settings
    settings.numbers = numbers
    settings.adapters = adapters
    settings.optimiser.precision = precision
    return settings
  }

  /// The batch of a step, made up.
  func batch(_ step: Int, _ model: Model) -> Batch {
    let vocabulary = model.blueprint.frame.vocabulary
    var random = RandomBits(seed: UInt64(step) + 1)
    return Batch(
      (0..<2).map { index in
        (0..<(7 + 3 * index)).map { _ in Int32(random.next() % UInt64(vocabulary)) }
      }.map { $0 },
      aligned: (0..<2).map { index in
        (0..<(7 + 3 * index)).map { _ in Int32(random.next() % UInt64(vocabulary)) }
      })
  }

  /// Trains from one step to another; the losses' bits.
  func train(_ live: Live, _ steps: Range<Int>) throws -> [UInt64] {
    try steps.map { try live.trainer.step([batch($0, live.trainer.model)]).loss.bitPattern }
  }

  func checkpoints(_ live: Live) throws -> RunCheckpoints {
    try RunCheckpoints(
      runSettings, live.trainer, model: live.model, weights: live.weights,
      configuration: [("train.train_iters", .integer(10))])
  }

  func progress(_ step: Int) -> RunProgress {
    var progress = RunProgress()
    progress.step = step
    progress.samples = step * 2
    progress.position = DataPosition(epoch: 1, index: step)
    progress.seconds = 0.1 * Double(step)
    progress.identity = [.init("samples", .integer(4))]
    return progress
  }
}

/// SplitMix64.
struct RandomBits {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
