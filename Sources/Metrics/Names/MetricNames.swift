/// Under which names a run's numbers are told to TensorBoard, Weights & Biases and MLflow.
public enum MetricNames: Hashable, Sendable {
  /// `lm loss`, `learning-rate`, `grad-norm` …, as Megatron-Bridge logs them.
  case megatron(MegatronMetrics)
  /// `loss`, `lr`, `grad_norm` …, as NeMo Automodel does.
  case automodel
}

/// Which of Megatron-Bridge's metrics are told beyond those that always are.
public struct MegatronMetrics: OptionSet, Hashable, Sendable {
  public let rawValue: Int

  public init(rawValue: Int) { self.rawValue = rawValue }

  /// `loss-scale`, which is 1: `log_loss_scale_to_tensorboard`.
  public static let lossScale = MegatronMetrics(rawValue: 1)
  /// `lm loss validation ppl`: `log_validation_ppl_to_tensorboard`.
  public static let perplexity = MegatronMetrics(rawValue: 2)
  /// `memory/peak_allocated_mem` in gigabytes: `log_memory_to_tensorboard`.
  public static let memory = MegatronMetrics(rawValue: 4)
  /// `throughput/…`: `log_throughput_to_tensorboard`.
  public static let throughput = MegatronMetrics(rawValue: 8)
  /// `time/…` in hours: `log_runtime_to_tensorboard`.
  public static let runtime = MegatronMetrics(rawValue: 16)
  /// `world-size`, which is 1: `log_world_size_to_tensorboard`.
  public static let worldSize = MegatronMetrics(rawValue: 32)
  /// `iteration-time` in seconds: `log_timers_to_tensorboard`.
  public static let timers = MegatronMetrics(rawValue: 64)

  /// What Megatron-Bridge tells unless its configuration says otherwise.
  public static let standard: MegatronMetrics = [.lossScale]
}

/// One number of a record under its name.
struct Metric: Equatable {
  var name: String
  var value: Double
  /// Whether Megatron draws it over the number of samples as well.
  var isOverSamples = false
}
