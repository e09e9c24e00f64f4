import Data
import JSON

/// How far a run has come: what a checkpoint keeps of it besides the numbers of model and optimiser.
public struct RunProgress: Equatable, Sendable {
  /// The updates so far.
  public var step = 0
  /// Where in its rows the next batch begins; of indexed data `samples` says it.
  public var position = DataPosition()
  /// The samples and tokens that have been learned from, over all processes of the run.
  public var samples = 0
  public var tokens = 0
  /// The samples that the validation loss has been taken on so far.
  public var validationSamples = 0
  /// The floating-point operations so far, as Megatron counts them.
  public var operations = 0.0
  /// How long the run's processes have trained.
  public var seconds = 0.0
  /// The least validation loss so far, and the step it was taken at.
  public var best: Best?
  /// What the run must find again to go on exactly: the number of its samples, its seed, its packing.
  ///
  /// Values that differ when it goes on are told to the user; what they mean is the run's affair.
  public var identity: [Fact] = []
  /// What else the loop wants to find again.
  public var extra = JSONObject()

  public struct Best: Equatable, Sendable {
    public var step: Int
    public var loss: Double

    public init(step: Int, loss: Double) {
      self.step = step
      self.loss = loss
    }
  }

  /// One thing that a run is made of, such as the number of its samples.
  public struct Fact: Equatable, Sendable {
    public var name: String
    public var value: JSON

    public init(_ name: String, _ value: JSON) {
      self.name = name
      self.value = value
    }
  }

  public init() {}

  /// The epoch that the next sample is of, from 0.
  public var epoch: Int { position.epoch }
}
