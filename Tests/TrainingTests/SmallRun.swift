import Data
import Engine
import Foundation
import JSON
import Kernels
import Metrics
import Support

@testable import Training

/// Keeps what a run tells.
final class Recorder: MetricsWriter {
  var steps: [StepRecord] = []
  var validations: [ValidationRecord] = []
  var outcome: RunOutcome?

  var losses: [Double] { steps.map(\.loss) }

  func record(_ step: StepRecord) throws { steps.append(step) }
  func record(_ validation: ValidationRecord) throws { validations.append(validation) }
  func finish(_ outcome: RunOutcome) throws { self.outcome = outcome }
}

/// Runs of a fresh model of 20,000 parameters, or of the one in `fixtures/demo`, on the CPU in a blink.
enum SmallRun {
  static let demo = Support.fixtures.appending(path: "demo").path

  static func configuration(experts: Bool = false) throws -> JSONObject {
    let text = """
      {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "intermediate_size": 48,
       "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2, "vocab_size": 64,
       "rms_norm_eps": 1e-5, "max_position_embeddings": 128, "initializer_range": 0.05,
       "hidden_act": "silu", "tie_word_embeddings": false}
      """
    return try JSON(parsing: Array(text.utf8)).object ?? JSONObject()
  }

  /// Sentences of random words: little to learn but which words there are.
  static func sentences(_ count: Int = 24, vocabulary: Int = 24) -> DataSettings {
    var data = DataSettings()
    data.mock = .sentences(
      count: count, mean: 12, deviation: 4, vocabulary: vocabulary, longest: 24, seed: 3)
    return data
  }

  static func settings(_ data: DataSettings = sentences(), steps: Int? = 8) throws -> RunSettings {
    var settings = RunSettings(
      name: "small", model: .fresh(configuration: try configuration()), data: .rows(data))
    settings.numbers = .float32
    settings.batch.global = 4
    settings.length.steps = steps
    settings.schedule.decay = .constant
    settings.schedule.rate = 1e-2
    return settings
  }

  @discardableResult
  static func run(
    _ settings: RunSettings, isStopping: @escaping @Sendable () -> Bool = { false }
  ) throws -> (run: TrainingRun, told: Recorder) {
    let recorder = Recorder()
    let run = try TrainingRun(
      settings, description: RunDescription(name: "small", folder: ""), writers: [recorder],
      isStopping: isStopping)
    _ = try run.run()
    return (run, recorder)
  }
}
