import Adapters
import Checkpoints
import Foundation
import SafeTensors
import Support
import Tensors
import Testing

/// An adapter that Megatron-Bridge wrote for one of the models in `bridge/`.
struct MegatronCase: CustomTestStringConvertible, Sendable {
  var model: String
  var adapter: String

  var testDescription: String { "\(model)/\(adapter)" }
  var folder: URL { Support.data("bridge/\(model)/\(adapter)") }
  var source: URL { Support.model("bridge/\(model)") }

  /// A folder of the case, or `nil` where it is not here.
  func beside(_ name: String) -> URL? {
    let folder = Support.data("bridge/\(model)/\(name)")
    return Support.names(in: "bridge/\(model)/\(name)").isEmpty ? nil : folder
  }

  func read() throws -> Adapter {
    try Adapter(megatron: folder.path, for: HuggingFaceModel(folder: source.path))
  }

  /// All that are here.
  static let all: [MegatronCase] = Support.names(in: "bridge").flatMap { model in
    Support.names(in: "bridge/\(model)").filter { $0.hasPrefix("lora") }
      .map { MegatronCase(model: model, adapter: $0) }
  }

  /// Those with something else beside them: `merged_per_expert` belongs to `lora_per_expert`.
  static func with(_ kind: String) -> [MegatronCase] {
    all.filter { $0.beside($0.adapter.replacingOccurrences(of: "lora", with: kind)) != nil }
  }
}

extension ByteRuns {
  func materialised() throws -> [UInt8] {
    let buffer = ByteBuffer(capacity: Swift.max(1, byteCount))
    try buffer.fill(self)
    return buffer.bytes(0..<byteCount)
  }

  /// The numbers as float32.
  func floats(_ dtype: DType) throws -> [Float] {
    let count = byteCount / dtype.byteWidth
    let source = ByteBuffer(capacity: Swift.max(8, byteCount))
    let target = ByteBuffer(capacity: Swift.max(8, count * 4))
    try source.fill(self)
    source.convert(count, from: dtype, to: .float32, into: target)
    return target.bytes(0..<count * 4).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }
}

extension Factor {
  func floats() throws -> [Float] { try runs().floats(dtype) }
  func bytes() throws -> [UInt8] { try runs().materialised() }
}

extension Change {
  var lowRank: LowRank? { if case .lowRank(let low) = kind { low } else { nil } }
}

extension LowRank {
  /// scale · B · A, row-major [outputs, inputs].
  func product() throws -> [Float] {
    let (a, b) = (try a.floats(), try b.floats())
    let (inputs, outputs) = (self.a.shape[1], self.b.shape[0])
    var result = [Float](repeating: 0, count: outputs * inputs)
    for row in 0..<outputs {
      for column in 0..<inputs {
        var sum: Float = 0
        for index in 0..<rank { sum += b[row * rank + index] * a[index * inputs + column] }
        result[row * inputs + column] = Float(scale) * sum
      }
    }
    return result
  }
}

/// The tensors of a safetensors folder.
func weights(in folder: URL) throws -> [String: (dtype: DType, shape: Shape, runs: ByteRuns)] {
  let folder = try ShardedFolder(folder.path)
  return try folder.tensors.reduce(into: [:]) { result, tensor in
    result[tensor.key] = (
      tensor.value.entry.dtype, tensor.value.entry.shape, try folder.runs(of: tensor.key)
    )
  }
}
