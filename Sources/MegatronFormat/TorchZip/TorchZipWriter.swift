import Tensors

/// A `torch.save` archive of one tensor, laid out before its data is known.
///
/// The bytes of the item are `prefix`, the tensor's `dataLength` bytes in row-major order, and
/// `suffix`. They equal what PyTorch 2.7 and later write for the same tensor.
public struct TorchItem: Sendable {
  /// Everything before the data, which begins at a multiple of 64 bytes.
  public let prefix: [UInt8]
  public let dataLength: Int
  /// Where the data begins, counted from the start of the item.
  public var dataOffset: Int { prefix.count }
  public let totalLength: Int
  private let layout: ZipLayout

  /// Lays out an item.
  ///
  /// - Parameter archive: the folder of the records: `archive` for a stream, a file's stem for a file.
  /// - Throws: `TorchFileError.notStorable` for a type PyTorch does not have or an impossible shape.
  public init(
    dtype: DType, shape: Shape, archive: String = "archive"
  ) throws(TorchFileError) {
    let value = try PickleValue.tensor(key: "0", dtype: dtype, shape: shape)
    guard let length = shape.checkedByteCount(dtype), length < 1 << 62 else {
      throw .notStorable(dtype, shape)
    }
    var layout = ZipLayout(folder: archive)
    prefix =
      layout.record("data.pkl", Pickler.dump(value, protocol: 2)) + layout.settings()
      + layout.open("data/0", size: length)
    dataLength = length
    self.layout = layout
    var rest = layout
    totalLength = prefix.count + length + (rest.close(crc32: 0) + rest.end()).count
  }

  /// Everything behind the data.
  ///
  /// - Parameter crc32: of the data, with zip's polynomial.
  public func suffix(crc32: UInt32) -> [UInt8] {
    var layout = layout
    return layout.close(crc32: crc32) + layout.end()
  }
}

extension TorchZip {
  /// A whole small `torch.save` file.
  ///
  /// - Parameters:
  ///   - value: may hold tensors (`PickleValue.tensor`) with the keys `0`, `1`, ….
  ///   - name: the folder of the records: for a file its stem (`common` for `common.pt`).
  ///   - tensors: the bytes of storage `0`, `1`, … in order.
  public static func archive(
    of value: PickleValue, name: String = "archive", tensors: [[UInt8]] = []
  ) -> [UInt8] {
    var layout = ZipLayout(folder: name)
    var bytes = layout.record("data.pkl", Pickler.dump(value, protocol: 2)) + layout.settings()
    for (index, tensor) in tensors.enumerated() {
      bytes += layout.record("data/\(index)", tensor)
    }
    return bytes + layout.end()
  }
}

extension ZipLayout {
  /// The records that say how the archive is to be read.
  fileprivate mutating func settings() -> [UInt8] {
    record(".format_version", Array("1".utf8)) + record(".storage_alignment", Array("64".utf8))
      + record("byteorder", Array("little".utf8))
  }
}

extension PickleValue {
  /// The call that rebuilds a row-major tensor which fills a storage.
  ///
  /// - Parameter key: of the storage: the record `data/<key>` holds its bytes.
  /// - Throws: `TorchFileError.notStorable` for a type PyTorch does not have or an impossible shape.
  public static func tensor(
    key: String, dtype: DType, shape: Shape
  ) throws(TorchFileError) -> PickleValue {
    guard let name = dtype.torchName, let count = shape.checkedCount,
      let byteCount = shape.checkedByteCount(dtype)
    else { throw .notStorable(dtype, shape) }
    let typed = TorchStorage.className(of: dtype)
    let kind: PickleValue =
      if let typed {
        .global(module: "torch", name: typed)
      } else {
        .global(module: "torch.storage", name: "UntypedStorage")
      }
    let storage = PickleReference(
      .tuple([
        .string("storage"), kind, .string(key), .string("cpu"),
        .integer(typed == nil ? byteCount : count),
      ]))
    var arguments: [PickleValue] = [
      .persistent(storage), .integer(0), .tuple(shape.dimensions.map { .integer($0) }),
      .tuple(shape.strides.map { .integer($0) }), .bool(false),
      .object(PickleObject(module: "collections", name: "OrderedDict")),
    ]
    if typed == nil { arguments.append(.global(module: "torch", name: name)) }
    return .object(
      PickleObject(
        module: "torch._utils",
        name: typed == nil ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2", arguments: arguments))
  }
}
