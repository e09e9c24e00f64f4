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
    public var shape: [Int]
    public var isInteger: Bool

    public var count: Int { shape.reduce(1, *) }
  }

  public let path: String
  public private(set) var datasets: [Dataset] = []
  private let file: Handle

  /// The deepest groups that are looked into, so that a circle of links has an end.
  private static let depth = 32

  /// - Throws: `HDF5Error.cannotOpen`, `.noNumbers` for a dataset of something else.
  public init(_ path: String) throws(HDF5Error) {
    chdf5_be_quiet()
    self.path = path
    guard Folder.isFile(path) else {
      throw .cannotOpen(file: path, reason: "there is no such file")
    }
    guard let file = Handle(chdf5_open(path), H5Fclose) else {
      throw .cannotOpen(file: path, reason: Handle.reason)
    }
    self.file = file
    guard let root = Handle(H5Gopen2(file.id, "/", 0), H5Gclose) else {
      throw .cannotOpen(file: path, reason: Handle.reason)
    }
    try list(root, prefix: "", depth: Self.depth)
  }

  public subscript(name: String) -> Dataset? { datasets.first { $0.name == name } }

  /// Some of a dataset's numbers, row-major.
  public func values(_ name: String, _ range: Range<Int>) throws(HDF5Error) -> [Double] {
    let found = try dataset(name, range)
    var values: [Double] = []
    values.reserveCapacity(range.count)
    try read(found, range) { count, memory, space in
      var part = [Double](repeating: 0, count: count)
      let status = H5Dread(found.id, chdf5_native_double(), memory, space, 0, &part)
      values += part
      return status
    }
    return values
  }

  /// All of a dataset's numbers, as whole ones.
  public func integers(_ name: String) throws(HDF5Error) -> [Int64] {
    let range = 0..<(self[name]?.count ?? 0)
    let found = try dataset(name, range)
    var values: [Int64] = []
    try read(found, range) { count, memory, space in
      var part = [Int64](repeating: 0, count: count)
      let status = H5Dread(found.id, chdf5_native_int64(), memory, space, 0, &part)
      values += part
      return status
    }
    return values
  }

  // MARK: - Reading

  private struct Open {
    var description: Dataset
    var handle: Handle
    var space: Handle
    var id: hid_t { handle.id }
  }

  private func dataset(_ name: String, _ range: Range<Int>) throws(HDF5Error) -> Open {
    guard let description = self[name] else { throw .noSuchDataset(file: path, dataset: name) }
    precondition(range.lowerBound >= 0 && range.upperBound <= description.count)
    guard let handle = Handle(H5Dopen2(file.id, name, 0), H5Dclose),
      let space = Handle(H5Dget_space(handle.id), H5Sclose)
    else { throw .cannotRead(file: path, dataset: name, reason: Handle.reason) }
    return Open(description: description, handle: handle, space: space)
  }

  /// - Parameter body: reads so many elements, given HDF5's spaces in memory and in the file.
  private func read(
    _ open: Open, _ range: Range<Int>, _ body: (Int, hid_t, hid_t) -> herr_t
  ) throws(HDF5Error) {
    func fault() -> HDF5Error {
      .cannotRead(file: path, dataset: open.description.name, reason: Handle.reason)
    }
    if open.description.shape.isEmpty {
      if !range.isEmpty, body(1, 0, 0) < 0 { throw fault() }
      return
    }
    for block in Block.blocks(range, of: open.description.shape) {
      let size = [hsize_t(block.elements)]
      guard let memory = Handle(H5Screate_simple(1, size, nil), H5Sclose),
        H5Sselect_hyperslab(
          open.space.id, H5S_SELECT_SET, block.start, nil, block.count, nil) >= 0,
        body(block.elements, memory.id, open.space.id) >= 0
      else { throw fault() }
    }
  }

  // MARK: - Listing

  private func list(_ group: Handle, prefix: String, depth: Int) throws(HDF5Error) {
    var info = H5G_info_t()
    guard depth > 0, H5Gget_info(group.id, &info) >= 0 else { return }
    for index in 0..<info.nlinks {
      guard let name = Self.name(group, index) else { continue }
      let full = prefix + name
      // A link that leads nowhere is nothing to compare.
      guard let object = Handle(H5Oopen(group.id, name, 0), H5Oclose) else { continue }
      switch H5Iget_type(object.id) {
      case H5I_GROUP: try list(object, prefix: full + "/", depth: depth - 1)
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
    else { throw .cannotRead(file: path, dataset: name, reason: Handle.reason) }
    let kind = H5Tget_class(type.id)
    guard kind == H5T_FLOAT || kind == H5T_INTEGER else {
      throw .noNumbers(file: path, dataset: name)
    }
    let rank = max(0, Int(H5Sget_simple_extent_ndims(space.id)))
    var sizes = [hsize_t](repeating: 0, count: max(1, rank))
    if rank > 0 { H5Sget_simple_extent_dims(space.id, &sizes, nil) }
    return Dataset(
      name: name, shape: sizes.prefix(rank).map { Int(clamping: $0) },
      isInteger: kind == H5T_INTEGER)
  }
}
