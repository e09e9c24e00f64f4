import Foundation
import Kernels
import Testing

@testable import Engine

/// An operation of the tape with made-up inputs: its gradients held against central differences in
/// float64, and its numbers in float32 and bfloat16 held against those of the next better type.
///
/// The operation works twice on the same inputs, with different gradients above it: the second time it
/// adds to gradients that are there already.
///
///     try OperationCheck("linear", [.matrix("x", 5, 7)], [.matrix("weight", 4, 7)]) {
///       tape, x, weights in Outcome(tape.linear(x[0], weights[0]))
///     }.run()
///
/// What changes a node in place must work on a node of its own, as `tape.scaled(x[0], by: 2)` makes one.
struct OperationCheck {
  /// What an operation made.
  struct Outcome {
    var nodes: [Node]
    /// What it adds to the loss by itself.
    var loss: Double

    init(_ nodes: Node..., loss: Double = 0) {
      self.nodes = nodes
      self.loss = loss
    }
  }

  var name: String
  /// Nodes and parameters, in the order in which the body gets them.
  var inputs: [Sample]
  var weights: [Sample]
  var body: (Tape, [Node], [Parameter]) throws -> Outcome

  init(
    _ name: String, _ inputs: [Sample], _ weights: [Sample] = [],
    _ body: @escaping (Tape, [Node], [Parameter]) throws -> Outcome
  ) {
    self.name = name
    self.inputs = inputs
    self.weights = weights
    self.body = body
  }

  /// The bounds, each relative to the largest number of a tensor.
  struct Bounds {
    /// Of a gradient from its central difference.
    var differences = 1e-7
    /// In units of float32's rounding, 2⁻²⁴: sums of n numbers may be off by n of them.
    var float32 = 16.0
    /// In units of bfloat16's rounding, 2⁻⁸ (8 bits of significand): one for each time a result is
    /// stored; a gradient that is added to is stored twice.
    var bfloat16 = 2.0
  }

  /// Checks everything and prints one line.
  func run(_ bounds: Bounds = Bounds(), sourceLocation: SourceLocation = #_sourceLocation) throws {
    let exact = try computed(.float64)
    let again = try computed(.float64)
    #expect(exact == again, "\(name): not the same twice", sourceLocation: sourceLocation)
    try checkAlone(exact, sourceLocation)
    let (count, error) = try differences(exact)
    #expect(
      error <= bounds.differences, "\(name): gradients are not the central differences",
      sourceLocation: sourceLocation)
    let single = try computed(.float32)
    let short = try computed(.bfloat16)
    let float32 = single.distance(to: exact) * 0x1p24
    let bfloat16 = short.distance(to: single) * 0x1p8
    #expect(float32 <= bounds.float32, "\(name) in float32", sourceLocation: sourceLocation)
    #expect(bfloat16 <= bounds.bfloat16, "\(name) in bfloat16", sourceLocation: sourceLocation)
    let shapes = (inputs + weights).map { "\($0.name) \($0.rows)x\($0.columns)" }
    func text(_ value: Double) -> String { String(format: "%.1e", value) }
    print(
      """
      gradient: \(name) | \(shapes.joined(separator: ", ")) | \(count) | \(text(error)) | \
      \(text(float32 * 0x1p-24)) | \(text(bfloat16 * 0x1p-8))
      """)
  }
}

extension OperationCheck {
  /// What comes out of one run.
  struct Result: Equatable {
    var outputs: [[Double]]
    var gradients: [[Double]]

    /// The largest difference of a number, relative to the largest number of its tensor.
    func distance(to other: Result) -> Double {
      zip(outputs + gradients, other.outputs + other.gradients).map { ours, theirs in
        let most = theirs.filter(\.isFinite).reduce(0) { max($0, abs($1)) }
        let difference = zip(ours, theirs).reduce(0.0) { worst, pair in
          if pair.0 == pair.1 { return worst }
          let difference = abs(pair.0 - pair.1)
          return difference.isNaN ? .infinity : max(worst, difference)
        }
        return difference == 0 ? 0 : difference / most
      }.max() ?? 0
    }
  }

  private struct Setting {
    var nodes: [Node]
    var parameters: [Parameter]

    /// The matrices in the order of the samples.
    var values: [Matrix] { nodes.map(\.value) + parameters.map(\.value) }
    var gradients: [Matrix?] { nodes.map(\.gradient) + parameters.map(\.gradient) }
  }

