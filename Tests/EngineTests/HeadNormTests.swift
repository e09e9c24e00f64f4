import Blueprint
import Kernels
import Testing

@testable import Engine

@Suite struct HeadNormTests {
  /// Two tokens of four query heads of two numbers in two groups, with keys and values.
  private let x = Sample.matrix("x", 2, 16, mean: 0.5)
  private let weights = Sample.vector("weight", 8)

  private var queries: Heads {
    Heads.grouped(
      Node(x.matrix(.float64, seed: 1), isTracked: false), heads: 4, groups: 2, headSize: 2
    ).queries
  }

  /// The numbers of a head, by the order of Megatron's packed rows.
  private func head(_ token: Int, _ head: Int) -> [Double] {
    let first = token * 16 + head / 2 * 8 + head % 2 * 2
    return Array(x.values(seed: 1)[first..<first + 2])
  }

  @Test func eachHeadIsDividedByItsOwnRootMeanSquare() {
    let weight = weights.parameter(.float64, seed: 1)
    for reach in [HeadNorms.Reach.head, .ownHead] {
      let y = Tape(.float64, isRecording: false).normalised(
        queries, NormRule(.rms, eps: 0.25), HeadWeights(weight: weight, hasOwn: reach == .ownHead))
      for token in 0..<2 {
        for index in 0..<4 {
          let numbers = head(token, index)
          let root = ((numbers[0] * numbers[0] + numbers[1] * numbers[1]) / 2 + 0.25).squareRoot()
          for number in 0..<2 {
            let place = reach == .ownHead ? 2 * index + number : number
            let expected = numbers[number] / root * weight.value[0, place]
            #expect(abs(y.node.value[token, 2 * index + number] - expected) < 1e-14)
          }
        }
      }
    }
  }

  @Test func allHeadsOfATokenAreNormedTogether() {
    let weight = weights.parameter(.float64, seed: 1)
    let y = Tape(.float64, isRecording: false).normalised(
      queries, NormRule(.layer(bias: false), eps: 0.25), together: true,
      HeadWeights(weight: weight, hasOwn: true))
    for token in 0..<2 {
      let numbers = (0..<4).flatMap { head(token, $0) }
      let mean = numbers.reduce(0, +) / 8
      let variance = numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 8
      for index in 0..<8 {
        let expected =
          (numbers[index] - mean) / (variance + 0.25).squareRoot() * weight.value[0, index]
        #expect(abs(y.node.value[token, index] - expected) < 1e-14)
      }
    }
  }
}
