import Data
import Engine
import JSON
import Kernels
import Metrics

/// Everything a training run is told: what a recipe, a configuration file and a command line come to.
///
/// Values only. Who makes them lies in Configuration; what is done with them lies in this room.
public struct RunSettings: Sendable {
  /// What the run is called in its records.
  public var name: String
  public var model: ModelSource
  /// The type that is computed in.
  public var numbers = Numbers.bfloat16
  /// Of fresh weights, fresh adapters and dropout.
  public var seed: UInt64 = 1234
  /// What is trained in place of the weights; `nil` trains all of them.
  public var adapters: AdapterSettings?
  public var data: DataSource
  /// The tokenizer of indexed data: it knows which token ends a document, and is kept beside a fresh model.
  public var tokenizer: String?
  public var validation = ValidationSettings()
  public var batch = BatchSettings()
  public var length = RunLength()
  public var optimiser = AdamW.Settings()
  public var schedule = ScheduleSettings()
  public var trainer = Trainer.Settings()
  /// Whether blocks are computed again on the way back rather than kept.
  public var recomputes = false
  public var saving = SavingSettings()
  public var watching = WatchingSettings()

  public init(name: String, model: ModelSource, data: DataSource) {
    self.name = name
    self.model = model
    self.data = data
  }
}

/// What a run begins with.
public enum ModelSource: Sendable {
  /// The weights of a Hugging Face folder or reference, or of a Megatron checkpoint.
  ///
  /// - configuration: the Hugging Face model that a Megatron checkpoint is of, where its run_config.yaml
  ///   names none.
  case weights(String, revision: String?, configuration: String?)
  /// A fresh model.
  ///
  /// - configuration: its config.json.
  case fresh(configuration: JSONObject)
}

/// Where samples come from.
public enum DataSource: Sendable {
  /// Rows of text, packs, or made-up samples.
  case rows(DataSettings)
  /// Megatron's .bin and .idx files, or its made-up documents; the plan's numbers of samples are the run's to fill in.
  case indexed(PretrainingPlan, order: BatchOrder.Kind)
}

/// Low-rank adapters that are trained while the weights stay.
public struct AdapterSettings: Hashable, Sendable {
  /// Which matrices get pairs of their own.
  public enum Kind: String, CaseIterable, Sendable {
    /// One for each matrix as Megatron fuses it (`lora`), with lengths (`dora`).
    case lora, dora
    /// One for each tensor as Hugging Face cuts it, under Megatron's names (`canonical_lora`).
    case canonical
    /// The same under Hugging Face's names, as PEFT and Automodel have it.
    case parts
  }

  public var kind = Kind.lora
  /// Whether the lengths of rows are learned too, of kinds other than `dora`.
  public var hasMagnitude = false
  public var rank = 32
  public var alpha = 32.0
  /// Patterns of module names: Megatron's for `lora`, `dora` and `canonical`, Hugging Face's for `parts`; with `*`.
  public var targets: [String] = []
  public var excluded: [String] = []
  /// Whether every linear layer but the output layer is meant, whatever `targets` says.
  public var matchesAll = false
  public var dropout = 0.0
  /// Whether dropout stands before A rather than behind B.
  public var dropsInputs = true
  public var start = PlannedPair.FreshInputs.xavier
  /// An adapter to go on with, in any format.
  public var initial: String?

  public init() {}
}

/// How many samples make an update.
public struct BatchSettings: Equatable, Sendable {
  /// The samples (or packs) of an update.
  public var global = 32
  /// Those that go through the model at once.
  public var micro = 1
  public var order = SampleOrder.stored
  /// Whether samples that fill no update at the end of an epoch are left out.
  public var dropsLast = false

  public init() {}
}

/// When a run ends: at whichever of these comes first.
public struct RunLength: Hashable, Sendable {
  public var steps: Int?
  public var epochs: Int?
  public var minutes: Double?
  /// Steps after which this process ends, having saved (`exit_interval`): a run in instalments.
  public var pauseEvery: Int?

  public init(steps: Int? = nil, epochs: Int? = nil) {
    self.steps = steps
    self.epochs = epochs
  }
}

