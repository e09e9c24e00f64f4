import Blueprint
import SafeTensors
import Tensors

/// The tensors of a Hugging Face folder as the numbers they stand for, whatever their files hold.
///
/// Plain tensors are as they are. Quantised ones are float32, computed as they are read; their scales
/// are no tensors of their own.
struct SourceTensors: Sendable {
  /// One tensor of numbers.
  struct Tensor: Sendable {
    let shape: Shape
    let storage: Storage
    /// The type of the numbers: of quantised ones, float32.
    let dtype: DType

    var isQuantised: Bool { if case .plain = storage { false } else { true } }

    /// Whether the stored matrices have the outputs as rows although the shape has them as columns.
    var isOutputFirst: Bool { if case .microscaled = storage { true } else { false } }
  }

  enum Storage: Sendable {
    case plain
    case blockScaled(scales: String, ByteRuns.Blocks)
    case microscaled(codes: String, scales: String, blocks: Int)
  }

  let weights: ShardedFolder
  /// What is made of some of them.
  var overlay = TensorOverlay()
  private var tensors: [String: Tensor] = [:]
  /// Of each name in the files the tensor it serves, where that has another name.
  private var owners: [String: String] = [:]
  /// What the user should know.
  private(set) var notes: [String] = []

  /// - Throws: `ConversionError.badQuantisation` for codes without scales, scales without codes, and
  ///   shapes that do not fit each other.
  init(_ weights: ShardedFolder, _ quantisation: Quantisation?) throws(ConversionError) {
    self.weights = weights
    var idle: [String] = []
    switch quantisation {
    case nil: break
    case .blockFP8(let rows, let columns):
      idle = Self.inputScales(weights)
      try addFP8(block: (rows, columns))
    case .tensorFP8:
      idle = Self.inputScales(weights)
      try addFP8(block: nil)
    case .microscaledFP4:
      try addFP4()
    }
    if !idle.isEmpty {
      notes.append(
        "\(idle.count) scales of layers' inputs serve only to compute in eight bits; left out.")
    }
    for name in idle { owners[name] = name }
  }

  /// Whether any tensor is quantised.
  var isQuantised: Bool { !tensors.isEmpty }

  subscript(name: String) -> Tensor? {
    if let tensor = tensors[name] { return tensor }
    guard owners[name] == nil, let entry = weights[name] else { return nil }
    return Tensor(shape: entry.shape, storage: .plain, dtype: entry.dtype)
  }

  /// The names of all tensors of numbers, in the order of the files.
  var names: [String] {
    weights.names.compactMap { name in
      guard let owner = owners[name] else { return name }
      // Codes of another name stand for their tensor, scales for nothing.
      if case .microscaled(name, _, _) = tensors[owner]?.storage { return owner }
      return nil
    }
  }

  /// The names in the files that a tensor is made of.
  func storedNames(of name: String) -> [String] {
    switch tensors[name]?.storage {
    case .blockScaled(let scales, _): [name, scales]
    case .microscaled(let codes, let scales, _): [codes, scales]
    case .plain, nil: [name]
    }
  }

  /// A tensor's numbers, row-major; of those that are `isOutputFirst` with the last two axes exchanged.
  ///
  /// - Parameter dtype: the tensor's own type, or another floating-point type.
  func runs(of name: String, as dtype: DType) throws(SafeTensorsError) -> ByteRuns {
    let tensor = self[name]
    let found: ByteRuns
    switch tensor?.storage {
    case .plain, nil:
      found = try weights.runs(of: name)
    case .blockScaled(let scales, let blocks):
      found = .blockScaled(
        try weights.runs(of: name), scales: try weights.runs(of: scales),
        weights[scales]?.dtype ?? .float32, blocks)
    case .microscaled(let codes, let scales, let blocks):
      found = .microscaled(
        try weights.runs(of: codes), scales: try weights.runs(of: scales), blocks: blocks)
    }
    guard let tensor else { return found }
    let changed = overlay.apply(to: name, found, tensor.dtype)
    guard tensor.dtype != dtype else { return changed }
    let width =
      (tensor.isOutputFirst ? tensor.shape.dimensions.dropLast() : tensor.shape.dimensions[...])
      .last
    return changed.converted(from: tensor.dtype, to: dtype, width: width ?? 1)
  }

  // MARK: - Finding what belongs together

  private static let scaleEnding = "_scale_inv"
  private static let scaleTypes: Set<DType> = [.float32, .bfloat16, .float16, .float8E8M0]

  private static func inputScales(_ weights: ShardedFolder) -> [String] {
    weights.names.filter { $0.hasSuffix(".activation_scale") || $0.hasSuffix("_activation_scale") }
  }

