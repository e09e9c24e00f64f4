import Foundation
import Kernels
import Tensors
import Testing

@testable import Blueprint
@testable import Engine

/// Adapters compute what PEFT's do, and a model with them is the model they are merged into.
@Suite struct AdapterTests {
  // MARK: PEFT's numbers

  struct Case: Decodable {
    struct Factors: Decodable {
      var a, b: [[Double]]
      var magnitude: [Double]?
    }
    var dora: Bool
    var scale: Double
    var rank: Int
    var lengths, bias: [Double]
    var weight, x, above, y, dx, merged: [[Double]]
    var learned, gradients: Factors
  }

  @Test func outputsAndGradientsAreThoseOfPEFT() throws {
    let cases = try LearningData.read("adapters", as: [Case].self)
    #expect(cases.count { $0.dora } == 2 && cases.count { !$0.dora } == 1)
    for one in cases {
      let shape: Shape = [one.weight.count, one.weight[0].count]
      let weight = Parameter(
        PlacedSlot(.block(0), "", Slot(.fc1(.weight), [Part("linear.weight", shape)])),
        .made(one.weight, .float64), isTrained: false)
      let bias = Parameter(
        PlacedSlot(.block(0), "", Slot(.fc1(.bias), [Part("linear.bias", [shape[0]])])),
        Matrix(one.bias, .float64), isTrained: false)
      let plan = PlannedPair(
        AdapterPlace("linear.weight", .part(0)), rank: one.rank, scale: one.scale,
        start: .given(
          inputs: .made(one.learned.a, .float64), outputs: .made(one.learned.b, .float64),
          magnitude: one.learned.magnitude.map { Matrix($0, .float64) }))
      let pair = try LowRankPair(plan, on: weight, seed: 0)
      let change = LowRankChange([pair], on: weight, matrices: 1)
      weight.change = change

      let x = Node(.made(one.x, .float64), isTracked: true)
      let tape = Tape(.float64, isRecording: true)
      let y = tape.linear(x, weight, bias: bias)
      #expect(y.value.distance(to: one.y.flatMap { $0 }) <= 1e-13)
      y.add(.made(one.above, .float64))
      tape.runBackward()
      let gradients = [
        (x.gradient, one.dx), (pair.inputs.gradient, one.gradients.a),
        (pair.outputs.gradient, one.gradients.b),
        (pair.magnitude?.gradient, one.gradients.magnitude.map { [$0] } ?? []),
      ]
      for (ours, theirs) in gradients where !theirs.isEmpty {
        #expect(try #require(ours).distance(to: theirs.flatMap { $0 }) <= 1e-12)
      }
      #expect(weight.gradient == nil)
      #expect(change.merged().distance(to: one.merged.flatMap { $0 }) <= 1e-13)
      // Magnitudes begin as the lengths of the rows.
      if let magnitude = pair.magnitude {
        pair.outputs.value.clear()
        change.startMagnitudes(of: [pair])
        #expect(magnitude.value.distance(to: one.lengths) <= 1e-13)
      }
    }
  }

  // MARK: Differences

  @Test func gradientsAreTheCentralDifferences() throws {
    // Rows apart, twice, and not in order of the tensors: a slot of two groups.
    let spans: [[LowRankPair.Span]] = [
      [.init(packed: 0..<2, first: 0), .init(packed: 4..<6, first: 2)],
      [.init(packed: 2..<3, first: 0), .init(packed: 6..<7, first: 0)],
    ]
    try OperationCheck(
      "linear with adapters", [.matrix("x", 5, 6)],
      [
        .matrix("weight", 8, 6), .matrix("a", 2, 6), .matrix("b", 4, 2), .matrix("c", 3, 6),
        .matrix("d", 1, 3),
      ]
    ) { tape, x, weights in
      weights[0].change = LowRankChange(
        [
          LowRankPair(
            AdapterPlace("weight"), spans[0], scale: 0.5, inputs: weights[1], outputs: weights[2],
            magnitude: nil),
          LowRankPair(
            AdapterPlace("weight"), spans[1], scale: 2, inputs: weights[3], outputs: weights[4],
            magnitude: nil),
        ], on: weights[0], matrices: 1)
      return .init(tape.linear(x[0], weights[0]))
      // Three products in a row, each rounded, and a gradient that is stored twice.
    }.run(.init(bfloat16: 4))
  }