/// The learning rate and the weight decay over a run whose number of steps is not known yet.
public struct ScheduleSettings: Hashable, Sendable {
  public enum Steps: Hashable, Sendable {
    case steps(Int)
    /// This share of all.
    case share(Double)
    /// A tenth of all, 1,000 at most (Automodel).
    case tenth
  }

  public var decay = Schedule.Decay.linear
  public var rate = 1e-4
  public var leastRate = 0.0
  public var firstRate = 0.0
  public var warmUp = Steps.steps(0)
  /// The step at which the rate is least; `nil`: the last.
  public var length: Int?
  public var startDecay = 0.01
  public var endDecay = 0.01
  public var growth = Schedule.Growth.constant

  public init() {}

  /// The schedule of a run of so many steps.
  public func schedule(steps: Int) -> Schedule {
    let warm =
      switch warmUp {
      case .steps(let number): number
      case .share(let share): Int(share * Double(length ?? steps))
      case .tenth: min(1000, steps / 10)
      }
    var schedule = Schedule(
      decay, rate: rate, leastRate: leastRate, warmUp: warm, length: length ?? steps)
    schedule.firstRate = firstRate
    schedule.startDecay = startDecay
    schedule.endDecay = endDecay
    schedule.growth = growth
    schedule.growthLength = steps
    return schedule
  }
}

/// Samples that are never learned from, and when the loss on them is taken.
public struct ValidationSettings: Sendable {
  /// `nil` with indexed data means their second split; with rows, none.
  public var data: DataSource?
  public var every: Int?
  /// Updates' worth of samples, each time; `nil`: all of them.
  public var batches: Int?
  /// Whether it is taken whenever something is saved, too.
  public var whenSaving = false

  public init() {}
}

/// What is kept of a run, where, and where one goes on.
public struct SavingSettings: Hashable, Sendable {
  public enum HuggingFace: Hashable, Sendable {
    case never
    case atEnd
    case always
  }

  /// The run folder; `nil` keeps nothing.
  public var folder: String?
  /// Steps between two checkpoints; `nil`: only at the end.
  public var every: Int?
  public var atEpochs = false
  public var atEnd = true
  /// The newest checkpoints that are kept, besides the best one; `nil` keeps all.
  public var keeps: Int?
  public var keepsOptimiser = true
  public var keepsRandomness = true
  /// When a Hugging Face folder (of a run that trains adapters, a PEFT folder) is written beside a checkpoint.
  public var huggingFace = HuggingFace.never
  /// Where to go on: a run folder or a checkpoint in one.
  ///
  /// `nil` starts anew, or goes on with what `folder` holds where `goesOn` says so.
  public var load: String?
  /// Whether a run goes on with the newest checkpoint of its own folder.
  public var goesOn = true
  public var loadsOptimiser = true
  public var loadsRandomness = true
  /// Whether only the weights of `load` are taken, and counting starts at 0 (`checkpoint.finetune`).
  public var startsCounting = false

  public init() {}
}

/// Who is told how a run goes.
public struct WatchingSettings: Hashable, Sendable {
  public struct WeightsAndBiases: Hashable, Sendable {
    public var project: String
    public var name: String?
    public var entity: String?
    public var group: String?
    public var tags: [String] = []
    /// The folder in which `wandb/` is made; `nil`: the run folder.
    public var folder: String?

    public init(project: String) { self.project = project }
  }

  public struct MLflow: Hashable, Sendable {
    public var experiment: String
    public var name: String?
    /// A folder, or file:// and a folder; `nil`: `mlruns` in the run folder.
    public var place: String?
    public var tags: [String: String] = [:]

    public init(experiment: String) { self.experiment = experiment }
  }

  /// Steps between two lines for people.
  public var every = 1
  /// The folder of training.jsonl, validation.jsonl and the report; `nil`: the run folder.
  public var folder: String?
  /// Under which names numbers are told to TensorBoard, Weights & Biases and MLflow.
  public var names = MetricNames.megatron(.standard)
  public var tensorBoard: String?
  public var tensorBoardEvery = 1
  public var weightsAndBiases: WeightsAndBiases?
  public var mlflow: MLflow?
  /// Whether report.html and the pictures of the losses are made at the end.
  public var makesReport = true

  public init() {}
}
