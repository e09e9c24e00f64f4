import CKernels
import Foundation
import Kernels
import Testing

@testable import Blueprint
@testable import Engine

/// What tokens choose, and what routers add to the loss.
@Suite struct RouterTests {
  private func choice(
    _ logits: [Double], _ kind: RouterGradientTests.Kind, correction: [Double]? = nil
  ) -> (experts: [Int32], weights: [Double]) {
    let tape = Tape(.float32, isRecording: false)
    let node = Node(Matrix(logits, .float32), isTracked: false)
    let slot = Sample.vector("correction", logits.count).parameter(.float32, seed: 1).slot
    let (weights, choice) = tape.routed(
      node, kind.rule(experts: logits.count),
      correction: correction.map { Parameter(slot, Matrix($0, .float32)) })
    return ((0..<kind.perToken).map { choice[$0] }, weights.value.values)
  }

  @Test func ofEqualScoresTheFirstWins() {
    for kind in RouterGradientTests.Kind.all where kind.groups.count == 1 && !kind.isCorrected {
      let (experts, _) = choice([1, 3, 3, 1, 3, 3, 1, 1], kind)
      #expect(experts == Array([1, 2, 4].prefix(kind.perToken)), "\(kind.name)")
    }
    let groups = RouterGradientTests.Kind(
      name: "", score: ROUTER_SIGMOID, groups: (count: 4, kept: 2, ranked: 2), perToken: 3)
    #expect(choice([1, 1, 1, 1, 1, 1, 1, 1], groups).experts == [0, 1, 2])
    #expect(choice([1, 1, 2, 0, 2, 2, 1, 1], groups).experts == [4, 5, 0])
  }

  @Test func theCorrectionDecidesWhoIsChosenAndNotWhatItWeighs() {
    let kind = RouterGradientTests.Kind(name: "", score: ROUTER_SIGMOID, perToken: 2)
    let logits = [0.5, 2, -1, 0.25]
    let (experts, weights) = choice(logits, kind, correction: [0, 0, 3, 1])
    #expect(experts == [2, 3])
    for (weight, logit) in zip(weights, [-1, 0.25]) {
      #expect(abs(weight - 1 / (1 + exp(-logit))) < 1e-6)
    }
  }

  @Test func numbersThatAreNoneChooseExpertsAllTheSame() {
    for kind in RouterGradientTests.Kind.all {
      for logits in [
        [Double](repeating: .nan, count: 8), [Double](repeating: -.infinity, count: 8),
        [.nan, 1, .infinity, -.infinity, .nan, 0, 0, 1],
      ] {
        let (experts, _) = choice(logits, kind)
        #expect(Set(experts).count == kind.perToken, "\(kind.name)")
        #expect(experts.allSatisfy { (0..<8).contains($0) }, "\(kind.name)")
      }
    }
  }

  @Test func scoresThatAreAllZeroWeighNothing() {
    let kind = RouterGradientTests.Kind(name: "", score: ROUTER_SIGMOID, normalises: true)
    #expect(choice([-200, -300, -200, -250], kind).weights == [0, 0, 0])
  }

  @Test(arguments: ExpertsCases.all?.losses.cases ?? [])
  func penaltiesAreThoseOfOthers(_ given: ExpertsCases.Losses.Case) throws {
    let losses = try #require(ExpertsCases.all).losses
    let score = given.score == "softmax" ? ROUTER_SOFTMAX : ROUTER_SIGMOID
    let rule = RouterGradientTests.Kind(name: "", score: score, perToken: losses.perToken)
      .rule(experts: losses.experts)
    let matrix = Matrix(losses.logits.count / losses.experts, losses.experts, .float64)
    matrix.set(losses.logits)
    let logits = Node(matrix, isTracked: true)
    var start = 0
    let stretches = given.sequences.map { count in
      defer { start += count }
      return start..<start + count
    }
    var penalty = RouterPenalty(stretches: stretches)
    if given.kind == "balance" { penalty.balance = 1 } else { penalty.level = 1 }
    let loss = Tape(.float64, isRecording: true).routerPenalty(logits, rule, penalty)
    #expect(abs(loss - given.loss) < 1e-6)
    let gradient = try #require(logits.gradient?.values)
    #expect(zip(gradient, given.gradient).allSatisfy { abs($0 - $1) < 1e-7 })
  }

  /// Two blocks of experts, one router by sequences and one by all tokens.
  private func model(_ numbers: Numbers) throws -> Model {
    let experts = [Router.Score.softmax, .sigmoid].map { score in
      var router = Router("gate", score, perToken: 2, isNormalized: true)
      router.balance = 0.5
      return Experts(SmallModel.width, count: 4, inner: 3, .silu, router: router)
    }
    return try SmallModel(experts).model(numbers)
  }

  @Test func lossesOfRoutersAreAddedWhenAskedFor() throws {
    func trained(_ losses: RouterLosses, recomputes: Bool = false) throws -> (Double, [[Double]]) {
      let model = try model(.float64)
      model.recomputes = recomputes
      let tape = Tape(.float64, isRecording: true)
      let pass = Pass(model, tape, SmallModel.batch)
      pass.routerLosses = losses
      let last = try #require(try model.hidden(pass).last)
      _ = try model.loss(last, pass)
      tape.runBackward()
      return (pass.auxiliaryLoss, model.parameters.map { $0.gradient?.values ?? [] })
    }
    let (none, plain) = try trained(RouterLosses())
    #expect(none == 0)
    var losses = RouterLosses()
    losses.balance = 1
    losses.level = 0.125
    let (some, pulled) = try trained(losses)
    #expect(some > 0)
    #expect(pulled != plain)
    let again = try trained(losses, recomputes: true)
    #expect(again.0 == some && again.1 == pulled)
    losses.share = 0.25
    #expect(abs(try trained(losses).0 - some / 4) < 1e-12)
  }
}
