import CKernels
import Kernels
import Testing

@testable import Engine

/// The causal convolution, and the gated norm behind what stands in attention's place.
@Suite struct ConvolutionTests {
  typealias Outcome = OperationCheck.Outcome

  /// One shorter than the kernel, one of a single token, one longer.
  private let sequences = [0..<3, 3..<4, 4..<10]

  @Test(arguments: [1, 2, 4, 6], [false, true]) func convolutionLearns(
    _ kernel: Int, _ activates: Bool
  ) throws {
    let name = "convolution of \(kernel)" + (activates ? ", then SiLU" : "")
    try OperationCheck(
      name, [.matrix("x", 10, 5)], [.vector("weight", 5 * kernel), .vector("bias", 5)]
    ) { tape, x, w in
      Outcome(
        tape.convolved(
          Columns(x[0]), weight: w[0], bias: w[1], activates: activates, sequences))
    }.run()
  }

  @Test func convolutionOfColumnsLearns() throws {
    try OperationCheck(
      "convolution of columns, no bias", [.matrix("x", 10, 9)], [.vector("weight", 15)]
    ) { tape, x, w in
      Outcome(
        tape.convolved(
          Columns(x[0], 2..<7), weight: w[0], bias: nil, activates: true, sequences),
        tape.scaled(x[0], by: 0.5))
    }.run()
  }

  /// More channels than a thread takes at once.
  @Test func wideConvolutionIsTheSameByChannels() throws {
    let x = Node(Sample.matrix("x", 21, 600).matrix(.float32, seed: 1), isTracked: false)
    let weight = Sample.vector("weight", 600 * 4).parameter(.float32, seed: 1)
    let tape = Tape(.float32, isRecording: false)
    let whole = tape.convolved(
      Columns(x), weight: weight, bias: nil, activates: true, [0..<9, 9..<21])
    for channel in [0, 255, 256, 511, 599] {
      let one = Sample.vector("one", 4).parameter(.float32, seed: 1)
      one.value.copy(weight.value.columns(channel * 4..<channel * 4 + 4))
      let alone = tape.convolved(
        Columns(x, channel..<channel + 1), weight: one, bias: nil, activates: true,
        [0..<9, 9..<21])
      #expect(alone.value.values == whole.value.columns(channel..<channel + 1).values)
    }
  }

  /// What a sequence's earlier rows leave makes the later ones go on as if nothing had happened.
  @Test(arguments: [[11], [1, 1, 9], [2, 5, 4], [8, 3]]) func convolutionGoesOn(
    _ lengths: [Int]
  ) throws {
    let x = Sample.matrix("x", 11, 6).matrix(.float64, seed: 1)
    let weight = Sample.vector("weight", 24).parameter(.float64, seed: 1)
    let bias = Sample.vector("bias", 6).parameter(.float64, seed: 1)
    let tape = Tape(.float64, isRecording: false)
    func convolved(_ rows: Matrix, _ memory: MixerMemory?) -> Matrix {
      tape.convolved(
        Columns(Node(rows, isTracked: false)), weight: weight, bias: bias, activates: true,
        [0..<rows.rows], before: memory?.rows
      ).value
    }
    let whole = convolved(x, nil)
    let memory = MixerMemory(rows: 3, channels: 6, .float64)
    var first = 0
    for length in lengths {
      let rows = first..<first + length
      #expect(convolved(x.rows(rows), memory).values == whole.rows(rows).values)
      memory.remember(x.rows(rows))
      first += length
    }
  }

  @Test func convolutionIsThatOfTransformers() throws {
    for (name, activates) in [("convolution", false), ("convolution_silu", true)] {
      try PeerNumbers(name).check(["x"], ["weight", "bias"]) { tape, x, w in
        tape.convolved(
          Columns(x[0]), weight: w[0], bias: w[1], activates: activates, [0..<9])
      }
    }
  }

  @Test func gatedNormLearns() throws {
    let kinds = [GATE_THEN_NORM: "gate, then norm", NORM_THEN_GATE: "norm, then gate"]
    for (kind, name) in kinds {
      for (own, count) in [(true, 8), (false, 4)] {
        var rule = GatedNormRule(kind: kind, eps: 1e-2, width: 4, hasOwnWeights: own)
        rule.offset = own ? 0 : 1
        try OperationCheck(
          name + (own ? ", own weights" : ", shared weights"),
          [.matrix("x", 9, 8), .matrix("gate", 9, 11)], [.vector("weight", count)]
        ) { tape, x, w in
          Outcome(
            tape.gatedNorm(x[0], gate: Columns(x[1], 3..<11), rule, weight: w[0]),
            tape.scaled(x[1], by: 2))
        }.run()
      }
    }
    let rule = GatedNormRule(kind: GATE_ALONE, eps: 0, width: 8, hasOwnWeights: true)
    try OperationCheck("gate alone", [.matrix("x", 9, 8), .matrix("gate", 9, 8)]) { tape, x, w in
      Outcome(tape.gatedNorm(x[0], gate: Columns(x[1]), rule, weight: nil))
    }.run()
  }

  @Test func gatedNormIsThatOfTransformers() throws {
    let cases: [(String, gated_norm_kind, Double, Int)] = [
      ("gate_then_norm", GATE_THEN_NORM, 1e-5, 6), ("norm_then_gate", NORM_THEN_GATE, 1e-5, 6),
      ("norm_of_heads", NORM_THEN_GATE, 1e-6, 4),
    ]
    for (name, kind, eps, width) in cases {
      let rule = GatedNormRule(kind: kind, eps: eps, width: width, hasOwnWeights: width == 6)
      try PeerNumbers(name).check(["x", "gate"], ["weight"]) { tape, x, w in
        tape.gatedNorm(x[0], gate: Columns(x[1]), rule, weight: w[0])
      }
    }
  }
}

extension gated_norm_kind: @retroactive Hashable {}
