import Adapters
import Checkpoints
import Foundation
import JSON
import SafeTensors
import Support
import Tensors
import Testing

/// Every adapter in fixtures/adapters, merged, is what PEFT merged it to.
struct PEFTMergeTests {
  static let root = Support.fixtures.appending(path: "adapters")

  static let cases: [String] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []
    return names.filter {
      FileManager.default.fileExists(atPath: root.appending(path: "\($0)/case.json").path)
    }.sorted()
  }()

  @Test func thereAreCases() { #expect(Self.cases.count >= 30) }

  @Test(arguments: cases)
  func theMergedModelIsWhatPEFTMerges(_ name: String) throws {
    let merged = try AdapterCase(name).merged()
    let expected = try Self.tensors(Self.root.appending(path: "\(name)/merged.safetensors"))
    #expect(!expected.isEmpty)
    for (tensor, values) in merged {
      guard let wanted = expected[tensor] else { continue }
      #expect(values.numbers.count == wanted.numbers.count)
      for (index, (found, wanted)) in zip(values.numbers, wanted.numbers).enumerated() {
        // Half a step of bfloat16, and what the order of a sum in float32 makes.
        let allowed = abs(wanted) / 256 + 1e-5
        #expect(abs(found - wanted) <= allowed, "\(tensor)[\(index)]: \(found), not \(wanted)")
        if abs(found - wanted) > allowed { return }
      }
    }
    #expect(Set(expected.keys).subtracting(merged.keys).isEmpty)
  }

  /// A bfloat16 model, which PEFT merges with more roundings.
  @Test(arguments: cases)
  func theMergedModelIsNearWhatPEFTMergesInHalfPrecision(_ name: String) throws {
    let file = Self.root.appending(path: "\(name)/merged_bf16.safetensors")
    guard FileManager.default.fileExists(atPath: file.path) else { return }
    let merged = try AdapterCase(name).merged()
    for (tensor, wanted) in try Self.tensors(file) {
      let found = try #require(merged[tensor])
      for (found, wanted) in zip(found.numbers, wanted.numbers) {
        // The product and the sum are rounded each; the product may be as large as twice the sum.
        let allowed = abs(wanted) / 64 + 0.01
        #expect(abs(found - wanted) <= allowed, "\(tensor): \(found), not \(wanted)")
      }
    }
  }

  @Test(arguments: cases)
  func whatTheAdapterDoesNotNameStaysToTheByte(_ name: String) throws {
    let made = try AdapterCase(name)
    let merged = try made.merged()
    let base = try Self.tensors(made.model.appending(path: "model.safetensors"))
    let changed = try Self.tensors(Self.root.appending(path: "\(name)/merged.safetensors"))
    #expect(Set(base.keys) == Set(merged.keys))
    for (tensor, values) in base where changed[tensor] == nil {
      #expect(merged[tensor]?.bytes == values.bytes, "\(tensor)")
    }
  }

  static func tensors(_ file: URL) throws -> [String: Values] {
    let opened = try SafeTensorsFile(file.path)
    return try Dictionary(
      uniqueKeysWithValues: opened.header.tensors.map { entry in
        (entry.name, try Values(opened.runs(of: entry.name), entry.dtype))
      })
  }
}

/// A tensor's bytes, and its numbers.
struct Values {
  let bytes: [UInt8]
  let numbers: [Float]

  init(_ runs: ByteRuns, _ dtype: DType) throws {
    let buffer = ByteBuffer(capacity: max(1, runs.byteCount))
    try buffer.fill(runs)
    bytes = buffer.bytes(0..<runs.byteCount)
    numbers = try runs.floats(dtype: dtype)
  }
}

/// A case of fixtures/adapters.
struct AdapterCase {
  let adapter: URL
  let model: URL

  init(adapter: URL, model: URL) {
    self.adapter = adapter
    self.model = model
  }

  init(_ name: String) throws {
    adapter = PEFTMergeTests.root.appending(path: name)
    let text = try InputFile(adapter.appending(path: "case.json").path).readAll()
    let model = try JSON(parsing: text).object?["model"]?.string
    self.model = PEFTMergeTests.root.appending(path: "models/\(model ?? "")")
  }

  /// The merged model's tensors.
  func merged() throws -> [String: Values] {
    let base = try BaseModel(
      .init(pretrained: nil, model: model.path), adapter: adapter.path)
    let read = try Adapter(reading: adapter.path, for: base.model)
    let plan = try MergePlan([WeightedAdapter(read)], into: base, MergeOptions())
    return try Support.withTemporaryFolder { folder in
      try plan.transfer.run(in: folder.path, workers: 2, progress: TransferProgress())
      return try PEFTMergeTests.tensors(folder.appending(path: "model.safetensors"))
    }
  }
}
