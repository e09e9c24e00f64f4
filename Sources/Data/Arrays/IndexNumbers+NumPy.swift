import Tensors

extension IndexNumbers {
  /// Maps the numbers of an `.npy` file, row by row.
  ///
  /// - Parameters:
  ///   - types: the types it may have, as NumPy codes them.
  ///   - columns: numbers in a row; 1 for an array of one dimension.
  package init(file path: String, types: [String], columns: Int = 1) throws(IndexedError) {
    let file = try IndexedError.files { () throws(FileError) in try InputFile(path) }
    let header = try NumPyHeader(file)
    func malformed(_ problem: String) -> IndexedError {
      .malformedArray(file: path, problem: problem)
    }
    guard types.contains(header.type) else {
      throw malformed("its type is \(header.type), not \(types.joined(separator: " or "))")
    }
    let isRight =
      columns == 1 ? header.shape.count == 1 : header.shape.count == 2 && header.shape[1] == columns
    guard isRight, !header.isColumnMajor, let count = header.count else {
      throw malformed("its shape is \(header.shape)")
    }
    let width = header.type == "<i2" ? 2 : header.type == "<i8" ? 8 : 4
    guard count <= file.size, file.size == header.dataOffset + count * width else {
      throw malformed("its \(count) numbers and its \(file.size) bytes do not agree")
    }
    do throws(FileError) {
      switch header.type {
      case "<i2": self = .mappedInt16(try MappedNumbers(file, at: header.dataOffset, count: count))
      case "<i4": self = .mappedInt32(try MappedNumbers(file, at: header.dataOffset, count: count))
      case "<u4": self = .mappedUInt32(try MappedNumbers(file, at: header.dataOffset, count: count))
      default: self = .mappedInt64(try MappedNumbers(file, at: header.dataOffset, count: count))
      }
    } catch { throw .file(error) }
  }

  /// Writes the numbers as `numpy.save` does; whoever looks sees the old file or the new.
  func save(to path: String, columns: Int = 1) throws(IndexedError) {
    let header = NumPyHeader(
      type: code, shape: columns == 1 ? [count] : [count / columns, columns])
    try IndexedError.files { () throws(FileError) in
      try OutputFile.replace(path) { file throws(FileError) in
        let head = header.bytes
        try file.write(head, at: 0)
        switch self {
        case .int16(let numbers): try file.write(numbers: numbers, at: head.count)
        case .int32(let numbers): try file.write(numbers: numbers, at: head.count)
        case .uint32(let numbers): try file.write(numbers: numbers, at: head.count)
        case .int64(let numbers): try file.write(numbers: numbers, at: head.count)
        // What is mapped came from such a file.
        case .mappedInt16, .mappedInt32, .mappedUInt32, .mappedInt64: preconditionFailure()
        }
      }
    }
  }
}
