import Checkpoints
import MegatronFormat
import SafeTensors
import Tensors

/// The tensors in an adapter's file, whatever the file's format; what their names mean is no business
/// of this type.
struct AdapterTensors: Sendable {
  let file: String
  private let factors: [String: Factor]

  /// The names, ordered by their bytes.
  let names: [String]

  /// Opens `name.safetensors` or, where that is not there, what `torch.save` wrote as `name.bin`.
  ///
  /// - Throws: `AdapterError.malformed` if neither is there; what opening them throws.
  init(folder: String, name: String) throws {
    let (plain, torch) = ("\(folder)/\(name).safetensors", "\(folder)/\(name).bin")
    var factors: [String: Factor] = [:]
    if Folder.isFile(plain) {
      file = plain
      let opened = try SafeTensorsFile(plain)
      for entry in opened.header.tensors {
        factors[entry.name] = Factor(name: entry.name, dtype: entry.dtype, shape: entry.shape) {
          try opened.runs(of: entry.name)
        }
      }
    } else if Folder.isFile(torch) {
      file = torch
      for (path, tensor) in try TorchFile(path: torch).tensors() {
        factors[path] = Factor(name: path, dtype: tensor.dtype, shape: tensor.shape) {
          tensor.runs()
        }
      }
    } else {
      throw AdapterError.malformed(
        file: folder, place: "\(name).safetensors",
        reason: "it is missing, and so is \(name).bin; copy the adapter's weights there")
    }
    if let odd = factors.values.filter({ !$0.dtype.isFloat }).map(\.name).min() {
      throw AdapterError.malformed(
        file: file, place: odd,
        reason: "it holds \(factors[odd]?.dtype.rawValue ?? "?"), but an adapter is of "
          + "floating-point numbers; save it in plain numbers")
    }
    guard !factors.isEmpty else {
      throw AdapterError.malformed(
        file: file, place: "tensors", reason: "there are none; check how the adapter was saved")
    }
    self.factors = factors
    names = factors.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  subscript(name: String) -> Factor? { factors[name] }
}

extension Factor {
  /// The matrix with rows and columns exchanged.
  var transposed: Factor {
    let height = shape[shape.rank - 2]
    let matrices = shape.dimensions.dropLast(2).reduce(1, *)
    var result = self
    result.shape.dimensions.swapAt(shape.rank - 2, shape.rank - 1)
    result.runs = { [runs, dtype] in
      try runs().transposed(matrices: matrices, height: height, elementSize: dtype.byteWidth)
    }
    return result
  }

  /// The same elements as an array of another shape.
  func reshaped(_ shape: Shape) -> Factor {
    var result = self
    result.shape = shape
    return result
  }

  /// Every `stride`-th of a matrix' rows.
  func rows(first: Int, count: Int, stride: Int = 1) -> Factor {
    let rowBytes = shape[1] * dtype.byteWidth
    var result = self
    result.shape = [count, shape[1]]
    result.runs = { [runs] in
      try runs().rows(first: first, count: count, stride: stride, rowBytes: rowBytes)
    }
    return result
  }

  /// The same under a name that tells it from its siblings.
  func named(_ suffix: String) -> Factor {
    var result = self
    result.name += suffix
    return result
  }
}
