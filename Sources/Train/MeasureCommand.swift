import ArgumentParser
import Blueprint
import Console
import Engine
import Glibc
import JSON
import Kernels
import Tensors
import Weights

/// `train measure`: the time and memory of training steps on random tokens, as one JSON line.
///
/// Not listed in the help: `scripts/bench train` runs it beside other programs.
struct MeasureCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "measure",
    abstract: "Measures training steps on random tokens; prints one JSON line.",
    discussion: """
      Updates all weights, or with --lora the factors of adapters on all linear layers. The share of \
      the matrix peak counts 6 operations for each parameter that is multiplied by and each token (with \
      --lora 4) and those of causal attention, against the best of products of 2048 x 2048 matrices in \
      the same type, in the same run.
      """,
    shouldDisplay: false)

  struct Work: ParsableArguments {
    @Option(help: ArgumentHelp("The rank of adapters. (default: none)", valueName: "r"))
    var lora = 0

    @Flag(help: "With --lora: learn the lengths of rows too (DoRA).")
    var dora = false

    @Option(help: ArgumentHelp("Sequences in a batch.", valueName: "n"))
    var batch = 2

    @Option(help: ArgumentHelp("Tokens of each sequence.", valueName: "n"))
    var seq = 512

    @Option(name: .customLong("micro-batches"), help: "Batches whose gradients add up to one step.")
    var microBatches = 1

    @Option(help: ArgumentHelp("Steps; the first does not count.", valueName: "n"))
    var steps = 6

    @Flag(help: "Compute each block again on the way back.")
    var recompute = false

    @Option(
      help: ArgumentHelp(
        "Draw where the time of one more step goes, and print a table of it.", valueName: "file.svg"
      ))
    var profile: String?

    @Flag(help: "Keep weights and their running means in bfloat16 alone.")
    var half = false

    @Option(help: "The type of matrices and activations.")
    var dtype: ComputeType = .bfloat16

    func validate() throws {
      guard lora >= 0, batch > 0, seq > 1, microBatches > 0, steps > 1 else {
        throw ValidationError("--batch must be 1 or more, --seq and --steps 2 or more.")
      }
    }
  }

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Work") var work: Work
  @OptionGroup(title: "Computing") var compute: ComputeOptions

  var wantsJSON: Bool { true }

  func run() throws {
    compute.apply()
    let weights = try model.weights()
    try RunningModel().stopping { running in
      let model = try running.load(
        weights, work.dtype.numbers, isTrained: work.lora == 0, showsProgress: false)
      model.recomputes = work.recompute
      if work.lora > 0 {
        try model.attach(
          model.adapterPlaces().map {
            PlannedPair($0, rank: work.lora, scale: 2, hasMagnitude: work.dora)
          })
      }
      var settings = AdamW.Settings()
      settings.precision = work.half ? .half : .full
      let trainer = Trainer(
        model, Schedule(.constant, rate: 1e-4, length: work.steps), settings)
      let batches = batches(model.blueprint.frame.vocabulary)
      let peak = MachinePeak.products(work.dtype.numbers)
      var seconds: [Double] = []
      var reports: [Trainer.Report] = []
      for _ in 0..<work.steps {
        try running.check()
        seconds.append(try MachinePeak.seconds { reports.append(try trainer.step(batches)) })
      }
      // Taken twice, because others may be at work on the machine for a while.
      report(
        model, trainer, seconds, reports, max(peak, MachinePeak.products(work.dtype.numbers)))
      if let path = work.profile { try draw(trainer, batches, to: path) }
    }
  }

  /// One more step, watched.
  private func draw(_ trainer: Trainer, _ batches: [Batch], to path: String) throws {
    let profile = Profile()
    trainer.observer = profile
    profile.begin()
    _ = try trainer.step(batches)
    profile.end()
    let title =
      "One training step, \(work.batch) x \(work.seq) tokens, \(work.dtype.rawValue)"
      + (work.lora > 0 ? ", adapters of rank \(work.lora)" : "")
    let file = try OutputFile(creating: path)
    try file.write(Array(ProfilePicture(profile: profile, title: title).svg.utf8), at: 0)
    Report.error(profile.table, label: "")
  }

  /// The same random tokens for all steps, each to be predicted from those before it.
  private func batches(_ vocabulary: Int) -> [Batch] {
    let count = work.microBatches * work.batch * work.seq
    let random = Matrix(1, count, .float64)
    RandomStream(seed: 0, "tokens").fill(random, .uniform(from: 0, to: Double(vocabulary)))
    let tokens = random.values.map { Int32(min(Double(vocabulary - 1), $0)) }
    return (0..<work.microBatches).map { index in
      let sequences = (0..<work.batch).map { row in
        Array(
          tokens[(index * work.batch + row) * work.seq..<(index * work.batch + row + 1) * work.seq])
      }
      return Batch(sequences, aligned: sequences)
    }
  }

  private func report(
    _ model: Model, _ trainer: Trainer, _ seconds: [Double], _ reports: [Trainer.Report],
    _ peak: Double
  ) {
    let counted = seconds.dropFirst().sorted()
    let middle = (counted[counted.count / 2] + counted[(counted.count - 1) / 2]) / 2
    let tokens = Double(reports[0].tokens)
    let operations = model.blueprint.operations(
      sequences: work.microBatches * work.batch, length: work.seq,
      work.lora == 0 ? .learning : .adapting)
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func rounded(_ value: Double, _ digits: Double) -> JSON {
      .number((value * digits).rounded() / digits)
    }
    let line = JSONObject([
      "mode": .string(work.dtype.rawValue), "lora": .integer(work.lora),
      "recompute": .bool(work.recompute), "threads": .integer(Team.size),
      "tokens_per_s": rounded(tokens / middle, 100), "step_s": rounded(middle, 1000),
      "peak_gb": rounded(Double(usage.ru_maxrss) / 1e6, 1000),
      "engine_gb": rounded(Double(reports.map(\.peakBytes).max() ?? 0) / 1e9, 1000),
      "matrix_gflops": rounded(peak / 1e9, 1),
      "share": rounded(operations / middle / peak, 1000),
      "learned": .integer(trainer.optimiser.states.reduce(0) { $0 + $1.target.value.count }),
      "losses": .array(reports.map { rounded($0.loss, 10000) }),
    ])
    Report.print(JSON.object(line).serialized())
  }
}
