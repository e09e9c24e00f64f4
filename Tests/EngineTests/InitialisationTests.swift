import Blueprint
import CKernels
import Foundation
import Kernels
import Testing

@testable import Engine

/// Fresh models: the rules of Megatron-Core, out of numbers that depend on the seed alone.
@Suite struct InitialisationTests {
  /// The test vectors of the generator's authors (Random123, kat_vectors).
  @Test func wordsAreThoseOfPhilox() {
    let cases: [([UInt32], [UInt32], [UInt32])] = [
      ([0, 0, 0, 0], [0, 0], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
      (
        [.max, .max, .max, .max], [.max, .max],
        [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
      ),
      (
        [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0],
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
      ),
    ]
    for (counter, key, expected) in cases {
      var result = [UInt32](repeating: 0, count: 4)
      random_block(counter, key, &result)
      #expect(result == expected)
    }
  }

  /// The kernel's logarithm and sine are those of the mathematics: Box and Muller's formula in double.
  @Test func normalNumbersFollowTheFormula() {
    let (seed, stream) = (UInt64(7), UInt64(9))
    var drawn = [Float](repeating: 0, count: 4096)
    random_numbers(NUMBER_FLOAT32, RANDOM_NORMAL, seed, stream, 0, &drawn, 4096, 0, 1)
    for block in 0..<1024 {
      var words = [UInt32](repeating: 0, count: 4)
      random_block([UInt32(block), 0, 9, 0], [7, 0], &words)
      let units = words.map { Double($0 >> 8) * 0x1p-24 }
      for pair in 0..<2 {
        let radius = (-2 * log(units[2 * pair] + 0x1p-24)).squareRoot()
        let angle = 2 * Double.pi * (units[2 * pair + 1] - 0.5)
        #expect(abs(Double(drawn[4 * block + 2 * pair]) - radius * cos(angle)) < 4e-6)
        #expect(abs(Double(drawn[4 * block + 2 * pair + 1]) - radius * sin(angle)) < 4e-6)
      }
    }
  }

  @Test func numbersDependOnNeitherThreadsNorPieces() {
    let threads = Team.size
    defer { Team.resize(threads) }
    let drawn = [1, 2, 5].map { count in
      Team.resize(count)
      let matrix = Matrix(37, 1001, .float32)
      RandomStream(seed: 3, "a").fill(matrix, .normal(deviation: 1))
      return matrix.values
    }
    #expect(drawn[0] == drawn[1] && drawn[0] == drawn[2])
    let (mean, deviation) = moments(drawn[0])
    #expect(abs(mean) < 0.02 && abs(deviation - 1) < 0.02)
    let other = Matrix(37, 1001, .float32)
    RandomStream(seed: 3, "b").fill(other, .normal(deviation: 1))
    #expect(other.values != drawn[0])
    RandomStream(seed: 4, "a").fill(other, .normal(deviation: 1))
    #expect(other.values != drawn[0])
  }

  private func moments(_ values: [Double]) -> (mean: Double, deviation: Double) {
    let mean = values.reduce(0, +) / Double(values.count)
    let square = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
    return (mean, square.squareRoot())
  }

  @Test(arguments: ModelCase.all) func freshModelsFollowTheRules(_ test: ModelCase) throws {
    let blueprint = try test.blueprint()
    let model = try Model(blueprint, .float32, seed: 11, scalesOutputs: true)
    let again = try Model(blueprint, .float32, seed: 11, scalesOutputs: true)
    for (one, other) in zip(model.parameters, again.parameters) {
      #expect(one.value.isSame(as: other.value), "\(one.name)")
    }
    for parameter in model.parameters {
      let slot = parameter.slot.slot
      // Rows for no tensor are zeros.
      let values = parameter.value.values.filter { $0 != 0 || slot.initial == .constant(0) }
      let (mean, deviation) = moments(values)
      // Six standard errors of as many numbers.
      let slack = 6 / Double(values.count).squareRoot()
      func isNormal(_ expected: Double) -> Bool {
        abs(mean) <= slack * expected && abs(deviation - expected) <= slack * expected
      }
      switch slot.initial {
      case .constant(let value):
        #expect(values.allSatisfy { Float($0) == Float(value + slot.shift) }, "\(parameter.name)")
      case .normal: #expect(isNormal(blueprint.frame.initialDeviation), "\(parameter.name)")
      case .output: #expect(isNormal(blueprint.scaledDeviation), "\(parameter.name)")
      case .uniform(let bound):
        #expect(values.allSatisfy { abs($0) <= bound }, "\(parameter.name)")
        #expect(values.map(abs).reduce(0, max) > bound / 2, "\(parameter.name)")
      case .logarithms(let from, let to):
        #expect(values.allSatisfy { $0 >= log(from) - 1e-6 && $0 <= log(to) + 1e-6 })
      case .steps(let from, let to):
        // Softplus of them lies between the bounds.
        #expect(values.allSatisfy { (from * 0.999...to * 1.001).contains(log1p(exp($0))) })
      }
    }
    let loss = try PassResult.loss(model, test.batch([19, 12]))
    #expect(loss.isFinite)
  }

  /// What is what, by name, so that a role without its rule shows.
  @Test(arguments: ModelCase.all) func normsAndBiasesHaveTheirOwn(_ test: ModelCase) throws {
    for placed in try test.blueprint().slots where !placed.slot.parts.isEmpty {
      let (slot, name) = (placed.slot, placed.slot.parts[0].name)
      if slot.isMatrix {
        #expect(slot.initial == .normal || slot.initial == .output, "\(name)")
      } else if name.hasSuffix("norm.weight") || name.hasSuffix("norm.scale") {
        #expect(slot.initial == .constant(1) || slot.initial == .constant(0), "\(name)")
      }
    }
  }

  @Test func unitOffsetsBeginAtZero() throws {
    let gemma = try ModelCase(name: "gemma2").blueprint().slots
    let llama = try ModelCase(name: "llama_gqa_llama3rope").blueprint().slots
    func norms(_ slots: [PlacedSlot]) -> Set<InitialValues> {
      Set(slots.map(\.slot).filter { !$0.isMatrix }.map(\.initial))
    }
    #expect(norms(gemma) == [.constant(0)])
    #expect(norms(llama) == [.constant(1)])
  }
}
