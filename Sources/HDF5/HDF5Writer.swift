import CHDF5
import Glibc
import Tensors

/// An HDF5 file being written: datasets of float32 and int64 numbers, in groups by their names.
///
/// It is written beside its destination and takes its place when it is finished; one that is not goes
/// with the value. HDF5 is used from one thread at a time.
public final class HDF5Writer {
  public let path: String
  private let staged: String
  private var file: Handle?

  /// - Throws: `HDF5Error.cannotCreate`.
  public init(_ path: String) throws(HDF5Error) {
    chdf5_be_quiet()
    self.path = Folder.absolute(path)
    staged = "\(Folder.parent(self.path))/.\(Folder.name(self.path)).isthmus-\(getpid())"
    guard !Folder.isFolder(self.path) else {
      throw .cannotCreate(file: path, reason: "it is a folder")
    }
    guard let file = Handle(chdf5_create(staged), H5Fclose) else {
      throw .cannotCreate(file: path, reason: Handle.reason)
    }
    self.file = file
  }

  deinit { discard() }

  /// Removes what has been written, for whoever ends the process meanwhile.
  public var removal: @Sendable () -> Void {
    let staged = staged
    return { unlink(staged) }
  }

  /// Removes what has been written; nothing where it is finished.
  public func discard() {
    guard file != nil else { return }
    file = nil
    unlink(staged)
  }

  /// Writes a single number.
  public func write(_ value: Float, to name: String) throws(HDF5Error) {
    try dataset(name, shape: []).append([value])
  }

  /// Writes whole numbers.
  ///
  /// - Parameter values: as many as the shape has elements, row-major.
  public func write(_ values: [Int64], to name: String, shape: [Int]) throws(HDF5Error) {
    precondition(values.count == shape.reduce(1, *))
    let dataset = try Dataset(path, try open(), name, shape, chdf5_int64())
    try dataset.append(values.count) { range, memory, space in
      H5Dwrite(dataset.id, chdf5_native_int64(), memory, space, 0, Array(values[range]))
    }
  }

  /// A dataset of float32 numbers that is filled from the front.
  public func dataset(_ name: String, shape: [Int]) throws(HDF5Error) -> Dataset {
    try Dataset(path, try open(), name, shape, chdf5_float32())
  }

  private func open() throws(HDF5Error) -> Handle {
    guard let file else { throw .cannotCreate(file: path, reason: "it is finished already") }
    return file
  }

  /// Flushes the file and gives it its name.
  ///
  /// - Throws: `HDF5Error.cannotPublish`, `.cannotWrite`.
  public func finish() throws(HDF5Error) {
    guard let id = file?.id else { return }
    guard H5Fflush(id, H5F_SCOPE_GLOBAL) >= 0 else {
      let reason = Handle.reason
      discard()
      throw .cannotWrite(file: path, dataset: "/", reason: reason)
    }
    file = nil
    do throws(FileError) {
      try Folder.flush(file: staged)
      try Folder.publish(staged, as: path)
    } catch {
      unlink(staged)
      throw .cannotPublish(file: path, reason: "\(error)")
    }
  }
}

extension HDF5Writer {
  /// A dataset being filled: its elements one after the other, row-major.
  public final class Dataset {
    private let file: String
    private let name: String
    private let shape: [Int]
    private let dataset: Handle
    private let space: Handle
    private var filled = 0

    var id: hid_t { dataset.id }

    init(
      _ file: String, _ handle: Handle, _ name: String, _ shape: [Int], _ type: hid_t
    ) throws(HDF5Error) {
      let sizes = shape.map(hsize_t.init)
      let space =
        shape.isEmpty
        ? H5Screate(H5S_SCALAR) : H5Screate_simple(Int32(shape.count), sizes, nil)
      guard let space = Handle(space, H5Sclose),
        let dataset = Handle(chdf5_create_dataset(handle.id, name, type, space.id), H5Dclose)
      else { throw .cannotWrite(file: file, dataset: name, reason: Handle.reason) }
      self.file = file
      self.name = name
      self.shape = shape
      self.dataset = dataset
      self.space = space
    }

    /// Writes the next elements.
    public func append(_ values: [Float]) throws(HDF5Error) {
      try append(values.count) { range, memory, space in
        let part = range.count == values.count ? values : Array(values[range])
        return H5Dwrite(id, chdf5_native_float(), memory, space, 0, part)
      }
    }

    /// - Parameter write: given which of the elements, and HDF5's spaces in memory and in the file.
    func append(
      _ count: Int, _ write: (Range<Int>, hid_t, hid_t) -> herr_t
    ) throws(HDF5Error) {
      precondition(filled + count <= shape.reduce(1, *))
      if shape.isEmpty, count == 1 {
        filled = 1
        guard write(0..<1, 0, 0) >= 0 else { throw fault }
        return
      }
      var done = 0
      for block in Block.blocks(filled..<filled + count, of: shape) {
        let size = [hsize_t(block.elements)]
        guard let memory = Handle(H5Screate_simple(1, size, nil), H5Sclose) else { throw fault }
        // Closing what is open would make HDF5 forget why something failed.
        try withExtendedLifetime(memory) { () throws(HDF5Error) in
          guard
            H5Sselect_hyperslab(
              space.id, H5S_SELECT_SET, block.start, nil, block.count, nil) >= 0,
            write(done..<done + block.elements, memory.id, space.id) >= 0
          else { throw fault }
        }
        done += block.elements
      }
      filled += count
    }

    private var fault: HDF5Error {
      .cannotWrite(file: file, dataset: name, reason: Handle.reason)
    }
  }
}
