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

  /// How far logits may be off in float32.
  var logitsBound: Double {
    let all = notes["tolerance"] as? [String: Any]
    let single = all?["float32"] as? [String: Any]
    let stated = (single?["logits_abs"] ?? all?["fp32_logits_atol"]) as? Double ?? 0
    return max(2e-4, 2 * stated)
  }

  /// How far logits may be off in bfloat16: three times as far as they were in the program that the
  /// reference is from, or what is stated.
  var bfloat16Bound: Double? {
    let noise = (notes["noise"] as? [String: Any])?["logits_bfloat16_max_abs"] as? Double
    let stated = (notes["tolerance"] as? [String: Any])?["bf16_logits_atol"] as? Double
    return noise.map { 3 * $0 } ?? stated
  }
}

/// The engine's numbers are those of other programs.
@Suite struct ReferenceTests {
  @Test(arguments: Reference.all)
  func statesLogitsAndLossAreTheReferences(_ test: ModelCase) throws {
    let reference = try Reference(test)
    let model = try test.stored(.float32)
    let pass = Pass(model, Tape(.float32, isRecording: false), reference.batch)
    let states = try model.hidden(pass, keepingAll: true)
    #expect(states.count == reference.depth)
    for (index, state) in states.enumerated() {
      let theirs = try reference.tensor("hidden.\(index)", ofTokens: true)
      expectClose(state.value, theirs, reference.logitsBound, "hidden state \(index)")
    }
    let last = try #require(states.last)
    expectClose(
      try model.logits(last, pass), try reference.tensor("logits", ofTokens: true),
      reference.logitsBound, "logits")
    let loss = try reference.tensor("loss")[0, 0]
    #expect(abs(try model.loss(last, pass) - loss) < 5e-5 + 1e-5 * loss)
  }

  @Test(arguments: Reference.all) func everyGradientIsTheReferences(_ test: ModelCase) throws {
    let reference = try Reference(test)
    let model = try test.stored(.float32)
    _ = try PassResult(model, reference.batch)
    var found: Set<String> = []
    for parameter in model.parameters where parameter.isTrained {
      parameter.settleGradient()
      for (part, runs) in parameter.parts(parameter.gradientSum()) {
        let name = "grad." + part.name
        guard reference.gradients.contains(name) else { continue }
        found.insert(name)
        let theirs = try reference.tensor(name)
        let ours = try Matrix(reading: runs, .float32, 1, theirs.count, .float32)
        Sums.add(-1, theirs, to: ours)
        let (norm, difference) = (length(theirs), length(ours))
        if reference.withoutGradient.contains(part.name) || norm < 1e-6 {
          #expect(difference < 1e-5, "\(part.name)")
        } else {
          #expect(difference < 5e-4 * norm, "\(part.name)")
        }
      }
    }
    // Of a matrix that stands twice in the files the model has one.
    for name in model.blueprint.duplicates.keys { found.insert("grad." + name) }
    #expect(found.isSuperset(of: reference.gradients))
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

  /// Models without experts: others may choose other experts where two are nearly as good.
  @Test(arguments: Reference.all) func bfloat16LogitsAreNear(_ test: ModelCase) throws {
    let reference = try Reference(test)
    let model = try test.stored(.bfloat16)
    guard !model.hasExperts, let bound = reference.bfloat16Bound else { return }
    let pass = Pass(model, Tape(.bfloat16, isRecording: false), reference.batch)
    let logits = try model.logits(try model.hidden(pass)[0], pass)
    let difference = logits.copied(as: .float32)
    Sums.add(-1, try reference.tensor("logits", ofTokens: true), to: difference)
    #expect(difference.most < bound)
    print("bfloat16: \(test.name) \(difference.most / bound)")
  }

  private func expectClose(_ ours: Matrix, _ theirs: Matrix, _ bound: Double, _ what: String) {
    let worst = zip(ours.values, theirs.values).reduce(-Double.infinity) { worst, pair in
      if pair.0 == pair.1 { return worst }
      let excess = abs(pair.0 - pair.1) - bound - 2e-4 * abs(pair.1)
      return excess.isNaN ? .infinity : max(worst, excess)
    }
    #expect(worst <= 0, "\(what)")
  }

  private func length(_ matrix: Matrix) -> Double {
    matrix.values.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }
}