  private mutating func addFP8(block: (rows: Int, columns: Int)?) throws(ConversionError) {
    for name in weights.names {
      guard let entry = weights[name] else { continue }
      if name.hasSuffix(Self.scaleEnding) {
        let owner = String(name.dropLast(Self.scaleEnding.count))
        guard weights[owner]?.dtype == .float8E4M3 else {
          throw fault(name, "it is the scale of \(owner), which is not there in eight bits")
        }
        owners[name] = owner
      }
      guard entry.dtype == .float8E4M3 else { continue }
      let scales = name + Self.scaleEnding
      guard let found = weights[scales] else {
        throw fault(name, "its numbers of eight bits have no scale \(scales)")
      }
      guard Self.scaleTypes.contains(found.dtype) else {
        throw fault(scales, "scales of the type \(found.dtype.rawValue) are not known")
      }
      let dimensions = entry.shape.dimensions
      guard dimensions.count == 2 || dimensions.count == 3, !dimensions.contains(0) else {
        throw fault(name, "a tensor of shape \(entry.shape) has no blocks")
      }
      let (rows, columns) = (dimensions[dimensions.count - 2], dimensions[dimensions.count - 1])
      let blocks = ByteRuns.Blocks(
        matrices: dimensions.dropLast(2).reduce(1, *), rows: rows, columns: columns,
        blockRows: block?.rows ?? rows, blockColumns: block?.columns ?? columns)
      let expected = Shape(dimensions.dropLast(2) + [blocks.scaleRows, blocks.scaleColumns])
      let fits = block == nil ? found.shape.count == expected.count : found.shape == expected
      guard fits else {
        throw fault(
          scales, "its shape is \(found.shape), but the blocks of \(name) make \(expected)")
      }
      tensors[name] = Tensor(
        shape: entry.shape, storage: .blockScaled(scales: scales, blocks), dtype: .float32)
    }
  }

  private mutating func addFP4() throws(ConversionError) {
    let (codeEnding, scaleEnding) = ("_blocks", "_scales")
    for name in weights.names {
      guard let entry = weights[name] else { continue }
      if name.hasSuffix(scaleEnding) {
        let codes = String(name.dropLast(scaleEnding.count)) + codeEnding
        guard weights[codes] != nil else { throw fault(name, "its numbers \(codes) are missing") }
      }
      guard name.hasSuffix(codeEnding) else { continue }
      let owner = String(name.dropLast(codeEnding.count))
      let scales = owner + scaleEnding
      guard let found = weights[scales] else {
        throw fault(name, "its scales \(scales) are missing")
      }
      for (name, type) in [(name, entry.dtype), (scales, found.dtype)] where type != .uint8 {
        throw fault(name, "its type is \(type.rawValue), not U8")
      }
      // [experts, rows, blocks, 16 bytes] and a scale for each block.
      let dimensions = entry.shape.dimensions
      guard dimensions.count == 4, dimensions[3] == 16 else {
        throw fault(name, "its shape is \(entry.shape), not [experts, rows, blocks, 16]")
      }
      guard found.shape.dimensions == Array(dimensions.dropLast()) else {
        throw fault(
          scales, "its shape is \(found.shape), but \(name) needs \(Shape(dimensions.dropLast()))")
      }
      owners[name] = owner
      owners[scales] = owner
      // The plain tensor has the outputs as columns.
      tensors[owner] = Tensor(
        shape: [dimensions[0], dimensions[2] * 32, dimensions[1]],
        storage: .microscaled(codes: name, scales: scales, blocks: dimensions[2]),
        dtype: .float32)
    }
  }

  private func fault(_ tensor: String, _ reason: String) -> ConversionError {
    .badQuantisation(tensor: tensor, folder: weights.path, reason: reason)
  }
}

extension TensorSet {
  /// The tensors of a Hugging Face folder as plain numbers.
  ///
  /// - Parameter type: the type to give a quantised tensor's numbers in.
  init(_ source: SourceTensors, type: (String) -> DType?) {
    guard source.isQuantised else {
      self.init(source.weights)
      return
    }
    self.init(
      source.names.compactMap { name in
        guard let tensor = source[name] else { return nil }
        let wanted = tensor.isQuantised ? type(name) ?? tensor.dtype : tensor.dtype
        let dtype = wanted.isFloat ? wanted : tensor.dtype
        return Tensor(name: name, dtype: dtype, shape: tensor.shape, pieces: 1) { name in
          let runs = try source.runs(of: name, as: dtype)
          guard tensor.isOutputFirst else { return runs }
          return runs.transposed(
            matrices: tensor.shape[0], height: tensor.shape[2], elementSize: dtype.byteWidth)
        }
      })
  }
}
