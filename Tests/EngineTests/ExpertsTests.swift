import Foundation
import Kernels
import Support
import Tensors
import Testing

@testable import Blueprint
@testable import Engine

/// Mixtures of experts against transformers' own (fixtures/experts/generate.py), and at their edges.
@Suite struct ExpertsTests {
  @Test func allCasesAreThere() throws {
    #expect(try #require(ExpertsCases.all).layers.count == 11)
  }

  @Test(arguments: ExpertsCases.all?.layers ?? [])
  func aLayerIsWhatTransformersComputes(_ given: ExpertsCases.LayerCase) throws {
    for (numbers, bound) in [(Numbers.float64, 2e-6), (.float32, 1e-5)] {
      let found = try given.computed(numbers)
      for (name, expected) in given.expected {
        let ours = try #require(found[name], "\(name)")
        let most = expected.map(abs).max() ?? 1
        let difference = zip(ours, expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(
          ours.count == expected.count && difference <= bound * most,
          "\(name) in \(numbers): off by \(difference) of \(most)")
      }
      // The correction is for choosing alone.
      #expect(found["correction"] == nil)
    }
  }

  @Test(arguments: ExpertsCases.all?.layers ?? [])
  func everyGradientIsACentralDifference(_ given: ExpertsCases.LayerCase) throws {
    let experts = given.experts(width: SmallModel.width)
    let model = SmallModel([experts])
    let resting = experts.router.correction.map { ["model.layers.0." + $0] } ?? []
    try model.checkGradients(resting: resting)
    try model.checkGradients(recomputing: true, resting: resting)
  }
}

/// How tokens are sorted by their experts.
@Suite struct DispatchTests {
  private func choice(_ rows: [[Int32]]) -> Indices { Indices(rows.flatMap { $0 }) }

  @Test func rowsOfAnExpertStandInTheOrderOfTheTokens() {
    let dispatch = Dispatch(choice([[2, 0], [0, 1], [2, 1], [0, 2]]), experts: 4, perToken: 2)
    #expect(dispatch.ranges == [0..<3, 3..<5, 5..<8, 8..<8])
    #expect((0..<8).map { dispatch.tokens[$0] } == [0, 1, 3, 1, 2, 0, 2, 3])
    #expect((0..<8).map { dispatch.pairs[$0] } == [1, 2, 6, 3, 5, 0, 4, 7])
    #expect((0..<8).map { dispatch.places[$0] } == [5, 0, 1, 3, 6, 4, 2, 7])
  }

  @Test func rowsAreFilledUpWithNobodys() {
    let dispatch = Dispatch(choice((0..<13).map { [$0 < 6 ? 1 : 0] }), experts: 2, perToken: 1)
    #expect(dispatch.ranges == [0..<8, 8..<16])
    #expect(
      (0..<16).map { dispatch.tokens[$0] } == [
        6, 7, 8, 9, 10, 11, 12, -1, 0, 1, 2, 3, 4, 5, -1, -1,
      ])
    #expect((0..<13).allSatisfy { dispatch.tokens[Int(dispatch.places[$0])] == Int32($0) })
  }

  @Test func fewNumbersOfRowsAreInUse() {
    #expect(
      [0, 1, 4, 5, 8, 9, 255, 256, 512, 513, 2049].map(Dispatch.filled)
        == [0, 1, 4, 8, 8, 16, 256, 256, 512, 528, 2112])
    #expect((0...20_000).allSatisfy { Dispatch.filled($0) - $0 <= max(7, $0 / 32) })
  }

  @Test func piecesAreEachWorkedOnOnce() {
    for sizes in [
      [], [0], [5], [100, 1, 1, 1], [3, 3, 3, 3, 0, 0, 9, 2], Array(repeating: 1, count: 100),
    ] {
      let worked = Matrix(1, max(1, sizes.count), .float64)
      worked.clear()
      Team.forEach(sizes: sizes) { worked[0, $0] += 1 }
      #expect(worked.values.prefix(sizes.count).allSatisfy { $0 == 1 })
    }
  }

  /// Tokens that all choose the same experts, or each its own: the outcome of 64 tokens is that of each
  /// token by itself.
  @Test(arguments: [
    "all to one", "one to each", "some to none",
  ])
  func tokensAreWorkedOnAsIfAlone(_ spread: String) throws {
    let (tokens, experts, width, inner) = (40, 128, 6, 5)
    let rows: [[Int32]] = (0..<Int32(tokens)).map { token in
      switch spread {
      case "all to one": [77, 3]
      case "one to each": [token, 127 - token]
      default: [token * 31 % 7, 64 + token * 17 % 5]
      }
    }
    let x = Sample.matrix("x", tokens, width).matrix(.float64, seed: 1)
    let first = Sample.matrix("first", experts * inner, width).parameter(.float64, seed: 1)
    let second = Sample.matrix("second", experts * width, inner).parameter(.float64, seed: 1)
    func computed(_ x: Matrix, _ rows: [[Int32]]) -> [[Double]] {
      let tape = Tape(.float64, isRecording: true)
      let node = Node(x, isTracked: true)
      for parameter in [first, second] { parameter.clearGradient() }
      let dispatch = Dispatch(Indices(rows.flatMap { $0 }), experts: experts, perToken: 2)
      let inner = tape.dispatched(node, Bank(weight: first, experts: experts), dispatch)
      let y = tape.combined(inner, Bank(weight: second, experts: experts), dispatch)
      let dy = Matrix(x.rows, width, .float64)
      dy.set([Double](repeating: 1, count: dy.count))
      y.add(dy)
      let output = y.value.values
      tape.runBackward()
      return [output] + [node.gradient, first.gradient, second.gradient].map { $0?.values ?? [] }
    }
    let together = computed(x, rows)
    #expect(together == computed(x, rows), "not the same twice")
    var sums = [[Double]](repeating: [], count: 4)
    for token in 0..<tokens {
      let alone = computed(x.rows(token..<token + 1), [rows[token]])
      sums[0] += alone[0]
      sums[1] += alone[1]
      for index in 2..<4 {
        sums[index] =
          sums[index].isEmpty ? alone[index] : zip(sums[index], alone[index]).map { $0 + $1 }
      }
    }
    for (ours, expected) in zip(together, sums) {
      #expect(ours.count == expected.count)
      #expect(zip(ours, expected).allSatisfy { abs($0 - $1) <= 1e-12 * max(1, abs($1)) })
    }
  }
}
