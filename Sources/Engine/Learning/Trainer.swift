import Kernels

/// Trains a model: each step takes batches, and changes all that the model learns.
public final class Trainer {
  public struct Settings: Hashable, Sendable {
    /// Gradients that are longer than this, all together, are shortened to it; `nil` leaves them.
    public var clip: Double? = 1
    public var averaging = Averaging.tokens
    /// What routers add to the loss: nothing, unless their factors say so.
    public var routers = RouterLosses()
    /// What is left out of what adapters add; `nil` for nothing.
    public var dropout: AdapterDropout?

    public init() {}
  }

  /// What the loss of a step is the mean of.
  public enum Averaging: Hashable, Sendable {
    /// Of all its labels.
    case tokens
    /// Of the means of its batches (Megatron without `calculate_per_token_loss`).
    case batches
  }

  /// What a step did.
  public struct Report: Hashable, Sendable {
    /// Before the update, without auxiliary losses.
    public var loss: Double
    /// The sum of losses beside it, as of routers, each with its factor.
    public var auxiliaryLoss: Double
    /// Of all gradients together, before they were shortened.
    public var gradientNorm: Double
    public var rate: Double
    /// All tokens, and those of them that were to be predicted.
    public var tokens: Int
    public var trained: Int
    /// The most bytes of the engine's memory that were in use at once, since the pool's peak was reset.
    public var peakBytes: Int
  }

  public let model: Model
  public let optimiser: AdamW
  public var schedule: Schedule
  public var settings: Settings
  /// Who watches the steps; `nil` where nobody does.
  public var observer: (any TapeObserver)?

  /// Trains what the model learns at this moment: adapters are attached before.
  public init(
    _ model: Model, _ schedule: Schedule, _ optimiser: AdamW.Settings = .init(),
    _ settings: Settings = Settings()
  ) {
    self.model = model
    self.schedule = schedule
    self.settings = settings
    self.optimiser = AdamW(model.learned, optimiser)
  }

  /// One update.
  ///
  /// - Parameter batches: go through the model one after the other; their gradients add up.
  /// - Throws: `EngineError`; nothing was changed then. Where the loss or a gradient is not finite, it
  ///   names the first operation whose result was not.
  public func step(_ batches: [Batch]) throws(EngineError) -> Report {
    do throws(EngineError) {
      var report = try gradients(batches)
      guard report.loss.isFinite, report.gradientNorm.isFinite else {
        throw try notFinite(batches)
      }
      report.rate = update(gradientNorm: report.gradientNorm)
      return report
    } catch {
      for learned in model.learned { learned.clearGradient() }
      throw error
    }
  }

  /// Gathers the gradients of a step, and changes nothing else.
  ///
  /// - Returns: a report whose rate is 0.
  public func gradients(_ batches: [Batch]) throws(EngineError) -> Report {
    let trained = batches.reduce(0) { $0 + $1.trained }
    guard !batches.isEmpty else { throw .emptyBatch }
    guard trained > 0 else { throw .nothingToLearn }
    for learned in model.learned { learned.gathersMany = batches.count > 1 }
    var (loss, auxiliary) = (0.0, 0.0)
    for (index, batch) in batches.enumerated() where batch.trained > 0 {
      let (ofBatch, beside) = try backward(batch, index, of: batches, trained, observer: observer)
      loss += ofBatch
      auxiliary += beside
    }
    for parameter in model.parameters { parameter.settleGradient() }
    let norm = watched("gradient norm") { optimiser.gradientNorm() }
    return Report(
      loss: loss, auxiliaryLoss: auxiliary, gradientNorm: norm, rate: 0,
      tokens: batches.reduce(0) { $0 + $1.count }, trained: trained,
      peakBytes: MemoryPool.shared.usage.peak)
  }

  /// Sends one batch there and back.
  ///
  /// - Returns: what it adds to the loss, and to the losses beside it.
  private func backward(
    _ batch: Batch, _ index: Int, of batches: [Batch], _ trained: Int,
    observer: (any TapeObserver)? = nil
  ) throws(EngineError) -> (Double, Double) {
    let tape = Tape(model.numbers, isRecording: true)
    tape.observer = observer
    tape.adapterDropout = settings.dropout?.during(update: optimiser.updates, batch: index)
    let pass = Pass(model, tape, batch)
    pass.isTraining = true
    let divisor = settings.averaging == .tokens ? trained : batch.trained * batches.count
    pass.routerLosses = settings.routers
    // Means of a batch count as much as its labels do.
    pass.routerLosses.share = Double(batch.trained) / Double(divisor)
    let states = try model.hidden(pass)
    guard let last = states.last else { throw .emptyBatch }
    let loss = try model.loss(last, pass, divisor: divisor)
    tape.runBackward()
    return (loss, pass.auxiliaryLoss)
  }

  /// Changes all that is learned by its gradients.
  ///
  /// - Returns: the learning rate.
  @discardableResult
  public func update(gradientNorm: Double) -> Double {
    let step = optimiser.updates
    let rate = schedule.rate(at: step)
    // As torch.nn.utils.clip_grad_norm_ and Megatron have it.
    let factor = settings.clip.map { min(1, $0 / (gradientNorm + 1e-6)) } ?? 1
    watched("update") {
      optimiser.update(
        rate: rate, weightDecay: schedule.weightDecay(at: step), gradientFactor: factor)
    }
    return rate
  }

  /// Does what belongs to no layer.
  private func watched<Result>(_ operation: String, _ body: () -> Result) -> Result {
    observer?.willRun(operation, "the optimiser", isBackward: false)
    defer { observer?.didRun(operation, "the optimiser", nil, isBackward: false) }
    return body()
  }

  /// Goes the whole way once more, to say where numbers stop to be finite.
  private func notFinite(_ batches: [Batch]) throws(EngineError) -> EngineError {
    for learned in model.learned { learned.clearGradient() }
    for parameter in model.parameters where !Sums.areFinite(parameter.value) {
      return .notFinite(operation: "the weights \(parameter.name)", place: "the model")
    }
    let watch = FiniteWatch()
    let trained = batches.reduce(0) { $0 + $1.trained }
    for (index, batch) in batches.enumerated() where batch.trained > 0 {
      let (loss, _) = try backward(batch, index, of: batches, trained, observer: watch)
      if let found = watch.found { return found }
      if !loss.isFinite { return .notFinite(operation: "loss", place: "the output layer") }
    }
    for learned in model.learned {
      if let gradient = learned.gradient, !Sums.areFinite(gradient) {
        return .notFinite(operation: "the gradient of \(learned.name)", place: "the way back")
      }
    }
    return .notFinite(operation: "the sum of all squares of gradients", place: "clipping")
  }
}

/// Remembers the first operation whose result, or a gradient that it gave on, is not finite.
final class FiniteWatch: TapeObserver {
  private(set) var found: EngineError?

  func willRun(_ operation: String, _ place: String, isBackward: Bool) {}

  func didRun(_ operation: String, _ place: String, _ result: Matrix?, isBackward: Bool) {
    guard found == nil, let result, !Sums.areFinite(result) else { return }
    found = .notFinite(operation: operation, place: place)
  }

  func didReach(_ operation: String, _ place: String, gradient: Matrix) {
    guard found == nil, !Sums.areFinite(gradient) else { return }
    found = .notFinite(operation: operation + ", on the way back,", place: place)
  }
}
