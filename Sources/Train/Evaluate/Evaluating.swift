import Checkpoints
import Console
import Data
import Engine
import JSON
import Tensors
import Training

/// An evaluation at work.
struct Evaluating {
  let model: Model
  let source: EvaluationData
  let wishes: EvaluateCommand.Wishes
  let running: RunningModel
  let ends: Set<Int32>
  let showsProgress: Bool

  struct Loss {
    var figures: LossFigures
    var seconds: Double
  }

  struct Answers {
    var scores: AnswerScores
    /// By the questions' ids, in their order.
    var predictions: JSONObject
    /// Questions that the model has no positions for; they count as not answered.
    var tooLong = 0
    var tokens: Int
    var reused: Int
    var seconds: Double
  }

  /// Takes the loss of all samples.
  func loss() throws -> Loss {
    var loader = try SampleLoader(source.dataset, size: .tokens(wishes.batch))
    var figures = LossFigures()
    var lines: [UInt8] = []
    let (_, seconds) = try showing("loss") { progress in
      var next = 0
      // The loader would begin again.
      while next < source.dataset.count, let samples = try loader.next() {
        try running.check()
        let fitting = samples.filter { $0.count > 1 }
        let batch = Batch(fitting)
        let losses = fitting.isEmpty ? [] : try figures.add(batch, by: model)
        if wishes.sampleLosses != nil { add(samples, losses, from: next, to: &lines) }
        next += samples.count
        progress.add(samples.count)
      }
    }
    if let path = wishes.sampleLosses { try write(lines, to: path) }
    guard figures.labels > 0 else { throw EngineError.nothingToLearn }
    return Loss(figures: figures, seconds: seconds)
  }

  /// Appends a line for each sample; one of fewer than two tokens has no loss.
  private func add(
    _ samples: [Sample], _ losses: [LossFigures.SampleLoss], from first: Int,
    to lines: inout [UInt8]
  ) {
    var rest = losses[...]
    for (index, sample) in samples.enumerated() {
      let loss = sample.count > 1 ? rest.popFirst() : nil
      let object: JSONObject = [
        "index": .integer(first + index),
        "loss": loss.map { $0.labels > 0 ? .number($0.loss) : .null } ?? .null,
        "labels": .integer(loss?.labels ?? 0), "tokens": .integer(sample.count),
      ]
      lines += JSON.object(object).serializedBytes() + [0x0A]
    }
  }

  /// Answers all questions.
  func answers() throws -> Answers {
    guard let tokenizer = source.tokenizer else {
      throw DataError.wish("Questions need a tokenizer.")
    }
    var ends = ends
    if let end = tokenizer.end { ends.insert(end) }
    var answering = QuestionAnswering(
      model, tokenizer.tokenizer, ends: ends, limit: wishes.count)
    var answers = Answers(
      scores: AnswerScores(), predictions: JSONObject(), tokens: 0, reused: 0, seconds: 0)
    let blueprint = model.blueprint
    (_, answers.seconds) = try showing("answers") { progress in
      for index in 0..<source.dataset.count {
        guard let question = try source.dataset.question(index) else { continue }
        var text = ""
        if blueprint.room(behind: question.prompt.tokens.count) < wishes.count {
          answers.tooLong += 1
        } else {
          text = try answering.answer(question.prompt, check: running.check)
        }
        answers.scores.add(text, answers: question.answers)
        answers.predictions[question.id ?? "\(index)"] = .string(text)
        progress.add(1)
        try running.check()
      }
    }
    answers.tokens = answering.answered
    answers.reused = answering.reused
    if let path = wishes.predictions {
      try write(JSON.object(answers.predictions).serializedBytes(.python) + [0x0A], to: path)
    }
    return answers
  }

  private func showing<Result>(
    _ label: String, _ body: (TransferProgress) throws -> Result
  ) throws -> (result: Result, seconds: Double) {
    let progress = TransferProgress()
    let display = ProgressDisplay(
      label, total: source.dataset.count, progress,
      style: ProgressDisplay.style(isHidden: !showsProgress), unit: "sample")
    return try display.during { try body(progress) }
  }

  private func write(_ bytes: [UInt8], to path: String) throws(FileError) {
    try OutputFile.replace(path) { file throws(FileError) in try file.write(bytes, at: 0) }
  }
}
