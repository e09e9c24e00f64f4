import Kernels
import SafeTensors
import Support
import Testing

@testable import Blueprint
@testable import Engine

/// A layer's inputs, and what transformers computes of them: `fixtures/mixers`.
struct PeerNumbers {
  var name: String
  private let file: SafeTensorsFile

  init(_ name: String) throws {
    self.name = name
    file = try SafeTensorsFile(
      Support.fixtures.appending(path: "mixers/numbers.safetensors").path)
  }

  /// A tensor of one or two axes.
  func matrix(_ tensor: String, _ numbers: Numbers = .float32) throws -> Matrix {
    let key = "\(name).\(tensor)"
    let shape = try #require(file[key]).shape.dimensions
    let columns = shape.last ?? 1
    let matrix = Matrix(shape.count == 1 ? 1 : shape[0], columns, numbers)
    matrix.set(try file.runs(of: key).floats(dtype: .float32).map(Double.init))
    return matrix
  }

  /// Holds an operation's result and all its gradients against the peer's, which float32 holds of float64.
  ///
  /// - Parameters:
  ///   - inputs: tensors that are nodes, in the order in which the body gets them.
  ///   - weights: tensors that are parameters.
  ///   - bound: of float32's errors, relative to the largest number of a tensor.
  func check(
    _ inputs: [String], _ weights: [String], float32 bound: Double = 1e-6,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (Tape, [Node], [Parameter]) throws -> Node
  ) throws {
    for numbers in [Numbers.float32, .float64] {
      let nodes = try inputs.map { Node(try matrix($0, numbers), isTracked: true) }
      let parameters = try weights.map { weight in
        let value = try matrix(weight, numbers)
        let slot = Slot(.fc1(.bias), [Part(weight, [value.rows, value.columns])])
        return Parameter(PlacedSlot(.block(0), "", slot), value)
      }
      let tape = Tape(numbers, isRecording: true)
      let y = try body(tape, nodes, parameters)
      y.add(try matrix("factors", numbers))
      var found = [("y", Optional(y.value.copied()))]
      tape.runBackward()
      found += zip(inputs, nodes).map { ("grad." + $0, $1.gradient) }
      found += zip(weights, parameters).map { ("grad." + $0, $1.gradient) }
      for (tensor, ours) in found {
        let ours = try #require(ours).values
        let theirs = try matrix(tensor).values
        let most = theirs.reduce(0) { max($0, abs($1)) }
        let worst = zip(ours, theirs).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(
          worst <= (numbers == .float64 ? 1e-7 : bound) * most,
          "\(name), \(numbers): \(tensor) is off by \(worst / most)",
          sourceLocation: sourceLocation)
      }
    }
  }
}
