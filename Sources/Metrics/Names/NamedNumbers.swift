import JSON

/// The numbers of records under the names a run was told to use, for Weights & Biases and MLflow.
struct NamedNumbers {
  private let names: MetricNames
  private var megatron: MegatronNaming

  init(_ names: MetricNames, _ description: RunDescription) {
    self.names = names
    let metrics: MegatronMetrics = if case .megatron(let metrics) = names { metrics } else { [] }
    megatron = MegatronNaming(metrics, description)
  }

  mutating func numbers(of step: StepRecord) -> [(name: String, value: JSON)] {
    switch names {
    case .automodel:
      return JSONLinesWriter.members(of: step).members.map { ($0.key, $0.value) }
    case .megatron:
      let numbers = megatron.metrics(of: step).map { ($0.name, JSON.number($0.value)) }
      return [("samples vs steps", .integer(step.allSamples))] + numbers
    }
  }

  func numbers(of record: ValidationRecord) -> [(name: String, value: JSON)] {
    switch names {
    case .automodel:
      let prefix = record.name.map { "val_\($0)/" } ?? ""
      return JSONLinesWriter.members(of: record).members.dropFirst(3).map {
        (prefix + $0.key, $0.value)
      }
    case .megatron:
      return megatron.metrics(of: record).map { ($0.name, .number($0.value)) }
    }
  }
}
