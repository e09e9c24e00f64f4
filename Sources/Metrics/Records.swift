import Glibc
import JSON

/// What one update of a training run was like; all that any watcher is told of it.
public struct StepRecord: Equatable, Sendable {
  /// The number of updates so far, this one included: the first has 1.
  public var step = 0
  public var epoch = 0
  /// The mean over all labels of the update, in nats, before it.
  public var loss = 0.0
  /// Losses beside it, as of routers, each with its factor.
  public var auxiliaryLoss = 0.0
  /// The length of all gradients together, before clipping.
  public var gradientNorm = 0.0
  public var rate = 0.0
  public var weightDecay = 0.0
  /// Tokens that went through the model, and those of them that were to be predicted.
  public var tokens = 0
  public var labels = 0
  /// Samples of the update.
  public var samples = 0
  /// Tokens and samples since the run began, over all its processes.
  public var allTokens = 0
  public var allSamples = 0
  /// How long the update took, data included.
  public var seconds = 0.0
  /// The most memory that the process held so far, in bytes.
  public var memory = 0
  /// Seconds since 1970.
  public var time = 0.0

  public init() {}

  public var tokensPerSecond: Double { seconds > 0 ? Double(tokens) / seconds : 0 }
}

/// The loss on samples that are not learned from.
public struct ValidationRecord: Equatable, Sendable {
  /// `nil` for the only set, or the name of one of several.
  public var name: String?
  public var step = 0
  public var epoch = 0
  public var loss = 0.0
  public var labels = 0
  public var rate = 0.0
  public var memory = 0
  public var seconds = 0.0
  public var time = 0.0

  public init() {}

  /// e to the loss.
  public var perplexity: Double { exp(loss) }
}

/// What a run is, told once at its beginning.
public struct RunDescription: Sendable {
  public var name: String
  /// Dotted keys and their values, in order: the effective configuration.
  public var configuration: [(key: String, value: JSON)] = []
  /// Where values of the configuration come from, by key, in a few words; a key that is not here has its default.
  public var origins: [String: String] = [:]
  /// The words it was started with.
  public var arguments: [String] = []
  /// The run folder.
  public var folder: String
  /// The updates made before this process, 0 for a fresh run; what is recorded beyond them is forgotten.
  public var firstStep = 0
  /// The last update that is planned.
  public var lastStep: Int?
  /// Parameters, and those of them that are trained.
  public var parameters = 0
  public var trained = 0
  /// Seconds since 1970.
  public var start = 0.0

  public init(name: String, folder: String) {
    self.name = name
    self.folder = folder
  }
}

/// How a run ended.
public enum RunOutcome: Equatable, Sendable {
  case finished
  /// Somebody or the clock asked it to stop; it can go on.
  case stopped
  case failed(String)
}

/// Writes down how a run goes, in one program's format.
///
/// What a step tells is on disk before the call returns, so that a kill loses at most the step in progress.
public protocol MetricsWriter: AnyObject {
  func record(_ step: StepRecord) throws
  func record(_ validation: ValidationRecord) throws
  /// Called once, at the end of the process.
  func finish(_ outcome: RunOutcome) throws
}
