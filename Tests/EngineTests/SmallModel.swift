import Blueprint
import Kernels
import Tensors
import Testing

@testable import Engine

/// A model of one or two blocks with made-up numbers: its gradients held against central differences in
/// float64, and generation with a cache against one without.
struct SmallModel {
  var blueprint: Blueprint

  static let width = 8
  static let vocabulary = 11

  /// Blocks of one layer each, as residuals without norms.
  ///
  /// - Parameter layers: one for each block.
  init(_ layers: [any Layer], _ change: (inout Blueprint) -> Void = { _ in }) {
    let frame = Frame(
      vocabulary: Self.vocabulary, width: Self.width, depth: layers.count, isTied: false,
      positions: nil)
    blueprint = Blueprint(frame, final: Norm(Self.width, eps: 1e-3, "norm")) { index in
      Residual(nil, layers[index])
    }
    change(&blueprint)
  }

  /// Attention of four heads of four numbers in two groups.
  static func attending(
    blocks: Int = 1, _ change: (inout Attention) -> Void
  ) -> SmallModel {
    var attention = Attention(
      width, heads: 4, groups: 2, headSize: 4, rotary: Rotary(theta: 100, dimensions: 4))
    change(&attention)
    return SmallModel([Attention](repeating: attention, count: blocks))
  }

  /// The model, the same in every run.
  func model(_ numbers: Numbers) throws -> Model {
    var index = 0
    return try Model(blueprint, numbers) { slot, rows, columns, numbers in
      index += 1
      let isNorm = rows == 1
      let sample = Sample.matrix(
        "\(index)", rows, columns, mean: isNorm ? 1 : 0, deviation: isNorm ? 0.25 : 0.5)
      let matrix = Matrix(rows, columns, numbers)
      matrix.set(sample.values(seed: 3))
      // Rows that no part has hold zeros, and copies hold what the original does.
      guard case .rows(let segments) = slot.slot.layout else { return matrix }
      var first = 0
      for (index, segment) in segments.enumerated() {
        let place = matrix.reshaped(slot.slot.rows, slot.slot.rowWidth)
          .rows(first..<first + segment.count)
        first += segment.count
        if segment.use == .zeros { place.clear() }
        guard segment.use == .copy else { continue }
        let before = segments[..<index].reduce(0) { $0 + $1.count } - segment.count
        place.copy(
          matrix.reshaped(slot.slot.rows, slot.slot.rowWidth)
            .rows(before..<before + segment.count))
      }
      return matrix
    }
  }

  /// Two sequences with labels, one left out.
  static let batch: Batch = {
    var batch = Batch([[1, 5, 2, 9, 4, 7], [3, 10, 8, 1]])
    batch.labels = [5, 2, 9, -1, 7, 0, 10, 8, 1, 6]
    return batch
  }()

  /// Holds every gradient of the loss against central differences.
  ///
  /// - Parameter resting: the names of parameters that nothing depends on.
  func checkGradients(
    recomputing: Bool = false, resting: [String] = [],
    sourceLocation place: SourceLocation = #_sourceLocation
  ) throws {
    let model = try model(.float64)
    model.recomputes = recomputing
    func loss(_ isRecording: Bool) throws -> Double {
      let tape = Tape(.float64, isRecording: isRecording)
      let pass = Pass(model, tape, Self.batch)
      let last = try #require(try model.hidden(pass).last)
      let loss = try model.loss(last, pass)
      if isRecording { tape.runBackward() }
      return loss
    }
    _ = try loss(true)
    // Constants have a say, but no gradient.
    for parameter in model.parameters where !parameter.slot.slot.isConstant {
      parameter.settleGradient()
      let gradient = parameter.gradientSum()
      let (value, most) = (parameter.value, gradient.values.map(abs).max() ?? 0)
      #expect(
        (most > 1e-9) != resting.contains(parameter.name), "\(parameter.name)",
        sourceLocation: place)
      // A few numbers of each: the same formulas make all of them.
      for index in stride(from: 0, to: value.count, by: max(1, value.count / 12)) {
        let (row, column) = (index / value.columns, index % value.columns)
        let twins = twins(of: row, in: parameter)
        let middle = value[row, column]
        func around(_ distance: Double) throws -> Double {
          for row in twins { value[row, column] = middle + distance }
          return try loss(false)
        }
        let step = 0x1p-14
        let near = try around(step) - around(-step)
        let slope = try (8 * near - (around(2 * step) - around(-2 * step))) / (12 * step)
        for row in twins { value[row, column] = middle }
        // Rows of zeros are no numbers that are learned.
        let expected = twins.isEmpty ? 0 : slope
        #expect(
          abs(gradient[row, column] - expected) <= 1e-7 * max(most, abs(expected)) + 1e-10,
          "\(parameter.name) [\(row), \(column)]: \(gradient[row, column]), not \(expected)",
          sourceLocation: place)
      }
    }
  }

  /// The packed rows that are the same row of a part; none for rows of zeros.
  private func twins(of row: Int, in parameter: Parameter) -> [Int] {
    guard case .rows(let segments) = parameter.slot.slot.layout, parameter.value.rows > 1 else {
      return [row]
    }
    func origin(_ row: Int) -> [Int]? {
      var first = 0
      for segment in segments {
        if row < first + segment.count {
          if segment.use == .zeros { return nil }
          return [segment.part, segment.first + (row - first) * segment.stride]
        }
        first += segment.count
      }
      return nil
    }
    guard let own = origin(row) else { return [] }
    return (0..<parameter.value.rows).filter { origin($0) == own }
  }

  /// Continues a prompt with a cache, and holds each step's logits against those of all tokens anew.
  ///
  /// - Parameters:
  ///   - chunk: how many tokens of the prompt go through the model at once.
  ///   - bound: of the largest difference.
  ///   - change: what is done to the model before.
  func checkCache(
    prompt: Int = 5, length: Int = 24, chunk: Int = 512, bound: Double = 1e-5,
    sourceLocation place: SourceLocation = #_sourceLocation,
    _ change: (Model) throws -> Void = { _ in }
  ) throws {
    let model = try model(.float64)
    try change(model)
    let tokens = (0..<prompt).map { Int32(($0 * 7 + 3) % Self.vocabulary) }
    var cached = try Generator(model, tokens, chunk: chunk)
    var plain = try Generator(model, tokens, isCached: false)
    while cached.tokens.count < length {
      let (ours, theirs) = (try cached.logits(), try plain.logits())
      let difference = zip(ours, theirs).map { Double(abs($0 - $1)) }.max() ?? .infinity
      #expect(
        difference <= bound, "\(difference) behind \(plain.tokens.count) tokens",
        sourceLocation: place)
      let (one, other) = (try cached.next(), try plain.next())
      #expect(one == other, sourceLocation: place)
    }
  }
}
