import ArgumentParser
import Blueprint
import Checkpoints
import Console
import Engine
import HDF5
import JSON
import Kernels
import Tensors
import Weights

/// `train capture`: what a model computes for a batch, layer by layer, as an HDF5 file.
struct CaptureCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "capture",
    abstract: "Writes everything a model computes for a batch into an HDF5 file.",
    discussion: """
      The inputs are a safetensors file with `input_ids` [sequences, positions] and, if wanted, \
      `labels` (-100: not predicted) and `attention_mask` (padding on the right) of the same shape.

      The output holds `hidden/0` (what enters the first block) to `hidden/N` (what leaves the last, \
      before the final norm), `logits`, with labels `loss`, with --gradients `gradients/NAME` under \
      Hugging Face's names, and with --greedy `greedy`. Padded positions are zeros.

      EXAMPLES
        train capture --model ./llama --inputs batch.safetensors --output out.h5
        train capture --model ./run --inputs batch.safetensors \\
          --output out.h5 --gradients
        convert compare out.h5 other.h5 --tolerance 1e-4
      """)

  struct Files: ParsableArguments {
    @Option(help: ArgumentHelp("The batch, a safetensors file.", valueName: "file"))
    var inputs: String

    @Option(
      help: ArgumentHelp(
        "The HDF5 file to write; one that is there is replaced when the new one is complete.",
        valueName: "file"))
    var output: String
  }

  struct Wishes: ParsableArguments {
    @Option(help: "The type of matrices and activations; sums are float32.")
    var dtype: ComputeType = .float32

    @Flag(help: "Write the gradient of every learned tensor as well.")
    var gradients = false

    @Option(
      help: ArgumentHelp(
        "Continue the first sequence by so many of the most likely tokens.", valueName: "n"))
    var greedy = 0

    func validate() throws {
      guard greedy >= 0 else { throw ValidationError("--greedy must not be negative.") }
    }
  }

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Model") var adapter: AdapterOptions
  @OptionGroup(title: "Files") var files: Files
  @OptionGroup(title: "What is computed") var wishes: Wishes
  @OptionGroup(title: "Computing") var compute: ComputeOptions
  @OptionGroup(title: "Running") var running: RunningOptions

  var wantsJSON: Bool { running.json }

  func run() throws {
    compute.apply()
    let inputs = try CaptureInputs(files.inputs)
    let adapted = try model.weights(adapter)
    let weights = adapted.weights
    if wishes.gradients, let adapter = adapted.source {
      throw InputError.frozen(adapter: adapter)
    }
    let batch = try inputs.batch(for: weights.blueprint, gradients: wishes.gradients)
    let plan = CapturePlan(weights: weights, inputs: inputs, wishes: wishes)
    if running.isDryRun {
      plan.report(json: running.json)
      return
    }
    try RunningModel().stopping { running in
      let model = try running.load(
        adapted, wishes.dtype.numbers, isTrained: wishes.gradients,
        showsProgress: self.running.showsProgress)
      let capture = Capture(
        model: model, duplicates: weights.duplicates, inputs: inputs, batch: batch,
        wantsGradients: wishes.gradients, greedy: wishes.greedy)
      let writer = try HDF5Writer(files.output)
      Interrupt.shared.onAbort(writer.removal)
      let outcome = try capture.run(into: writer, check: running.check)
      try writer.finish()
      let notes = adapted.notes + weights.blueprint.notes(positions: batch.longest)
      report(outcome, adapted, notes)
    }
  }

  private func report(
    _ outcome: Capture.Outcome, _ adapted: AdaptedWeights, _ notes: [String]
  ) {
    let architecture = adapted.weights.model.architecture
    let output = Folder.absolute(files.output)
    let next = ["convert", "compare", output, "OTHER.h5"]
    if running.json {
      var object = JSONObject([
        "status": .string("done"), "command": .string("capture"),
        "architecture": .string(architecture), "model": .string(adapted.place),
        "output": .string(output), "datasets": .integer(outcome.datasets),
        "loss": outcome.loss.map { $0.isFinite ? .number($0) : .string("\($0)") } ?? .null,
      ])
      if wishes.greedy > 0 {
        object["greedy"] = .array(outcome.continuation.map { .integer(Int($0)) })
      }
      object["notes"] = notes.json
      object["next"] = [Format.command(next)].json
      Report.print(object)
      return
    }
    Report.print(
      "Captured \(architecture): \(Format.count(outcome.datasets, "dataset")).")
    var rows = [("from", adapted.place), ("to", output)]
    if let loss = outcome.loss { rows.append(("loss", "\(Float(loss))")) }
    if !outcome.continuation.isEmpty {
      rows.append(("greedy", outcome.continuation.map(String.init).joined(separator: " ")))
    }
    Report.print(Report.facts(rows))
    for note in Report.notes(notes) { Report.print(note) }
    Report.print(Report.next([next]))
  }
}

/// What a capture would read, hold and write.
struct CapturePlan {
  let weights: ModelWeights
  let inputs: CaptureInputs
  let wishes: CaptureCommand.Wishes

  private var slots: [Slot] { weights.blueprint.learnedSlots }

  private var parameterBytes: Int { weights.blueprint.parameterBytes(wishes.dtype.numbers) }

  /// The bytes of the file to write.
  var outputBytes: Int {
    let frame = weights.blueprint.frame
    let tokens = inputs.rows * inputs.columns
    let states = (frame.depth + 1) * frame.width + frame.vocabulary
    let gradients = wishes.gradients ? slots.reduce(0) { $0 + $1.parameters } : 0
    return 4 * (tokens * states + gradients) + 8 * wishes.greedy
  }

  func report(json: Bool) {
    let gradientBytes = wishes.gradients ? parameterBytes : 0
    let memory = parameterBytes + gradientBytes
    if json {
      Report.print(
        JSONObject([
          "status": .string("planned"), "command": .string("capture"),
          "architecture": .string(weights.model.architecture), "model": .string(weights.place),
          "tensors": .integer(slots.count), "parameterBytes": .integer(parameterBytes),
          "gradientBytes": .integer(gradientBytes), "diskNeeded": .integer(outputBytes),
          "sequences": .integer(inputs.rows), "positions": .integer(inputs.columns),
        ]))
      return
    }
    Report.print("Plan of the capture; nothing was written.")
    Report.print(
      Report.facts([
        ("model", "\(weights.model.architecture) in \(weights.place)"),
        ("tensors", Format.count(slots.count)),
        ("batch", "\(Format.count(inputs.rows, "sequence")) of \(inputs.columns) positions"),
        ("memory", "\(Format.bytes(memory)) for weights and gradients, activations besides"),
        ("to write", Format.bytes(outputBytes)),
      ]))
  }
}
