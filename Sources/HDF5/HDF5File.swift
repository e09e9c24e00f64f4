import CHDF5
import Tensors

/// An HDF5 file open for reading: its datasets of numbers, in the order of their names.
///
/// HDF5 is used from one thread at a time.
public final class HDF5File {
  /// A dataset as the file describes it.
  public struct Dataset: Equatable, Sendable {
    /// With the groups it lies in, without a slash before them.
    public var name: String
    public var shape: Shape
    /// The type its numbers are given in: the file's own, or one that holds them.
    public var dtype: DType

    public var byteCount: Int { shape.count * dtype.byteWidth }
  }

  public let path: String
  public private(set) var datasets: [Dataset] = []
  private let handle: Handle
  /// The same file, for what lies in it as it is.
  private let file: InputFile

  /// The groups that have been looked into, so that a circle of links has an end.
  private var seen: Set<UInt64> = []

  /// - Throws: `HDF5Error.cannotOpen`, `.noNumbers` for a dataset of something else.
  public init(_ path: String) throws(HDF5Error) {
    chdf5_be_quiet()
    self.path = path
    do throws(FileError) {
      file = try InputFile(path)
    } catch {
      throw .file(error)
    }
    guard let handle = Handle(chdf5_open(path), H5Fclose),
      let root = Handle(H5Gopen2(handle.id, "/", 0), H5Gclose)
    else { throw .cannotOpen(file: path, reason: Handle.reason) }
    self.handle = handle
    try list(root, prefix: "")
  }

  public subscript(name: String) -> Dataset? { datasets.first { $0.name == name } }

  /// A dataset's numbers, row-major: where they lie in the file, or read into memory where they are
  /// compressed, cut into chunks or of a type of their own.
  ///
  /// - Throws: `HDF5Error.noSuchDataset`, `.cannotRead`.
  public func runs(of name: String) throws(HDF5Error) -> ByteRuns {
    guard let found = self[name] else { throw .noSuchDataset(file: path, dataset: name) }
    guard let dataset = Handle(H5Dopen2(handle.id, name, 0), H5Dclose) else { throw fault(name) }
    if let offset = Self.offset(of: dataset, as: found.dtype) {
      return ByteRuns(ByteRun(file: file, offset: offset, length: found.byteCount))
    }
    var bytes = [UInt8](repeating: 0, count: found.byteCount)
    guard H5Dread(dataset.id, Self.type(found.dtype), 0, 0, 0, &bytes) >= 0 else {
      throw fault(name)
    }
    return ByteRuns(bytes)
  }

  /// Where a dataset's numbers lie one after the other; `nil` where they do not, or are of another type.
  private static func offset(of dataset: Handle, as dtype: DType) -> Int? {
    guard let list = Handle(H5Dget_create_plist(dataset.id), H5Pclose),
      let type = Handle(H5Dget_type(dataset.id), H5Tclose),
      H5Pget_layout(list.id) == H5D_CONTIGUOUS, H5Pget_external_count(list.id) == 0,
      H5Tequal(type.id, Self.type(dtype)) > 0
    else { return nil }
    // A dataset that was never written lies nowhere.
    let offset = H5Dget_offset(dataset.id)
    return offset == haddr_t.max ? nil : Int(exactly: offset)
  }

  /// As HDF5 names the type.
  private static func type(_ dtype: DType) -> hid_t {
    switch dtype {
    case .float32: chdf5_float32()
    case .float64: chdf5_float64()
    default: chdf5_int64()
    }
  }

  private func fault(_ name: String) -> HDF5Error {
    .cannotRead(file: path, dataset: name, reason: Handle.reason)
  }

  // MARK: - Listing

  private func list(_ group: Handle, prefix: String) throws(HDF5Error) {
    var info = H5G_info_t()
    guard seen.insert(chdf5_address(group.id)).inserted, H5Gget_info(group.id, &info) >= 0 else {
      return
    }
    for index in 0..<info.nlinks {
      guard let name = Self.name(group, index) else { continue }
      let full = prefix + name
      // A link that leads nowhere is nothing to compare.
      guard let object = Handle(H5Oopen(group.id, name, 0), H5Oclose) else { continue }
      switch H5Iget_type(object.id) {
      case H5I_GROUP: try list(object, prefix: full + "/")
      case H5I_DATASET: datasets.append(try describe(object, full))
      default: continue
      }
    }
  }

  private static func name(_ group: Handle, _ index: hsize_t) -> String? {
    let length = H5Lget_name_by_idx(
      group.id, ".", H5_INDEX_NAME, H5_ITER_INC, index, nil, 0, 0)
    guard length > 0 else { return nil }
    var bytes = [CChar](repeating: 0, count: length + 1)
    H5Lget_name_by_idx(
      group.id, ".", H5_INDEX_NAME, H5_ITER_INC, index, &bytes, bytes.count, 0)
    return String(decoding: bytes.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private func describe(_ dataset: Handle, _ name: String) throws(HDF5Error) -> Dataset {
    guard let space = Handle(H5Dget_space(dataset.id), H5Sclose),
      let type = Handle(H5Dget_type(dataset.id), H5Tclose)
    else { throw fault(name) }
    let dtype: DType
    switch H5Tget_class(type.id) {
    case H5T_FLOAT: dtype = H5Tget_size(type.id) > 4 ? .float64 : .float32
    case H5T_INTEGER: dtype = .int64
    default: throw .noNumbers(file: path, dataset: name)
    }
    let rank = max(0, Int(H5Sget_simple_extent_ndims(space.id)))
    var sizes = [hsize_t](repeating: 0, count: max(1, rank))
    if rank > 0 { H5Sget_simple_extent_dims(space.id, &sizes, nil) }
    let shape = Shape(sizes.prefix(rank).map { Int(clamping: $0) })
    guard shape.checkedByteCount(dtype) != nil else {
      throw .cannotRead(file: path, dataset: name, reason: "its shape \(shape) is too large")
    }
    return Dataset(name: name, shape: shape, dtype: dtype)
  }
}
