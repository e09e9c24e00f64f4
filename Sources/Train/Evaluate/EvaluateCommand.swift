import ArgumentParser
import Checkpoints
import Console
import Data
import Engine
import JSON
import Kernels
import Tensors
import Training
import Weights

/// `train evaluate`: how well a model predicts a data set, and answers its questions.
struct EvaluateCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Takes the loss of a model on data, and marks its answers to questions.",
    discussion: """
      The loss is the mean cross entropy, in nats, of every token that training would learn; perplexity is e \
      to it. Data are rows of any kind that `train preview` shows, by --data or a configuration, or running \
      text as Megatron's .bin and .idx, in windows of --max-length.

      Questions with a context (SQuAD) are answered too, with the likeliest tokens after the prompt that \
      training has, and marked as the official evaluate-v1.1.py does. An answer ends with an end token, and, \
      where no chat template says how to end, with its line.

      EXAMPLES
        train evaluate --model ./llama --data dev-v1.1.json --limit 200 --predictions answers.json
        train evaluate --model ./run --data dev-v1.1.json --style bridge --no-answers
        train evaluate --model ./llama --adapter ./lora-run --data chats.jsonl --json
        train evaluate --model ./llama --data corpus_text_document --max-length 2048
      """)

  struct Wishes: ParsableArguments {
    @Option(
      help: ArgumentHelp("The samples that are taken at most. (default: all)", valueName: "n"))
    var limit: Int?

    @Option(
      name: .customLong("batch-tokens"),
      help: ArgumentHelp("The tokens that go through the model at once.", valueName: "n"))
    var batch = 2048

    @Flag(name: .customLong("no-loss"), help: "Take no loss.")
    var skipsLoss = false

    @Flag(name: .customLong("no-answers"), help: "Answer no questions.")
    var skipsAnswers = false

    @Option(
      name: .customLong("max-new-tokens"),
      help: ArgumentHelp("The most tokens of an answer.", valueName: "n"))
    var count = 32

    @Option(
      help: ArgumentHelp(
        "Write the answers as the official script reads them: a JSON object of ids and texts.",
        valueName: "file"))
    var predictions: String?

    @Option(
      name: .customLong("sample-losses"),
      help: ArgumentHelp("Write each sample's loss, a line of JSON each.", valueName: "file"))
    var sampleLosses: String?

    func validate() throws {
      for (name, value) in [
        ("--limit", limit), ("--batch-tokens", batch), ("--max-new-tokens", count),
      ] {
        try DataOptions.check(name, value)
      }
      if skipsLoss, skipsAnswers {
        throw ValidationError("--no-loss and --no-answers together leave nothing to do.")
      }
      if skipsLoss, sampleLosses != nil {
        throw ValidationError("--sample-losses are losses; leave --no-loss out.")
      }
      if skipsAnswers, predictions != nil {
        throw ValidationError("--predictions are answers; leave --no-answers out.")
      }
    }
  }

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Model") var adapter: AdapterOptions
  @OptionGroup(title: "Data") var data: DataOptions
  @OptionGroup(title: "Samples") var samples: SampleOptions
  @OptionGroup(title: "What is done") var wishes: Wishes
  @OptionGroup(title: "Computing") var compute: ComputeOptions
  @OptionGroup(title: "Running") var running: RunningOptions

  @Option(
    help: ArgumentHelp(
      "The type of matrices and activations. (default: float32 where config.json says so, else bfloat16)",
      valueName: "type"))
  var dtype: ComputeType?

  var wantsJSON: Bool { running.json }

  func validate() throws {
    guard data.configuration != nil || !data.data.isEmpty else {
      throw ValidationError("Give data with --data, or a configuration.")
    }
  }

  func run() throws {
    compute.apply()
    let adapted = try model.weights(adapter)
    let source = try EvaluationData(data, samples, limit: wishes.limit, adapted.weights)
    let asks = source.dataset.isAsked && !wishes.skipsAnswers
    if wishes.predictions != nil, !asks {
      throw ValidationError("--predictions are answers to questions, and the data hold none.")
    }
    if wishes.skipsLoss, !asks {
      throw ValidationError("The data hold no questions, so that --no-loss leaves nothing to do.")
    }
    let numbers = (dtype ?? adapted.weights.computeType).numbers
    if running.isDryRun {
      plan(adapted, source, numbers)
      return
    }
    try RunningModel().stopping { running in
      let model = try running.load(adapted, numbers, showsProgress: self.running.showsProgress)
      let work = Evaluating(
        model: model, source: source, wishes: wishes, running: running,
        ends: Set(adapted.weights.model.endTokens.map { Int32(clamping: $0) }),
        showsProgress: self.running.showsProgress)
      var report = EvaluationReport(adapted: adapted, source: source, model: model)
      if !wishes.skipsLoss { report.loss = try work.loss() }
      if asks { report.answers = try work.answers() }
      report.predictions = wishes.predictions
      if wantsJSON { Report.print(report.object) } else { report.print() }
    }
  }

  private func plan(_ adapted: AdaptedWeights, _ source: EvaluationData, _ numbers: Numbers) {
    let weights = adapted.weights
    let bytes = weights.blueprint.parameterBytes(numbers)
    if wantsJSON {
      Report.print(
        JSONObject([
          "status": .string("planned"), "command": .string("evaluate"),
          "architecture": .string(weights.model.architecture), "model": .string(adapted.place),
          "tensors": .integer(weights.blueprint.learnedSlots.count),
          "parameterBytes": .integer(bytes), "data": .string(source.dataset.origin),
          "samples": .integer(source.dataset.count), "notes": (adapted.notes + source.notes).json,
        ]))
      return
    }
    Report.print("Plan of the evaluation; nothing was computed.")
    Report.print(
      Report.facts([
        ("model", "\(weights.model.architecture) in \(adapted.place)"),
        ("memory", "\(Format.bytes(bytes)) for weights in \(numbers.rawValue)"),
        ("data", source.dataset.origin),
        ("samples", Format.count(source.dataset.count)),
      ]))
  }
}
