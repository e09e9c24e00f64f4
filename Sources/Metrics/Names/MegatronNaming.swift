import Glibc

/// A run's numbers as Megatron-Bridge names them.
///
/// Reference: megatron/bridge/training/utils/train_utils.py `training_log`, eval.py `evaluate_and_print_results`
struct MegatronNaming {
  private let metrics: MegatronMetrics
  private let description: RunDescription
  /// The steps that throughput is the mean of; Megatron-Bridge's `throughput_window_size`.
  private static let window = 100
  private var recent: [StepRecord] = []
  private var samplesBefore: Int?
  private var hasAuxiliaryLoss = false

  init(_ metrics: MegatronMetrics, _ description: RunDescription) {
    self.metrics = metrics
    self.description = description
  }

  mutating func metrics(of step: StepRecord) -> [Metric] {
    let samples = step.samples > 0 ? step.samples : step.allSamples - (samplesBefore ?? 0)
    samplesBefore = step.allSamples
    var result: [Metric] = []
    if metrics.contains(.throughput) { result += throughput(step, samples) }
    if metrics.contains(.memory) {
      result.append(Metric(name: "memory/peak_allocated_mem", value: Double(step.memory) / 1e9))
    }
    if metrics.contains(.runtime) { result += runtime(step) }
    result += [
      Metric(name: "learning-rate", value: step.rate, isOverSamples: true),
      Metric(name: "batch-size", value: Double(samples), isOverSamples: true),
      Metric(name: "lm loss", value: step.loss, isOverSamples: true),
    ]
    hasAuxiliaryLoss = hasAuxiliaryLoss || step.auxiliaryLoss != 0
    if hasAuxiliaryLoss {
      result.append(Metric(name: "load_balancing_loss", value: step.auxiliaryLoss))
    }
    if metrics.contains(.lossScale) {
      result.append(Metric(name: "loss-scale", value: 1, isOverSamples: true))
    }
    if metrics.contains(.worldSize) {
      result.append(Metric(name: "world-size", value: 1, isOverSamples: true))
    }
    result.append(Metric(name: "grad-norm", value: step.gradientNorm, isOverSamples: true))
    if metrics.contains(.timers) {
      result.append(Metric(name: "iteration-time", value: step.seconds))
    }
    return result
  }

  func metrics(of record: ValidationRecord) -> [Metric] {
    let name = "lm loss validation" + (record.name.map { " \($0)" } ?? "")
    var result = [Metric(name: name, value: record.loss, isOverSamples: true)]
    if metrics.contains(.perplexity) {
      result.append(
        Metric(name: name + " ppl", value: exp(min(20, record.loss)), isOverSamples: true))
    }
    return result
  }

  private mutating func throughput(_ step: StepRecord, _ samples: Int) -> [Metric] {
    var step = step
    step.samples = samples
    recent.append(step)
    if recent.count > Self.window { recent.removeFirst() }
    let seconds = recent.reduce(0) { $0 + $1.seconds }
    guard seconds > 0 else { return [] }
    let speeds = [
      ("batches_per_sec", Double(recent.count) / seconds),
      ("samples_per_sec", Double(recent.reduce(0) { $0 + $1.samples }) / seconds),
      ("tokens_per_sec", Double(recent.reduce(0) { $0 + $1.tokens }) / seconds),
    ]
    return speeds.flatMap { name, speed in
      [
        Metric(name: "throughput/" + name, value: speed),
        Metric(name: "throughput/device/" + name, value: speed),
      ]
    }
  }

  private func runtime(_ step: StepRecord) -> [Metric] {
    let hours = (step.time - description.start) / 3600
    var result: [Metric] = []
    let done = step.step - description.firstStep
    if let last = description.lastStep, done > 0 {
      let left = hours / Double(done) * Double(max(0, last - step.step))
      result.append(Metric(name: "time/remaining_estimate", value: left))
    }
    return result + [
      Metric(name: "time/tokens", value: Double(step.allTokens)),
      Metric(name: "time/samples", value: Double(step.allSamples)),
      Metric(name: "time/batches", value: Double(step.step)),
      Metric(name: "time/total", value: hours),
    ]
  }
}
