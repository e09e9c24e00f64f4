import Checkpoints
import Engine
import HDF5
import Kernels
import Tensors
import Weights

/// One pass of a model over a batch, and everything it computes on the way, into an HDF5 file.
struct Capture {
  let model: Model
  /// Tensors that files hold although they equal another one: their gradients are the same too.
  let duplicates: [String: String]
  let inputs: CaptureInputs
  let batch: Batch
  let wantsGradients: Bool
  /// How many tokens to continue the first sequence by.
  let greedy: Int

  /// What came out, in short.
  struct Outcome {
    var loss: Double?
    var continuation: [Int32] = []
    var datasets = 0
  }

  /// - Parameter check: called between the steps; what it throws ends the work.
  func run(into writer: HDF5Writer, check: () throws -> Void = {}) throws -> Outcome {
    var outcome = Outcome()
    let tape = Tape(model.numbers, isRecording: wantsGradients)
    let pass = Pass(model, tape, batch)
    let states = try model.hidden(pass, keepingAll: true)
    for (index, state) in states.enumerated() {
      try write(state.value.columns, to: "hidden/\(index)", writer) { state.value.rows($0) }
      outcome.datasets += 1
      try check()
    }
    guard let last = states.last else { return outcome }
    let plain = Pass(model, Tape(model.numbers, isRecording: false), batch)
    try write(model.blueprint.frame.vocabulary, to: "logits", writer) { rows in
      try model.logits(Node(last.value.rows(rows), isTracked: false), plain)
    }
    outcome.datasets += 1
    if inputs.labels != nil, batch.trained > 0 {
      let loss = try model.loss(last, wantsGradients ? pass : plain)
      try writer.write(Float(loss), to: "loss")
      outcome.loss = loss
      outcome.datasets += 1
    }
    try check()
    if wantsGradients {
      tape.runBackward()
      outcome.datasets += try writeGradients(writer, check)
    }
    if greedy > 0 {
      outcome.continuation = try continuation(check)
      try writer.write(
        outcome.continuation.map(Int64.init), to: "greedy", shape: [outcome.continuation.count])
      outcome.datasets += 1
    }
    return outcome
  }

  /// Writes what is computed for each token, zeros where there is padding.
  ///
  /// - Parameter values: the values of some tokens of the batch.
  private func write(
    _ width: Int, to name: String, _ writer: HDF5Writer,
    _ values: (Range<Int>) throws -> Matrix
  ) throws {
    let dataset = try writer.dataset(name, shape: [inputs.rows, inputs.columns, width])
    for (index, rows) in batch.sequences.enumerated() {
      for start in stride(from: rows.lowerBound, to: rows.upperBound, by: Self.chunk) {
        let part = start..<min(rows.upperBound, start + Self.chunk)
        try dataset.append(try values(part).floats)
      }
      let padding = inputs.columns - inputs.lengths[index]
      if padding > 0 { try dataset.append([Float](repeating: 0, count: padding * width)) }
    }
  }

  /// The tokens whose logits exist at once.
  private static let chunk = 256

  /// Writes the gradients of all learned tensors, in Hugging Face's names.
  ///
  /// - Returns: how many.
  private func writeGradients(_ writer: HDF5Writer, _ check: () throws -> Void) throws -> Int {
    var count = 0
    for parameter in model.parameters where parameter.isTrained {
      parameter.settleGradient()
      let gradient = parameter.gradientSum()
      for (part, runs) in parameter.parts(gradient) {
        let copies = duplicates.filter { $0.value == part.name }.keys.sorted()
        for name in [part.name] + copies {
          try write(
            runs, gradient.numbers.dtype,
            to: writer.dataset("gradients/\(name)", shape: part.shape.dimensions))
          count += 1
        }
      }
      parameter.clearGradient()
      try check()
    }
    return count
  }

  private func write(
    _ runs: ByteRuns, _ dtype: DType, to dataset: HDF5Writer.Dataset
  ) throws {
    let step = dtype.byteWidth << 20
    for start in stride(from: 0, to: runs.byteCount, by: step) {
      let piece = runs.slice(start..<min(runs.byteCount, start + step))
      try dataset.append(try piece.floats(dtype: dtype))
    }
  }

  /// The most likely continuation of the first sequence, everything computed anew for each token.
  private func continuation(_ check: () throws -> Void) throws -> [Int32] {
    guard let first = batch.sequences.first else { throw EngineError.emptyBatch }
    let prompt = Array(batch.tokens[first])
    var generator = try Generator(model, prompt, isCached: false)
    _ = try generator.run(limit: greedy) { _ in
      try check()
      return true
    }
    return Array(generator.tokens.dropFirst(prompt.count))
  }
}
