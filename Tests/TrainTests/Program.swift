import Foundation
import HDF5
import SafeTensors
import Support
import Tensors
import Testing

/// The built program, run as a user runs it.
let program = BuiltProgram("train")
let convert = BuiltProgram("convert")

/// A model in the repository that lies there whole.
let llama = Support.data("bridge/llama/hf").path

/// A safetensors file of int64 tensors.
func writeInputs(_ tensors: [String: (shape: [Int], values: [Int64])], to url: URL) throws {
  try HandMade.write(
    tensors.sorted { $0.key < $1.key }.map { name, tensor in
      HandMade(
        name: name, dtype: "I64", shape: tensor.shape,
        bytes: tensor.values.flatMap { value in
          (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
        })
    }, to: url)
}

extension HDF5File {
  func floats(_ name: String) throws -> [Float] {
    try runs(of: name).floats(dtype: .float32)
  }
}
