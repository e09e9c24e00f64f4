import Kernels
import Testing

@testable import Blueprint
@testable import Engine

/// What is left out of adapters is left out on the way back too, and is a matter of numbers alone.
@Suite struct AdapterDropoutTests {
  private func dropout(_ dropsInputs: Bool) -> AdapterDropout {
    AdapterDropout(share: 0.4, dropsInputs: dropsInputs, seed: 3).during(update: 2, batch: 1)
  }

  private func change(_ weights: [Parameter], matrices: Int = 1) -> LowRankChange {
    let height = weights[0].value.rows / matrices
    let span = LowRankPair.Span(packed: 1..<height, first: 0)
    return LowRankChange(
      [
        LowRankPair(
          AdapterPlace("weight"), [span], scale: 0.5, inputs: weights[1], outputs: weights[2],
          magnitude: nil)
      ], on: weights[0], matrices: matrices)
  }

  @Test("gradients are the central differences, before A and behind B", arguments: [true, false])
  func gradients(_ dropsInputs: Bool) throws {
    try OperationCheck(
      "linear with dropout", [.matrix("x", 5, 6)],
      [.matrix("weight", 7, 6), .matrix("a", 2, 6), .matrix("b", 6, 2)]
    ) { tape, x, weights in
      weights[0].change = change(weights)
      tape.adapterDropout = dropout(dropsInputs)
      return .init(tape.linear(x[0], weights[0]))
    }.run(.init(bfloat16: 4))
  }

  @Test("the gradients of experts' factors are too", arguments: [true, false])
  func experts(_ dropsInputs: Bool) throws {
    let dispatch = Dispatch(Indices([0, 1, 2, 0, 0, 4, 1, 0, 0, 2, 4, 0]), experts: 5, perToken: 2)
    let samples: [Sample] = [.matrix("weight", 15, 4), .matrix("a", 10, 4), .matrix("b", 10, 2)]
    for (name, rows) in [("in", 6), ("out", dispatch.rows)] {
      try OperationCheck("experts \(name) with dropout", [.matrix("x", rows, 4)], samples) {
        tape, x, w in
        w[0].change = change(w, matrices: 5)
        tape.adapterDropout = dropout(dropsInputs)
        let bank = Bank(weight: w[0], experts: 5)
        return .init(
          name == "in"
            ? tape.dispatched(x[0], bank, dispatch) : tape.combined(x[0], bank, dispatch))
      }.run(.init(bfloat16: 4))
    }
  }

  // MARK: Magnitudes

  /// A layer with learned lengths, and what a pass through it gives.
  private struct Layer {
    let weight: Parameter
    let pair: LowRankPair

    init() {
      func sample(_ name: String, _ rows: Int, _ columns: Int) -> Parameter {
        Sample.matrix(name, rows, columns).parameter(.float64, seed: 1)
      }
      weight = sample("weight", 4, 6)
      weight.isTrained = false
      func learned(_ name: String, _ value: Matrix) -> LearnedMatrix {
        LearnedMatrix(name, value, isTrained: true, decays: true)
      }
      pair = LowRankPair(
        AdapterPlace("weight"), [.init(packed: 0..<4, first: 0)], scale: 0.5,
        inputs: learned("a", sample("a", 2, 6).value),
        outputs: learned("b", sample("b", 4, 2).value),
        magnitude: learned("magnitude", Matrix([2, 1.5, 0.7, 3], .float64)))
      weight.change = LowRankChange([pair], on: weight, matrices: 1)
    }

