import Tensors

/// One safetensors file open for reading; its header is validated, its data are read when asked for.
///
/// It may also be a file that could be written: the header is there, and the tensors' bytes lie elsewhere.
public struct SafeTensorsFile: Sendable {
  private enum Contents: Sendable {
    case file(InputFile)
    /// By tensor.
    case elsewhere([String: ByteRuns])
  }

  public let path: String
  public let header: SafeTensorsHeader
  private let contents: Contents

  /// Opens a file, which may be a symbolic link, and reads its header.
  public init(_ path: String) throws(SafeTensorsError) {
    let file: InputFile
    do { file = try InputFile(path) } catch { throw .file(error) }
    try self.init(file)
  }

  /// A file that is open, which may be arriving still: its header is waited for.
  package init(_ file: InputFile) throws(SafeTensorsError) {
    path = file.path
    contents = .file(file)
    header = try SafeTensorsHeader(reading: file)
  }

  /// A file that is not there, whose tensors are.
  package init(path: String, header: SafeTensorsHeader, contents: [String: ByteRuns]) {
    self.path = path
    self.header = header
    self.contents = .elsewhere(contents)
  }

  /// The bytes of the whole file, those behind the data too.
  public var size: Int {
    switch contents {
    case .file(let file): file.size
    case .elsewhere: header.fileSize
    }
  }

  public subscript(name: String) -> TensorEntry? { header[name] }

  /// Says what of the file is there, where it is still arriving.
  package var arrival: (any Arrival)? {
    if case .file(let file) = contents { file.arrival } else { nil }
  }

  /// Where a tensor's bytes lie: one run, or none for a tensor without elements.
  ///
  /// - Throws: `SafeTensorsError.noSuchTensor`, and `.subByteData` for elements smaller than a byte.
  public func runs(of name: String) throws(SafeTensorsError) -> ByteRuns {
    guard let entry = header[name] else { throw .noSuchTensor(file: path, tensor: name) }
    guard !entry.dtype.isSubByte else {
      throw .subByteData(file: path, tensor: name, dtype: entry.dtype)
    }
    switch contents {
    case .file(let file):
      return ByteRuns(
        ByteRun(
          file: file, offset: header.dataOffset + entry.range.lowerBound, length: entry.byteCount))
    case .elsewhere(let tensors):
      return tensors[name] ?? ByteRuns()
    }
  }
}
