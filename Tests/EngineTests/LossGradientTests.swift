import Blueprint
import Foundation
import Kernels
import Testing

@testable import Engine

/// The loss of the vocabulary against central differences, in all its forms.
@Suite struct LossGradientTests {
  typealias Outcome = OperationCheck.Outcome

  /// The cross entropy of `tokens` tokens; every third has no label.
  private func check(
    _ name: String, tokens: Int = 6, width: Int = 4, vocabulary: Int = 7, bias: Bool = false,
    _ rule: LogitRule = LogitRule(), isMasked: Bool = true
  ) -> OperationCheck {
    let choices = (0..<vocabulary).filter { !rule.silenced.contains(Int32($0)) }
    let labels = (0..<tokens).map { token in
      isMasked && token % 3 == 1 ? -100 : Int32(choices[token * 5 % choices.count])
    }
    var weights: [Sample] = [.matrix("head", vocabulary, width)]
    if bias { weights.append(.vector("bias", vocabulary)) }
    return OperationCheck("loss \(name)", [.matrix("x", tokens, width)], weights) { tape, x, w in
      let loss = tape.crossEntropy(
        x[0], head: w[0], bias: bias ? w[1] : nil, labels: labels, divisor: 3.5, rule)
      return Outcome(loss: loss)
    }
  }

  /// Logits of two to four are stored in bfloat16, so that probabilities may be off by four of its
  /// roundings before they are stored themselves.
  private var bounds: OperationCheck.Bounds { .init(bfloat16: 6) }

  @Test func crossEntropyLearns() throws {
    try check("plain").run(bounds)
    try check("with a bias", bias: true).run(bounds)
    try check("where every label counts", isMasked: false).run(bounds)
  }

  @Test func crossEntropyLearnsThroughScaleAndCap() throws {
    var rule = LogitRule()
    rule.scale = 0.3
    try check("with a scale", rule).run(bounds)
    rule.cap = 1.5
    try check("with a scale and a cap", bias: true, rule).run(bounds)
  }

  @Test func silencedTokensHaveNoShare() throws {
    var rule = LogitRule()
    rule.silenced = [2, 5]
    try check("with silenced tokens", rule).run(bounds)
    rule.cap = 2
    rule.scale = 0.7
    try check("with silenced tokens, scale and cap", rule).run(bounds)
  }

  @Test func crossEntropyLearnsAcrossChunks() throws {
    try check("of 300 tokens", tokens: 300, width: 2, vocabulary: 5, bias: true).run(bounds)
  }

  /// A sum over the labels that stand in a row of the model's own logits.
  @Test(arguments: [0.0, 1.5]) func lossIsThatOfTheLogits(_ cap: Double) throws {
    var rule = LogitRule()
    (rule.scale, rule.cap, rule.silenced) = (0.7, cap, [1])
    let x = Node(Sample.matrix("x", 9, 4).matrix(.float64, seed: 1), isTracked: false)
    let head = Sample.matrix("head", 6, 4).parameter(.float64, seed: 1)
    let labels: [Int32] = [0, 2, 3, -100, 4, 5, 0, -1, 3]
    let tape = Tape(.float64, isRecording: false)
    let loss = tape.crossEntropy(x, head: head, labels: labels, divisor: 7, rule)
    let logits = tape.logits(x, head: head, rule)
    var sum = 0.0
    for (row, label) in labels.enumerated() where label >= 0 {
      let values = (0..<6).map { logits[row, $0] }
      #expect(values[1] == -.infinity)
      sum += log(values.map { exp($0) }.reduce(0, +)) - values[Int(label)]
    }
    #expect(abs(loss - sum / 7) < 1e-12)
  }
}
