import Tensors

/// The classes that PyTorch gives storages, one for each of its older number formats.
enum TorchStorage {
  private static let classes: [(name: String, dtype: DType)] = [
    ("FloatStorage", .float32), ("BFloat16Storage", .bfloat16), ("HalfStorage", .float16),
    ("DoubleStorage", .float64), ("LongStorage", .int64), ("IntStorage", .int32),
    ("ShortStorage", .int16), ("CharStorage", .int8), ("ByteStorage", .uint8),
    ("BoolStorage", .bool), ("ComplexFloatStorage", .complex64),
  ]

  /// Every name a pickle may hold; formats without a `DType` are refused when they are used.
  static let classNames = Set(classes.map(\.name)).union(["ComplexDoubleStorage"])

  static func dtype(className: String) -> DType? {
    classes.first { $0.name == className }?.dtype
  }

  /// The class for a format; `nil` for formats newer than classes, which lie in untyped storages.
  static func className(of dtype: DType) -> String? {
    classes.first { $0.dtype == dtype }?.name
  }
}

/// A persistent identifier's content: `('storage', class, key, location, count)`.
struct TorchStorageReference {
  let key: String
  /// `nil` for an untyped storage.
  let dtype: DType?
  let byteCount: Int

  init(_ value: PickleValue, _ place: TorchPlace) throws(TorchFileError) {
    guard case .persistent(let reference) = value, let fields = reference.value.tuple,
      fields.count == 5 || fields.count == 6, fields[0].string == "storage",
      case .global(let module, let name) = fields[1], let key = fields[2].string,
      let count = fields[4].integer, count >= 0
    else { throw .malformedTensor(place, "its storage is \(value.kind)") }
    if fields.count == 6, case .none = fields[5] {
    } else if fields.count == 6 {
      throw .malformedTensor(place, "storage \(key) is a view of another, as PyTorch 0.3 wrote")
    }
    switch (module, name) {
    case ("torch.storage", "UntypedStorage"), ("torch.storage", "_UntypedStorage"): dtype = nil
    default:
      guard module == "torch", let known = TorchStorage.dtype(className: name) else {
        throw .unknownStorage(place, name: "\(module).\(name)")
      }
      dtype = known
    }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: dtype?.byteWidth ?? 1)
    guard !overflow else { throw .malformedTensor(place, "storage \(key) is impossibly large") }
    self.key = key
    byteCount = bytes
  }
}
