import Console
import Engine
import Glibc
import JSON
import Training
import Weights

/// What an evaluation came to.
struct EvaluationReport {
  let adapted: AdaptedWeights
  let source: EvaluationData
  let model: Model
  var loss: Evaluating.Loss?
  var answers: Evaluating.Answers?
  /// Where the answers were written.
  var predictions: String?

  private var notes: [String] {
    var notes = adapted.notes + source.notes
    if let count = answers?.tooLong, count > 0 {
      notes.append(
        "\(Format.count(count, "question")) and answers have more tokens than the model has positions; they count "
          + "as not answered")
    }
    return notes
  }

  func print() {
    let architecture = adapted.weights.model.architecture
    Report.print("Evaluated \(architecture): \(Format.count(source.dataset.count, "sample")).")
    var rows = [("model", adapted.place), ("data", source.dataset.origin)]
    if let style = source.style { rows.append(("style", style.rawValue)) }
    if let loss {
      let figures = loss.figures
      rows += [
        ("loss", "\(Format.fixed(figures.loss, 6)) a token, of \(Format.count(figures.labels))"),
        (
          "", "\(Format.fixed(figures.sampleLoss, 6)) a sample, of \(Format.count(figures.samples))"
        ),
        ("perplexity", Format.fixed(figures.perplexity, 4)),
        (
          "speed",
          "\(Format.count(figures.tokens, "token")) in \(Format.duration(loss.seconds)), "
            + "\(Format.count(Self.speed(figures.tokens, loss.seconds))) tokens/s"
        ),
      ]
    }
    if let answers {
      rows += [
        ("exact match", Format.fixed(answers.scores.exactMatch, 2)),
        ("F1", Format.fixed(answers.scores.f1, 2)),
        (
          "answers",
          "\(Format.count(answers.scores.count)) in \(Format.duration(answers.seconds)), "
            + "\(Format.count(answers.tokens, "token")); \(Format.count(answers.reused)) of prompts not read anew"
        ),
      ]
    }
    if let predictions { rows.append(("predictions", predictions)) }
    Report.print(Report.facts(rows))
    for note in Report.notes(notes) { Report.print(note) }
  }

  private static func speed(_ count: Int, _ seconds: Double) -> Int {
    seconds > 0 ? Int(Double(count) / seconds) : 0
  }

  var object: JSONObject {
    var object = JSONObject([
      "status": .string("done"), "command": .string("evaluate"),
      "architecture": .string(adapted.weights.model.architecture),
      "model": .string(adapted.place), "dtype": .string(model.numbers.rawValue),
      "data": .string(source.dataset.origin),
      "style": source.style.map { .string($0.rawValue) } ?? .null,
      "samples": .integer(source.dataset.count),
    ])
    if let loss {
      let figures = loss.figures
      object["loss"] = Self.number(figures.loss)
      object["sampleLoss"] = Self.number(figures.sampleLoss)
      object["perplexity"] = Self.number(figures.perplexity)
      object["labels"] = .integer(figures.labels)
      object["tokens"] = .integer(figures.tokens)
      object["labelledSamples"] = .integer(figures.samples)
      object["seconds"] = .number(Self.rounded(loss.seconds))
      object["tokensPerSecond"] = .integer(Self.speed(figures.tokens, loss.seconds))
    }
    if let answers {
      object["exactMatch"] = .number(answers.scores.exactMatch)
      object["f1"] = .number(answers.scores.f1)
      object["questions"] = .integer(answers.scores.count)
      object["answerTokens"] = .integer(answers.tokens)
      object["promptTokensReused"] = .integer(answers.reused)
      object["answerSeconds"] = .number(Self.rounded(answers.seconds))
    }
    if let predictions { object["predictions"] = .string(predictions) }
    object["notes"] = notes.json
    return object
  }

  /// JSON has no infinity.
  private static func number(_ value: Double) -> JSON {
    value.isFinite ? .number(value) : .string("\(value)")
  }

  private static func rounded(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }
}