  /// The lengths of rows are constants on the way back, so that differences hold for what does not
  /// change them: the input and the magnitudes.
  @Test func gradientsOfMagnitudesAreTheCentralDifferences() throws {
    try OperationCheck(
      "linear with magnitudes", [.matrix("x", 5, 6)], [.vector("magnitude", 3, mean: 2)]
    ) { tape, x, weights in
      let weight = Sample.matrix("weight", 4, 6).parameter(tape.numbers, seed: 1)
      weight.isTrained = false
      let factors = [("a", 2, 6), ("b", 3, 2)].map { name, rows, columns in
        LearnedMatrix(
          name, Sample.matrix(name, rows, columns).parameter(tape.numbers, seed: 1).value,
          isTrained: false, decays: true)
      }
      weight.change = LowRankChange(
        [
          LowRankPair(
            AdapterPlace("weight"), [.init(packed: 1..<4, first: 0)], scale: 0.5,
            inputs: factors[0], outputs: factors[1], magnitude: weights[0])
        ], on: weight, matrices: 1)
      let y = tape.linear(x[0], weight)
      // The parameter must live until the way back.
      kept.append(weight)
      return .init(y)
    }.run()
  }

  private let kept = Kept()

  private final class Kept {
    var parameters: [Parameter] = []
    func append(_ parameter: Parameter) { parameters.append(parameter) }
  }

  /// Experts with factors of their own and shared ones, in both operations on banks.
  @Test(arguments: [false, true]) func expertsLearnTheirFactors(_ areShared: Bool) throws {
    let dispatch = Dispatch(
      Indices([0, 1, 2, 0, 0, 4, 1, 0, 0, 2, 4, 0]), experts: 5, perToken: 2)
    let factors: [Sample] =
      areShared
      ? [.matrix("a", 2, 4), .matrix("b", 10, 2)] : [.matrix("a", 10, 4), .matrix("b", 2, 2)]
    func bank(_ w: [Parameter]) -> Bank {
      let spans = [LowRankPair.Span(packed: 1..<3, first: 0)]
      w[0].change = LowRankChange(
        [
          LowRankPair(
            AdapterPlace("weight"), spans, scale: 0.5, inputs: w[1], outputs: w[2], magnitude: nil)
        ], on: w[0], matrices: 5)
      return Bank(weight: w[0], experts: 5)
    }
    let samples = [.matrix("weight", 15, 4)] + factors
    try OperationCheck("experts in with adapters", [.matrix("x", 6, 4)], samples) { tape, x, w in
      .init(tape.dispatched(x[0], bank(w), dispatch))
    }.run(.init(bfloat16: 4))
    try OperationCheck("experts out with adapters", [.matrix("x", dispatch.rows, 4)], samples) {
      tape, x, w in .init(tape.combined(x[0], bank(w), dispatch))
    }.run(.init(bfloat16: 4))
  }

  // MARK: Rows

  @Test func rowsOfFusedTensorsAreTheirParts() {
    let grouped = Slot(
      .queryKeyValue(.weight),
      [Part("q.weight", [8, 3]), Part("k.weight", [4, 3]), Part("v.weight", [4, 3])],
      shape: [16, 3], layout: .grouped(heads: 4, groups: 2, headSize: 2))
    // By group: two heads of queries, a key, a value.
    #expect(
      grouped.spans(.part(0)) == [.init(packed: 0..<4, first: 0), .init(packed: 8..<12, first: 4)])
    #expect(
      grouped.spans(.part(1)) == [.init(packed: 4..<6, first: 0), .init(packed: 12..<14, first: 2)])
    #expect(grouped.spans(.all) == [.init(packed: 0..<16, first: 0)])
    #expect(grouped.spans(.part(3)) == nil)
    #expect(grouped.spans(.packed([15..<17])) == nil)

    let twice = Slot(
      .queryKeyValue(.weight), [Part("q.weight", [4, 3]), Part("k.weight", [2, 3])],
      shape: [8, 3], layout: .groupedWithKeysTwice(heads: 2, groups: 1, headSize: 2))
    #expect(
      twice.spans(.part(1)) == [.init(packed: 4..<6, first: 0), .init(packed: 6..<8, first: 0)])
    #expect(
      twice.spans(.all) == [.init(packed: 0..<6, first: 0), .init(packed: 6..<8, first: 4)])

    let queries = Slot(
      .queryKeyValue(.weight), [Part("q.weight", [4, 3])], shape: [8, 3],
      layout: .groupedQueries(heads: 2, groups: 1, headSize: 2))
    #expect(queries.spans(.all) == [.init(packed: 0..<4, first: 0)])

    let bank = Slot(
      .expertFC1(.weight),
      (0..<3).flatMap { [Part("\($0).gate", [2, 5]), Part("\($0).up", [2, 5])] },
      shape: [3, 4, 5], split: .expertRows)
    #expect(bank.partsOfMatrix == 2)
    #expect(bank.spans(.part(1)) == [.init(packed: 2..<4, first: 0)])
    #expect(bank.spans(.all) == [.init(packed: 0..<4, first: 0)])
  }
}
