import Blueprint
import Checkpoints
import Engine
import Foundation
import Kernels
import Support
import Testing
import Weights

/// A tiny model of an architecture, with made-up numbers, or with its own where the reference set is.
struct ModelCase: CustomTestStringConvertible, Sendable {
  var name: String
  var testDescription: String { name }
  var folder: URL { Support.model("hf/" + name) }

  static let all = Support.names(in: "hf").map(ModelCase.init)

  func blueprint() throws -> Blueprint {
    var blueprint = try HuggingFaceModel(folder: folder.path).blueprint
    // Nothing is computed with predictors.
    blueprint.predictors = []
    return blueprint
  }

  /// The model with made-up numbers, the same in every type as far as that holds them.
  func model(_ numbers: Numbers) throws -> Model {
    try Model(blueprint(), numbers) { placed, rows, columns, numbers in
      let matrix = Matrix(rows, columns, numbers)
      let (mean, deviation) = Self.spread(placed.slot, columns)
      let sample = Sample(
        name: placed.slot.parts.first?.name ?? "", rows: rows, columns: columns, mean: mean,
        deviation: deviation)
      matrix.set(sample.values(seed: 3))
      return matrix
    }
  }

  /// The model with its own numbers.
  func stored(_ numbers: Numbers) throws -> Model {
    try Model(ModelWeights(HuggingFaceModel(folder: folder.path)), numbers)
  }

  /// The mean and the standard deviation of a slot's numbers: about those of trained models, so that no
  /// part of a model is without effect.
  private static func spread(_ slot: Slot, _ columns: Int) -> (mean: Double, deviation: Double) {
    switch slot.role {
    case .wordEmbeddings, .positionEmbeddings, .layerInput(.table): (0, 0.7)
    case .norm(_, .weight), .finalNorm(.weight), .queryNorm(.weight), .keyNorm(.weight),
      .queryLatentNorm, .keyValueLatentNorm, .layerInput(.norm), .indexer(.keyNormWeight),
      .mixer(_, .norm), .routerScale:
      (1 + slot.shift, 0.2)
    case .activation(.beta): (0.5, 0)
    case .activation(.epsilon): (-1e-6, 0)
    case .layerScalar, .mixer(_, .skip): (0.8, 0.2)
    case .mixer(_, .stepBias): (-1, 0.5)
    case .mixer(_, .convolution(.weight)): (0, 0.5)
    case .routerCorrection: (0, 0.1)
    default: slot.isMatrix ? (0, 1 / Double(columns).squareRoot()) : (0, 0.3)
    }
  }

  /// Sequences of made-up tokens, and labels of which a few are masked.
  func batch(_ lengths: [Int]) throws -> Batch {
    let blueprint = try blueprint()
    let silenced = Set(blueprint.silencedTokens)
    let choices = (0..<blueprint.frame.vocabulary).filter { !silenced.contains($0) }
    var random = Normal(seed: 4)
    func token() -> Int32 { Int32(choices[Int(random.uniform() * Double(choices.count))]) }
    let sequences = lengths.map { length in (0..<length).map { _ in token() } }
    var batch = Batch(sequences)
    batch.labels = batch.tokens.indices.map { $0 % 5 == 3 ? -100 : token() }
    return batch
  }
}

/// What comes of one way through a model and back.
struct PassResult {
  var loss: Double
  var logits: Matrix
  /// In the order of the parameters; `nil` where there is none.
  var gradients: [Matrix?]

  /// - Parameter divisor: of the loss; the batch's own labels where it is `nil`.
  init(_ model: Model, _ batch: Batch, divisor: Int? = nil) throws {
    for parameter in model.parameters { parameter.clearGradient() }
    let tape = Tape(model.numbers, isRecording: true)
    let pass = Pass(model, tape, batch)
    let last = try model.hidden(pass)[0]
    logits = try model.logits(last, pass)
    loss = try model.loss(last, pass, divisor: divisor)
    tape.runBackward()
    gradients = model.parameters.map(\.gradient)
  }

  /// The loss alone.
  static func loss(_ model: Model, _ batch: Batch) throws -> Double {
    let pass = Pass(model, Tape(model.numbers, isRecording: false), batch)
    return try model.loss(try model.hidden(pass)[0], pass)
  }
}

extension Matrix {
  /// The largest of the numbers that are finite.
  var most: Double { extremes.most }

  /// The largest difference of two numbers, relative to the largest of the other's.
  func distance(to other: Matrix) -> Double {
    precondition(rows == other.rows && columns == other.columns && numbers == other.numbers)
    if isSame(as: other) { return 0 }
    let difference = copied()
    Sums.add(-1, other, to: difference)
    let (worst, isFinite) = difference.extremes
    return isFinite ? worst / other.most : .infinity
  }

  /// Whether all bits are the same.
  func isSame(as other: Matrix?) -> Bool {
    guard let other, rows == other.rows, columns == other.columns, numbers == other.numbers else {
      return false
    }
    let length = columns * numbers.byteWidth
    return (0..<rows).allSatisfy { memcmp(address($0), other.address($0), length) == 0 }
  }

  /// The largest of the numbers that are finite, and whether all are.
  private var extremes: (most: Double, isFinite: Bool) {
    var most = 0.0
    var isFinite = true
    for value in copied(as: .float64).values {
      if value.isFinite { most = max(most, abs(value)) } else { isFinite = false }
    }
    return (most, isFinite)
  }
}
