import ArgumentParser
import Checkpoints
import Console
import Engine
import Glibc
import JSON
import Kernels
import Weights

/// `train measure-generation`: how fast a prompt is read and tokens follow, as one JSON line.
///
/// Not listed in the help: `scripts/bench generate` runs it.
struct MeasureGenerationCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "measure-generation",
    abstract: "Measures reading a prompt and generating one stream; prints one JSON line.",
    discussion: """
      A token that follows is held against reading all weights that it is multiplied by once, at the rate \
      at which this machine reads memory; a prompt against the best of products of 2048 x 2048 matrices. \
      Both are measured in the same run.
      """,
    shouldDisplay: false)

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Computing") var compute: ComputeOptions

  @Option(help: ArgumentHelp("Tokens of the prompt.", valueName: "n"))
  var prompt = 512

  @Option(help: ArgumentHelp("Tokens that follow.", valueName: "n"))
  var new = 32

  @Option(help: "The type of matrices and activations.")
  var dtype: ComputeType = .bfloat16

  var wantsJSON: Bool { true }

  func validate() throws {
    guard prompt > 0, new > 1 else {
      throw ValidationError("--prompt must be 1 or more, --new 2 or more.")
    }
  }

  func run() throws {
    compute.apply()
    let weights = try model.weights()
    try RunningModel().stopping { running in
      let model = try running.load(weights, dtype.numbers, isTrained: false, showsProgress: false)
      let vocabulary = weights.blueprint.frame.vocabulary
      let tokens = (0..<prompt).map { Int32($0 * 7919 % vocabulary) }
      // The first prompt also pays for memory that is touched for the first time.
      var reading: [Double] = []
      var following: [Double] = []
      for _ in 0..<3 {
        var generator = try Generator(model, tokens, chunk: prompt)
        try running.check()
        reading.append(try MachinePeak.seconds { _ = try generator.next() })
        following = try (0..<new).map { _ in
          try running.check()
          return try MachinePeak.seconds { _ = try generator.next() }
        }
      }
      report(weights, reading.min() ?? .infinity, following.sorted()[new / 2])
    }
  }

  private func report(_ weights: ModelWeights, _ reading: Double, _ following: Double) {
    let blueprint = weights.blueprint
    let peak = MachinePeak.products(dtype.numbers)
    let bandwidth = MachinePeak.reading()
    // An embedding that is no output layer is looked up, one row for each token.
    let lookedUp = blueprint.frame.isTied ? 0 : blueprint.frame.vocabulary * blueprint.frame.width
    let bytes = blueprint.parameterBytes(dtype.numbers) - lookedUp * dtype.numbers.byteWidth
    let operations = blueprint.operations(sequences: 1, length: prompt, .reading)
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func rounded(_ value: Double, _ digits: Double) -> JSON {
      .number((value * digits).rounded() / digits)
    }
    let line = JSONObject([
      "mode": .string(dtype.rawValue), "threads": .integer(Team.size),
      "prompt": .integer(prompt), "prompt_tokens_per_s": rounded(Double(prompt) / reading, 10),
      "prompt_share": rounded(operations / reading / peak, 1000),
      "matrix_gflops": rounded(peak / 1e9, 1),
      "tokens_per_s": rounded(1 / following, 100),
      "read_gb_per_s": rounded(Double(bytes) / following / 1e9, 100),
      "memory_gb_per_s": rounded(bandwidth / 1e9, 100),
      "read_share": rounded(Double(bytes) / following / bandwidth, 1000),
      "weights_gb": rounded(Double(bytes) / 1e9, 1000),
      "peak_gb": rounded(Double(usage.ru_maxrss) / 1e6, 1000),
    ])
    Report.print(JSON.object(line).serialized())
  }
}
