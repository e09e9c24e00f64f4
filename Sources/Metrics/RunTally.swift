/// What the steps of one process come to so far: for the people who wait for it.
public struct RunTally: Sendable {
  public private(set) var newest: StepRecord?
  public private(set) var steps = 0
  public private(set) var tokens = 0
  /// What the updates took.
  public private(set) var seconds = 0.0
  /// The most memory held, in bytes.
  public private(set) var memory = 0
  public private(set) var bestValidation: ValidationRecord?
  public private(set) var firstLoss: Double?
  private var losses = Curve()
  private var average = RunningMean()
  private var durations = RunningMean()
  private var counts = RunningMean()

  public init() {}

  public mutating func add(_ step: StepRecord) {
    newest = step
    steps += 1
    tokens += step.tokens
    seconds += step.seconds
    memory = max(memory, step.memory)
    if firstLoss == nil { firstLoss = step.loss }
    losses.add(step.step, step.loss)
    average.add(step.loss)
    durations.add(step.seconds)
    counts.add(Double(step.tokens))
  }

  public mutating func add(_ validation: ValidationRecord) {
    guard validation.loss.isFinite else { return }
    if let best = bestValidation, best.loss <= validation.loss || best.name != validation.name {
      return
    }
    bestValidation = validation
  }

  /// The loss without the noise of single steps; that of the newest step where this is no number.
  public var loss: Double {
    guard let newest else { return .nan }
    return newest.loss.isFinite ? average.value : newest.loss
  }

  /// What a step takes lately, and the tokens that go through in a second.
  public var secondsPerStep: Double { durations.value }

  public var tokensPerSecond: Double { counts.value / durations.value }

  /// The losses in their order, of many neighbours the mean.
  public var lossCurve: [Double] { losses.stretches.map(\.mean) }
}

/// The mean of what came lately: each number weighs a little more than the one before it.
private struct RunningMean: Sendable {
  private var sum = 0.0
  private var weights = 0.0
  private static let memory = 0.9

  mutating func add(_ value: Double) {
    guard value.isFinite else { return }
    sum = sum * Self.memory + value
    weights = weights * Self.memory + 1
  }

  var value: Double { weights > 0 ? sum / weights : .nan }
}