    /// The output and the gradients of x, A, B and m.
    func pass(_ x: Matrix, _ above: Matrix, _ dropout: AdapterDropout?) throws -> [[Double]] {
      let tape = Tape(.float64, isRecording: true)
      tape.adapterDropout = dropout
      let x = Node(x, isTracked: true)
      let y = tape.linear(x, weight)
      y.add(above)
      tape.runBackward()
      let learned = [pair.inputs, pair.outputs, try #require(pair.magnitude)]
      let gradients = learned.map { $0.gradientSum().values }
      for one in learned { one.clearGradient() }
      return [y.value.values, try #require(x.gradient).values] + gradients
    }
  }

  /// y = W · x − W · x' + DoRA(x'), as PEFT and Megatron-Bridge have it: every gradient follows from those without
  /// dropout at the inputs x' that are left.
  @Test func lengthsSeeWhatIsLeft() throws {
    let layer = Layer()
    let x = Sample.matrix("x", 5, 6).parameter(.float64, seed: 1).value
    let above = Sample.matrix("above", 5, 4).parameter(.float64, seed: 1).value
    let dropout = dropout(true)
    let mask = try #require(dropout.mask(layer.weight))
    let found = try layer.pass(x, above, dropout)
    let left = try layer.pass(mask.dropped(x), above, nil)
    let lost = x.copied()
    Sums.add(-1, mask.dropped(x), to: lost)
    let y = Matrix(left[0], .float64).reshaped(5, 4).copied()
    Product.multiply(
      lost, by: layer.weight.value, rightTransposed: true, into: y, accumulates: true)
    #expect(Matrix(found[0], .float64).distance(to: y.values) < 1e-13)
    // Of x: W on all of it, and what DoRA adds to W on what is left.
    let through = Matrix(5, 6, .float64)
    Product.multiply(above, by: layer.weight.value, into: through)
    let added = Matrix(left[1], .float64).reshaped(5, 6).copied()
    Sums.add(-1, through, to: added)
    let dx = through.copied()
    mask.add(added, to: dx)
    #expect(Matrix(found[1], .float64).distance(to: dx.values) < 1e-13)
    for index in 2..<5 {
      #expect(Matrix(found[index], .float64).distance(to: left[index]) < 1e-13)
    }
    // It is not the same as without dropout.
    let plain = try layer.pass(x, above, nil)
    #expect(Matrix(found[0], .float64).distance(to: plain[0]) > 1e-3)
  }

  // MARK: Numbers

  @Test("the share is left out, the rest grows, and rows are the same by themselves")
  func numbers() throws {
    let weight = Sample.matrix("weight", 4, 6).parameter(.float32, seed: 1)
    let mask = try #require(AdapterDropout(share: 0.25, seed: 9).mask(weight))
    let ones = Matrix(110, 300, .float32)
    ones.set(Array(repeating: 1, count: 33_000))
    let dropped = mask.dropped(ones)
    let values = dropped.values
    // Five deviations of a binomial distribution are 393.
    #expect(abs(values.count { $0 != 0 } - 24_750) < 393)
    #expect(values.allSatisfy { $0 == 0 || abs($0 - 4.0 / 3) < 1e-6 })
    let some = mask.rows(100..<103).dropped(ones.rows(100..<103))
    #expect(some.values == dropped.rows(100..<103).copied().values)
    // Neighbours in rows and columns have nothing to do with each other.
    for distance in [1, 300] {
      let pairs = zip(values, values.dropFirst(distance)).count { $0 != 0 && $1 != 0 }
      #expect(abs(Double(pairs) / Double(33_000 - distance) - 0.5625) < 0.014)
    }
  }

  @Test("updates, batches, seeds and matrices differ in what they leave out")
  func streams() throws {
    let weight = Sample.matrix("weight", 4, 6).parameter(.float32, seed: 1)
    let other = Sample.matrix("other", 4, 6).parameter(.float32, seed: 1)
    let ones = Matrix(8, 64, .float32)
    ones.set(Array(repeating: 1, count: 512))
    func values(_ seed: UInt64, _ update: Int, _ batch: Int, _ weight: Parameter) -> [Double]? {
      let dropout = AdapterDropout(share: 0.5, seed: seed).during(update: update, batch: batch)
      return dropout.mask(weight)?.dropped(ones).values
    }
    let all = [
      values(1, 0, 0, weight), values(2, 0, 0, weight), values(1, 1, 0, weight),
      values(1, 0, 1, weight), values(1, 0, 0, other), values(1, 10, 0, weight),
    ]
    #expect(Set(all).count == 6 && !all.contains(nil))
    #expect(values(1, 0, 0, weight) == all[0])
    #expect(AdapterDropout(share: 0, seed: 1).mask(weight) == nil)
  }
}