  /// - Parameter wanted: the index of the one input that a gradient is wanted of; `nil` wants all.
  private func setting(_ numbers: Numbers, wanted: Int? = nil) -> Setting {
    let nodes = inputs.enumerated().map { index, sample in
      Node(sample.matrix(numbers, seed: 1), isTracked: wanted == nil || wanted == index)
    }
    let parameters = weights.enumerated().map { index, sample in
      let parameter = sample.parameter(numbers, seed: 1)
      parameter.isTrained = wanted == nil || wanted == inputs.count + index
      return parameter
    }
    return Setting(nodes: nodes, parameters: parameters)
  }

  /// The loss: both outcomes' own and the sum of their numbers, each with its factor; and the outcomes.
  private func loss(_ setting: Setting, _ tape: Tape) throws -> (Double, [[Double]]) {
    var sum = 0.0
    var outputs: [[Double]] = []
    for turn in 0..<2 {
      let outcome = try body(tape, setting.nodes, setting.parameters)
      sum += outcome.loss
      outputs.append([outcome.loss])
      for (index, node) in outcome.nodes.enumerated() {
        let factors = factors(node, turn, index)
        sum += zip(node.value.values, factors).reduce(0) { $0 + $1.0 * $1.1 }
        outputs.append(node.value.values)
        if node.isTracked {
          let gradient = Matrix(node.rows, node.columns, node.numbers)
          gradient.set(factors)
          node.add(gradient)
        }
      }
    }
    return (sum, outputs)
  }

  private func factors(_ node: Node, _ turn: Int, _ index: Int) -> [Double] {
    Sample.matrix("factors \(turn) \(index)", node.rows, node.columns).values(seed: 2)
  }

  /// Runs forward and back in numbers of one type.
  private func computed(_ numbers: Numbers) throws -> Result {
    let setting = setting(numbers)
    let before = setting.values.map(\.values)
    let tape = Tape(numbers, isRecording: true)
    let outputs = try loss(setting, tape).1
    tape.runBackward()
    #expect(setting.values.map(\.values) == before, "\(name) changed its inputs")
    #expect(
      setting.gradients.allSatisfy { $0 != nil }, "\(name) left an input without a gradient")
    return Result(outputs: outputs, gradients: setting.gradients.compactMap { $0?.values })
  }

  /// Each gradient is the same where nobody else wants one, and parameters that are not trained get none.
  private func checkAlone(_ all: Result, _ place: SourceLocation) throws {
    for index in all.gradients.indices {
      let setting = setting(.float64, wanted: index)
      let tape = Tape(.float64, isRecording: true)
      _ = try loss(setting, tape)
      tape.runBackward()
      let what = "\(name): \((inputs + weights)[index].name) alone"
      #expect(
        setting.gradients[index]?.values == all.gradients[index], "\(what)", sourceLocation: place)
      for (other, parameter) in setting.parameters.enumerated()
      where other + inputs.count != index {
        #expect(parameter.gradient == nil, "\(what)", sourceLocation: place)
      }
    }
  }

  /// Holds every gradient against the difference of four values around each number:
  /// (8 · (f(+h) − f(−h)) − (f(+2h) − f(−2h))) / 12h, right to the fourth order of h.
  ///
  /// - Returns: how many numbers were checked, and the largest error, relative to the difference or to a
  ///   hundredth of the tensor's largest, whichever is more.
  private func differences(_ result: Result) throws -> (count: Int, error: Double) {
    let step = 0x1p-12
    let setting = setting(.float64)
    func value() throws -> Double {
      try loss(setting, Tape(.float64, isRecording: false)).0
    }
    var (count, worst) = (0, 0.0)
    for (matrix, gradient) in zip(setting.values, result.gradients) {
      var slopes: [Double] = []
      for row in 0..<matrix.rows {
        for column in 0..<matrix.columns {
          let middle = matrix[row, column]
          func around(_ distance: Double) throws -> Double {
            matrix[row, column] = middle + distance
            return try value()
          }
          let near = try around(step) - around(-step)
          let far = try around(2 * step) - around(-2 * step)
          matrix[row, column] = middle
          slopes.append((8 * near - far) / (12 * step))
        }
      }
      let floor = slopes.reduce(0) { max($0, abs($1)) } / 100
      #expect(floor > 0, "\(name): nothing depends on one of the inputs")
      for (slope, ours) in zip(slopes, gradient) {
        let error = abs(slope - ours) / max(abs(slope), floor)
        worst = error.isNaN ? .infinity : max(worst, error)
      }
      count += slopes.count
    }
    return (count, worst)
  }
}
