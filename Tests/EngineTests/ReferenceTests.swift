import Engine
import Foundation
import Kernels
import SafeTensors
import Support
import Tensors
import Testing

@testable import Weights

/// What other programs computed with tiny models of every architecture: transformers, or the original
/// modelling code where transformers has none.
struct Reference {
  let model: ModelCase
  let batch: Batch
  private let file: SafeTensorsFile
  private let notes: [String: Any]
  private let columns: Int

  /// The cases whose results and weights are there.
  static let all = ModelCase.all.filter { model in
    let names = Support.names(in: "hf/\(model.name)/hf")
    return Support.names(in: "hf/" + model.name).contains("reference.safetensors")
      && !names.contains { $0.hasSuffix(".header") }
  }

  init(_ model: ModelCase) throws {
    self.model = model
    let folder = Support.data("hf/" + model.name)
    let data = try Data(contentsOf: folder.appending(path: "meta.json"))
    notes = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
    let file = try SafeTensorsFile(folder.appending(path: "reference.safetensors").path)
    self.file = file
    columns = try #require(file["input_ids"]).shape[1]
    let columns = columns
    func rows(_ name: String) throws -> [[Int32]] {
      guard let entry = file[name] else { return [] }
      let all = try #require(try file.runs(of: name).integers(dtype: entry.dtype))
      return stride(from: 0, to: all.count, by: columns).map { start in
        all[start..<start + columns].map { Int32($0) }
      }
    }
    var (tokens, labels) = (try rows("input_ids"), try rows("labels"))
    for (row, mask) in try rows("attention_mask").enumerated() {
      let count = mask.prefix { $0 != 0 }.count
      tokens[row] = Array(tokens[row].prefix(count))
      labels[row] = Array(labels[row].prefix(count))
    }
    batch = Batch(tokens, aligned: labels)
  }

  /// A tensor as it was computed; of what is there for each token, the rows of the batch.
  func tensor(_ name: String, ofTokens: Bool = false) throws -> Matrix {
    let entry = try #require(file[name], "\(model.name) has no \(name)")
    let width = ofTokens ? entry.shape[2] : entry.shape.count
    let all = try Matrix(
      reading: file.runs(of: name), entry.dtype, entry.shape.count / width, width, .float32)
    guard ofTokens else { return all }
    let rows = Matrix(batch.count, width, .float32)
    for (index, sequence) in batch.sequences.enumerated() {
      rows.rows(sequence).copy(all.rows(index * columns..<index * columns + sequence.count))
    }
    return rows
  }

  var gradients: [String] { file.header.tensors.map(\.name).filter { $0.hasPrefix("grad.") } }
  var depth: Int { file.header.tensors.count { $0.name.hasPrefix("hidden.") } }

  var greedy: [Int32] {
    get throws {
      let entry = try #require(file["greedy"])
      return try #require(try file.runs(of: "greedy").integers(dtype: entry.dtype)).map {
        Int32($0)
      }
    }
  }

  /// Tensors whose gradients are nothing but rounding.
  var withoutGradient: Set<String> {
    Set(notes["near_zero_gradients"] as? [String] ?? [])
  }

  /// How far the other program's float32 was from its own float64: of logits the largest difference, of
  /// gradients the largest relative one of a tensor; what is stated where nobody measured that.
  var noise: (logits: Double, gradients: Double) {
    let measured = notes["noise"] as? [String: Any]
    let logits = measured?["logits_float64_max_abs"] as? Double
    let gradients = measured?["grad_float64_max_relative_norm"] as? Double
    return (logits ?? 2e-5, gradients ?? 2e-5)
  }
}

/// In float64 all that is left between the engine and other programs is their rounding.
///
/// A formula that is slightly another one would show. What float32 and bfloat16 give is held against them
/// by the tests of the program.
@Suite struct ReferenceTests {
  @Test(arguments: Reference.all)
  func onlyTheReferencesRoundingIsLeftInFloat64(_ test: ModelCase) throws {
    let reference = try Reference(test)
    let (logits, gradients) = reference.noise
    let model = try test.stored(.float64)
    let ours = try PassResult(model, reference.batch)
    let difference = ours.logits.copied()
    Sums.add(
      -1, try reference.tensor("logits", ofTokens: true).copied(as: .float64), to: difference)
    #expect(difference.most <= 2 * logits, "logits: \(difference.most)")
    for parameter in model.parameters where parameter.isTrained {
      parameter.settleGradient()
      for (part, runs) in parameter.parts(parameter.gradientSum()) {
        let name = "grad." + part.name
        guard reference.gradients.contains(name) else { continue }
        guard !reference.withoutGradient.contains(part.name) else { continue }
        let theirs = try reference.tensor(name).copied(as: .float64)
        let ours = try Matrix(reading: runs, .float64, 1, theirs.count, .float64)
        Sums.add(-1, theirs, to: ours)
        let error = length(ours) / length(theirs)
        #expect(error <= 2 * gradients, "\(part.name): \(error)")
      }
    }
  }

  /// Prompts go through in pieces, and tokens one by one with a cache.
  @Test(arguments: Reference.all) func greedyTokensAreTheReferences(_ test: ModelCase) throws {
    let reference = try Reference(test)
    let model = try test.stored(.float32)
    let prompt = Array(reference.batch.tokens[try #require(reference.batch.sequences.first)])
    let expected = try reference.greedy
    for (isCached, chunk) in [(true, 512), (true, 7), (false, 512)] {
      var generator = try Generator(model, prompt, isCached: isCached, chunk: chunk)
      _ = try generator.run(limit: expected.count)
      #expect(Array(generator.tokens.dropFirst(prompt.count)) == expected)
    }
  }

  private func length(_ matrix: Matrix) -> Double {
    matrix.values.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }
}
