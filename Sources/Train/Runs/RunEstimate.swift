import Blueprint
import Console
import Engine
import JSON
import Kernels
import Training

/// How large a run is, and how long it takes, before it is begun.
///
/// Weights, gradients and what the optimiser keeps are counted. Activations are what the matrix products of a block read
/// and write, which is what is kept of them for the way back: the sum of rows and columns of its matrices for each
/// token. They go as gradients come, so that of one micro-batch the larger of the two counts. Against runs of 34 and 101
/// million parameters the sum is 1 to 10 % off. Time is the operations of the run by the share of this machine's best
/// product that steps are known to reach.
struct RunEstimate {
  let parameters: Int
  let trained: Int
  let weights: Int
  let gradients: Int
  let optimiser: Int
  let activations: Int
  /// Samples are shorter than the length that is counted, unless they are packed.
  let tokensPerStep: Int
  let steps: Int?
  let operationsPerStep: Double
  /// Operations in a second of a large product here.
  let peak: Double
  let checkpoint: Int
  /// Whether gradients of several micro-batches add up, or are those of few numbers.
  private let addsUp: Bool
  private let settings: RunSettings

  /// How much is kept of what the products read and write: some of it is the same; measured.
  private static let kept = 0.9
  /// The share of the best product's speed that steps reach; measured (docs/engine.md).
  private static let share = 0.7
  /// What the program itself takes.
  private static let base = 90_000_000

  init(_ settings: RunSettings, _ blueprint: Blueprint) throws {
    self.settings = settings
    let bytes = settings.numbers.byteWidth
    parameters = blueprint.parameters - blueprint.counts.predictors
    trained = try settings.adapters?.learnedCount(on: blueprint) ?? parameters
    weights = parameters * bytes + (settings.adapters == nil ? 0 : trained * 4)
    let micro = settings.batch.micro
    addsUp = settings.batch.global > micro || settings.adapters != nil
    gradients = trained * (addsUp ? 4 : bytes)
    optimiser =
      trained
      * (settings.optimiser.precision == .half
        ? 4 : bytes == 2 && settings.adapters == nil ? 10 : 8)
    let length = Self.length(settings)
    let inFlight = length * (Self.isPacked(settings) ? 1 : micro)
    activations = Self.activations(blueprint, settings, tokens: inFlight)
    let samples = settings.batch.global
    tokensPerStep = length * samples
    steps = settings.length.steps
    operationsPerStep = blueprint.operations(
      sequences: samples, length: length, settings.adapters == nil ? .learning : .adapting)
    peak = MachinePeak.products(settings.numbers)
    checkpoint =
      trained * bytes + (settings.saving.keepsOptimiser ? trained * 12 : 0)
  }

  private static func length(_ settings: RunSettings) -> Int {
    switch settings.data {
    case .indexed(let plan, _): plan.length
    case .rows(let data): data.packedSize ?? data.format.length ?? 1024
    }
  }

  private static func isPacked(_ settings: RunSettings) -> Bool {
    if case .rows(let data) = settings.data { data.packedSize != nil } else { false }
  }

  private static func activations(
    _ blueprint: Blueprint, _ settings: RunSettings, tokens: Int
  ) -> Int {
    let bytes = Double(settings.numbers.byteWidth)
    let perBlock = blueprint.blocks.map { block in
      block.slots.reduce(0.0) { sum, slot in
        guard slot.isMatrix else { return sum }
        let share = slot.split.isExpert ? Self.chosen(block) : 1
        return sum + share * Double(slot.rows / max(1, slot.matrices) + slot.rowWidth)
      }
    }
    let width = Double(blueprint.frame.width)
    let kept =
      settings.recomputes
      ? Double(perBlock.count) * width + (perBlock.max() ?? 0) : perBlock.reduce(0, +)
    return Int(Self.kept * bytes * Double(tokens) * (kept + 4 * width))
  }

  /// How many experts a token goes to.
  private static func chosen(_ block: Block) -> Double {
    Double(block.leaves.lazy.compactMap { ($0 as? Experts)?.router.perToken }.first ?? 1)
  }

  var memory: Int {
    Self.base + weights + optimiser
      + (addsUp ? gradients + activations : max(gradients, activations))
  }

  var secondsPerStep: Double { operationsPerStep / (peak * Self.share) }

  // MARK: Text

  var facts: [(String, String)] {
    var rows = [
      (
        "parameters",
        "\(Format.count(parameters)) (\(Format.short(parameters))), of which "
          + (trained == parameters && settings.adapters == nil
            ? "all are trained"
            : "\(Format.count(trained)) are trained (\(Format.fixed(100 * Double(trained) / Double(max(1, parameters)), 3)) %)")
      ),
      (
        "memory",
        "\(Format.bytes(memory)) at most: weights \(Format.bytes(weights)), gradients \(Format.bytes(gradients)), "
          + "optimiser \(Format.bytes(optimiser)), activations \(Format.bytes(activations))"
      ),
      (
        "a step",
        "\(Format.count(settings.batch.global, "sample")), at most \(Format.count(tokensPerStep)) tokens, "
          + "\(Format.digits(operationsPerStep / 1e12)) · 10¹² operations; about \(Self.time(secondsPerStep))"
      ),
    ]
    if let steps {
      let most = settings.length.epochs == nil ? "" : "at most "
      rows.append(
        (
          "the run",
          "\(most)\(Format.count(steps, "step")), \(Format.short(steps * tokensPerStep)) tokens; about "
            + Self.time(secondsPerStep * Double(steps))
        ))
    } else if let epochs = settings.length.epochs {
      rows.append(("the run", "\(Format.count(epochs, "epoch")) of the data"))
    }
    rows.append(
      (
        "speed",
        "\(Format.digits(peak / 1e9)) · 10⁹ operations a second in a large product here, of which steps reach "
          + "about \(Int(100 * Self.share)) %"
      ))
    if let folder = settings.saving.folder {
      let every = settings.saving.every.map { "every \(Format.count($0, "step")) and at the end" }
      rows.append(
        (
          "checkpoints",
          "\(folder), \(every ?? "at the end"), \(Format.bytes(checkpoint)) each"
            + (settings.saving.keeps.map { ", the newest \($0) kept" } ?? "")
        ))
    }
    return rows
  }

  /// A time of any length.
  static func time(_ seconds: Double) -> String {
    guard seconds.isFinite else { return "?" }
    let day = 86_400.0
    if seconds < 5400 { return Format.duration(seconds) }
    if seconds < 2 * day { return "\(Format.digits(seconds / 3600)) hours" }
    if seconds < 1000 * day { return "\(Format.digits(seconds / day)) days" }
    return "\(Format.short(Int(min(seconds / day / 365.25, 1e15)))) years"
  }

  var object: JSONObject {
    [
      "parameters": .integer(parameters), "trained": .integer(trained),
      "memory": .object([
        "weights": .integer(weights), "gradients": .integer(gradients),
        "optimiser": .integer(optimiser), "activations": .integer(activations),
        "all": .integer(memory),
      ]),
      "tokensPerStep": .integer(tokensPerStep), "steps": steps.map(JSON.integer) ?? .null,
      "operationsPerStep": .number(operationsPerStep),
      "secondsPerStep": .number(secondsPerStep), "operationsPerSecond": .number(peak),
      "checkpointBytes": .integer(checkpoint),
    ]
  }
}
