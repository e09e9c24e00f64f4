import Tensors

/// A tensor in a file: where its elements lie, never the elements themselves.
///
/// Strides are as stored: PyTorch keeps those of a transposed tensor.
public struct StoredTensor: Sendable {
  public let file: InputFile
  /// The absolute byte of the element `[0, 0, …]`.
  public let offset: Int
  public let dtype: DType
  public let shape: Shape
  /// In elements, one for each axis; never negative.
  public let strides: [Int]

  /// The bytes of a region in row-major order; the whole tensor by default.
  public func runs(_ region: [Range<Int>]? = nil) -> ByteRuns {
    ByteRuns(
      file: file, offset: offset, shape: shape, strides: strides, elementSize: dtype.byteWidth,
      region: region)
  }
}

/// Turns the calls that rebuild tensors in a pickle into `StoredTensor`s, checked against storages.
struct TensorRebuilder {
  let place: TorchPlace
  let file: InputFile
  /// The bytes of each storage, by key.
  let storage: (_ key: String) throws(TorchFileError) -> Range<Int>

  /// More axes than any model has; PyTorch itself stops at 64.
  private static let mostAxes = 64

  static func isTensor(_ value: PickleValue) -> Bool {
    guard let object = value.object, object.module == "torch._utils" else { return false }
    return object.name.hasPrefix("_rebuild_")
  }

  func tensor(from value: PickleValue) throws(TorchFileError) -> StoredTensor {
    guard Self.isTensor(value), let object = value.object else {
      throw .notATensor(place, found: value.kind)
    }
    let arguments = object.arguments
    switch object.name {
    case "_rebuild_parameter", "_rebuild_parameter_with_state":
      guard let inner = arguments.first, inner.object !== object else { break }
      return try tensor(from: inner)
    case "_rebuild_tensor", "_rebuild_tensor_v2":
      guard arguments.count >= 4 else { break }
      let reference = try TorchStorageReference(arguments[0], place)
      guard let dtype = reference.dtype else {
        throw .malformedTensor(place, "storage \(reference.key) has no type")
      }
      return try tensor(arguments, reference, dtype)
    case "_rebuild_tensor_v3":
      guard arguments.count >= 7 else { break }
      let reference = try TorchStorageReference(arguments[0], place)
      guard reference.dtype == nil, case .global("torch", let name) = arguments[6],
        let dtype = DType(torchName: name)
      else {
        throw .malformedTensor(place, "its type is \(arguments[6].kind), which is not known here")
      }
      return try tensor(arguments, reference, dtype)
    default: throw .notATensor(place, found: value.kind)
    }
    throw .malformedTensor(place, "`\(object.name)` has \(arguments.count) arguments")
  }

  /// The tensor of arguments (storage, offset, shape, strides, …).
  private func tensor(
    _ arguments: [PickleValue], _ reference: TorchStorageReference, _ dtype: DType
  ) throws(TorchFileError) -> StoredTensor {
    guard let first = arguments[1].integer, first >= 0, let dimensions = numbers(arguments[2]),
      let strides = numbers(arguments[3]), dimensions.count == strides.count
    else { throw .malformedTensor(place, "its offset, shape or strides are no plain numbers") }
    let shape = Shape(dimensions)
    guard let count = shape.checkedCount, shape.checkedByteCount(dtype) != nil else {
      throw .malformedTensor(place, "its shape \(shape) is impossible")
    }
    let range = try storage(reference.key)
    guard range.count == reference.byteCount else {
      throw .storageSize(
        place, key: reference.key, expected: reference.byteCount, found: range.count)
    }
    let available = range.count / dtype.byteWidth
    let needed = count == 0 ? first : try end(from: first, dimensions, strides)
    // Elements that lie on one another (an expanded tensor) could be more than memory holds.
    guard needed <= available, count <= available else {
      throw .outsideStorage(
        place, key: reference.key, needed: max(needed, count), available: available)
    }
    return StoredTensor(
      file: file, offset: range.lowerBound + first * dtype.byteWidth, dtype: dtype, shape: shape,
      strides: strides)
  }

  /// One past the greatest element that is addressed.
  private func end(
    from first: Int, _ dimensions: [Int], _ strides: [Int]
  ) throws(TorchFileError) -> Int {
    var last = first
    for (dimension, stride) in zip(dimensions, strides) {
      let (step, tooFar) = (dimension - 1).multipliedReportingOverflow(by: stride)
      let (sum, overflow) = last.addingReportingOverflow(step)
      guard !tooFar, !overflow, sum < Int.max else {
        throw .malformedTensor(place, "its strides \(strides) are impossible")
      }
      last = sum
    }
    return last + 1
  }

  /// The numbers, none negative, of a tuple or a `torch.Size`.
  private func numbers(_ value: PickleValue) -> [Int]? {
    var value = value
    if let object = value.object, object.module == "torch", object.name == "Size",
      object.arguments.count == 1
    {
      value = object.arguments[0]
    }
    guard let items = value.tuple, items.count <= Self.mostAxes else { return nil }
    var result: [Int] = []
    for item in items {
      guard let number = item.integer, number >= 0 else { return nil }
      result.append(number)
    }
    return result
  }

  /// All tensors in dictionaries, lists and tuples, with their keys joined by dots.
  func tensors(
    in value: PickleValue
  ) throws(TorchFileError) -> [(path: String, tensor: StoredTensor)] {
    var found: [(path: String, tensor: StoredTensor)] = []
    try collect(value, at: "", into: &found)
    return found
  }

  private func collect(
    _ value: PickleValue, at path: String, into found: inout [(path: String, tensor: StoredTensor)]
  ) throws(TorchFileError) {
    if Self.isTensor(value) {
      found.append((path, try tensor(from: value)))
      return
    }
    switch value {
    case .tuple(let items): try collect(items, at: path, into: &found)
    case .list(let list): try collect(list.items, at: path, into: &found)
    case .dictionary, .object:
      for (key, item) in value.dictionary?.items ?? [] {
        let name: String? =
          switch key {
          case .string(let name): name
          case .integer(let number): String(number)
          default: nil
          }
        guard let name else {
          // A key that is no name (a tuple, a type) leads to state, not to weights.
          continue
        }
        try collect(item, at: path.isEmpty ? name : path + "." + name, into: &found)
      }
      if let list = value.object?.list { try collect(list.items, at: path, into: &found) }
    default: break
    }
  }

  private func collect(
    _ items: [PickleValue], at path: String,
    into found: inout [(path: String, tensor: StoredTensor)]
  ) throws(TorchFileError) {
    for (index, item) in items.enumerated() {
      try collect(item, at: path.isEmpty ? "\(index)" : "\(path).\(index)", into: &found)
    }
  }
}
