import Checkpoints
import Data
import Engine
import Kernels
import Support
import Testing
import Weights

@testable import Train

@Suite struct BatchTests {
  private let samples = [
    Sample(tokens: [5, 6, 7, 8], trained: [true, false, true, true]),
    Sample(tokens: [9], trained: [true]),
    Sample(tokens: [40, 3, 40, 2, 1, 77], trained: [false, false, false, true, true, true]),
    Sample(tokens: [11, 12], trained: [false, true]),
  ]

  @Test("samples become sequences whose last tokens are only predicted")
  func layout() {
    let batch = Batch(samples)
    #expect(batch.tokens == [5, 6, 7, 40, 3, 40, 2, 1, 11])
    #expect(batch.labels == [-1, 7, 8, -1, -1, 2, 1, 77, 12])
    #expect(batch.starts == [0, 3, 8, 9])
    #expect(batch.trained == samples.reduce(0) { $0 + $1.trainedCount })
  }

  @Test("packs become sequences with the bounds that Megatron-Bridge gives its attention")
  func packs() throws {
    let path = Support.fixtures.appending(path: "indexed/packed.npy").path
    for pack in try PackedFile.read(path) {
      let batch = Batch(pack.samples)
      var options = PackedBatch.Options(length: 64, end: 2)
      options.multiple = 1
      let expected = try PackedBatch([pack], options)
      #expect(batch.tokens == expected.inputs[0])
      #expect(batch.starts.map(Int32.init) == expected.bounds[0].dropLast())
      // Bridge leaves out inputs that end a text as well; what counts else is the same.
      for (index, label) in batch.labels.enumerated() where expected.inputs[0][index] != 2 {
        #expect(label == (expected.counted[0][index] ? expected.labels[0][index] : -1))
      }
    }
  }

  @Test("a batch has the loss of its samples apart")
  func loss() throws {
    let model = try Model(
      ModelWeights(HuggingFaceModel(folder: Support.demo.path)), .float32)
    func loss(_ batch: Batch) throws -> Double {
      let pass = Pass(model, Tape(model.numbers, isRecording: false), batch)
      return try model.loss(try model.hidden(pass)[0], pass) * Double(batch.trained)
    }
    let together = try loss(Batch(samples))
    let apart = try samples.filter { $0.count > 1 }.reduce(0) { try $0 + loss(Batch([$1])) }
    #expect(abs(together - apart) < 1e-4 * apart)
    // In another order, and with a neighbour, a sample's loss is the same.
    let turned = try loss(Batch(samples.reversed()))
    #expect(abs(together - turned) < 1e-4 * apart)
    // Were they one sequence, it would be another.
    let joined = Sample(
      tokens: samples.flatMap(\.tokens), trained: samples.flatMap(\.trained))
    #expect(abs(try loss(Batch([joined])) - apart) > 1e-2 * apart)
  }
}
