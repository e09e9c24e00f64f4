import Tensors

/// One safetensors file open for reading; its header is validated, its data are read when asked for.
public struct SafeTensorsFile: Sendable {
  public let file: InputFile
  public let header: SafeTensorsHeader

  public var path: String { file.path }

  /// Opens a file, which may be a symbolic link, and reads its header.
  public init(_ path: String) throws(SafeTensorsError) {
    do { file = try InputFile(path) } catch { throw .file(error) }
    header = try SafeTensorsHeader(reading: file)
  }

  public subscript(name: String) -> TensorEntry? { header[name] }

  /// Where a tensor's bytes lie: one run, or none for a tensor without elements.
  ///
  /// - Throws: `SafeTensorsError.noSuchTensor`, and `.subByteData` for elements smaller than a byte.
  public func runs(of name: String) throws(SafeTensorsError) -> ByteRuns {
    guard let entry = header[name] else { throw .noSuchTensor(file: path, tensor: name) }
    guard !entry.dtype.isSubByte else {
      throw .subByteData(file: path, tensor: name, dtype: entry.dtype)
    }
    return ByteRuns(
      ByteRun(
        file: file, offset: header.dataOffset + entry.range.lowerBound, length: entry.byteCount))
  }
}
