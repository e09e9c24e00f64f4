import Tensors

/// Megatron's data set of tokens: `PREFIX.bin` holds them, `PREFIX.idx` says where each sequence lies.
///
/// Both files are mapped. Everything the index says is checked once, when it is opened, so that no
/// later access can leave the files. Opening takes one pass over the index, about 20 bytes a sequence.
public struct IndexedDataset: Sendable {
  public let prefix: String
  public let type: TokenType
  /// Tokens of each sequence.
  public let lengths: MappedNumbers<Int32>
  /// Where in the `.bin` each sequence begins, in bytes.
  public let pointers: MappedNumbers<Int64>
  /// The first sequence of each document, and at the end the number of sequences.
  public let bounds: MappedNumbers<Int64>
  /// A number for each sequence that says what it is, where data is of several kinds.
  public let modes: MappedNumbers<Int8>?
  /// Tokens in all sequences together.
  public let tokenCount: Int
  let tokens: InputFile

  public var count: Int { lengths.count }
  public var documentCount: Int { bounds.count - 1 }
  public var binarySize: Int { tokens.size }

  static let magic = Array("MMIDIDX\0\0".utf8)
  static let headerSize = 34

  /// Opens a pair of files.
  ///
  /// - Parameter prefix: the path without `.bin` and `.idx`; either file's own path will do.
  /// - Throws: `IndexedError` where a file is missing or the index says what cannot be.
  public init(_ prefix: String) throws(IndexedError) {
    let prefix = Self.prefix(prefix)
    let index = try IndexedError.files { () throws(FileError) in try InputFile(prefix + ".idx") }
    let tokens = try IndexedError.files { () throws(FileError) in try InputFile(prefix + ".bin") }
    let header = try Self.header(index)
    let (sequences, documents) = (header.sequences, header.documents)
    let lengthsEnd = Self.headerSize + 4 * sequences
    let pointersEnd = lengthsEnd + 8 * sequences
    self.prefix = prefix
    self.type = header.type
    self.tokens = tokens
    do throws(FileError) {
      lengths = try MappedNumbers(index, at: Self.headerSize, count: sequences)
      pointers = try MappedNumbers(index, at: lengthsEnd, count: sequences)
      bounds = try MappedNumbers(index, at: pointersEnd, count: documents)
      modes =
        header.hasModes
        ? try MappedNumbers(index, at: pointersEnd + 8 * documents, count: sequences) : nil
    } catch { throw .file(error) }
    tokenCount = try Self.checkedCount(
      lengths, pointers, width: header.type.width, size: tokens.size)
    try Self.check(bounds, sequences: sequences)
  }

  /// A prefix from itself or from the path of either file.
  static func prefix(_ path: String) -> String {
    for ending in [".idx", ".bin"] where path.utf8.count > 4 && path.hasSuffix(ending) {
      return String(path.dropLast(4))
    }
    return path
  }

  private struct Header {
    var type: TokenType
    var sequences: Int
    var documents: Int
    var hasModes: Bool
  }

  private static func header(_ file: InputFile) throws(IndexedError) -> Header {
    guard file.size >= headerSize else {
      throw .notAnIndex(file: file.path, found: "it has only \(file.size) bytes")
    }
    let bytes = try IndexedError.files { () throws(FileError) in try file.read(0..<headerSize) }
    func number(_ offset: Int) -> UInt64 {
      (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }
    guard bytes.starts(with: magic) else {
      throw .notAnIndex(file: file.path, found: "it begins with other bytes")
    }
    guard number(9) == 1 else {
      throw .notAnIndex(file: file.path, found: "its version is \(number(9))")
    }
    guard let type = TokenType(rawValue: bytes[17]) else {
      throw .notAnIndex(file: file.path, found: "its type is \(bytes[17])")
    }
    let (sequences, documents) = (number(18), number(26))
    func wrongSize(_ expected: String) -> IndexedError {
      .wrongSize(
        file: file.path, sequences: sequences, documents: documents, expected: expected,
        found: file.size)
    }
    // No index has more entries than bytes, and sums of such numbers do not overflow.
    guard sequences <= UInt64(file.size), documents <= UInt64(file.size) else {
      throw wrongSize("more bytes")
    }
    let plain = headerSize + 12 * Int(sequences) + 8 * Int(documents)
    guard file.size == plain || file.size == plain + Int(sequences) else {
      throw wrongSize("\(plain) bytes, or \(plain + Int(sequences)) with modes")
    }
    guard documents > 0 else { throw wrongSize("at least one document bound") }
    return Header(
      type: type, sequences: Int(sequences), documents: Int(documents),
      hasModes: sequences > 0 && file.size > plain)
  }

  /// All tokens, once every sequence is known to lie in the `.bin`.
  private static func checkedCount(
    _ lengths: MappedNumbers<Int32>, _ pointers: MappedNumbers<Int64>, width: Int, size: Int
  ) throws(IndexedError) -> Int {
    var sum = 0
    for index in 0..<lengths.count {
      let (length, pointer) = (Int(lengths[index]), Int(pointers[index]))
      guard length >= 0 else {
        throw .badEntry(
          file: lengths.file.path, field: "sequence_lengths", index: index, found: length,
          expected: "a number that is not negative")
      }
      guard pointer >= 0, pointer <= size, length * width <= size - pointer else {
        throw .badEntry(
          file: lengths.file.path, field: "sequence_pointers", index: index, found: pointer,
          expected:
            "a place from which \(length * width) bytes lie in the \(size) bytes of the .bin")
      }
      let (next, isTooLarge) = sum.addingReportingOverflow(length)
      guard !isTooLarge else {
        throw .badEntry(
          file: lengths.file.path, field: "sequence_lengths", index: index, found: length,
          expected: "a sum of lengths that can be counted")
      }
      sum = next
    }
    return sum
  }

  private static func check(
    _ bounds: MappedNumbers<Int64>, sequences: Int
  ) throws(IndexedError) {
    var last = 0
    for index in 0..<bounds.count {
      let bound = Int(bounds[index])
      let isGood = index == 0 ? bound == 0 : bound >= last
      guard isGood, bound <= sequences else {
        throw .badEntry(
          file: bounds.file.path, field: "document_indices", index: index, found: bound,
          expected: index == 0 ? "0" : "a number from \(last) to \(sequences)")
      }
      last = bound
    }
    guard last == sequences else {
      throw .badEntry(
        file: bounds.file.path, field: "document_indices", index: bounds.count - 1, found: last,
        expected: "the number of sequences, \(sequences),")
    }
  }

  /// Tokens of a sequence.
  ///
  /// - Parameters:
  ///   - start: how many of its tokens are left out.
  ///   - count: how many are read; all that follow, if `nil`.
  public func tokens(
    _ sequence: Int, from start: Int = 0, count: Int? = nil
  ) throws(IndexedError) -> [Int32] {
    var result: [Int32] = []
    try append(sequence, from: start, count: count, to: &result)
    return result
  }

  /// As `tokens`, at the end of others.
  public func append(
    _ sequence: Int, from start: Int = 0, count: Int? = nil, to result: inout [Int32]
  ) throws(IndexedError) {
    guard sequence >= 0, sequence < self.count else {
      throw .noSuchSample(index: sequence, count: self.count)
    }
    let length = Int(lengths[sequence])
    let count = count ?? length - start
    guard start >= 0, count >= 0, start <= length, count <= length - start else {
      throw .wrongRange(file: prefix + ".bin", sequence: sequence, length: length)
    }
    let place = Int(pointers[sequence]) + start * type.width
    do throws(FileError) {
      switch type {
      case .uint8:
        result += try tokens.numbers(UInt8.self, at: place, count: count).lazy.map(Int32.init)
      case .int8:
        result += try tokens.numbers(Int8.self, at: place, count: count).lazy.map(Int32.init)
      case .int16:
        result += try tokens.numbers(Int16.self, at: place, count: count).lazy.map(Int32.init)
      case .uint16:
        result += try tokens.numbers(UInt16.self, at: place, count: count).lazy.map(Int32.init)
      case .int32: result += try tokens.numbers(Int32.self, at: place, count: count)
      case .int64, .float32, .float64: break
      }
    } catch { throw .file(error) }
    guard [.int64, .float32, .float64].contains(type) else { return }
    let numbers = try wide(at: place, count: count)
    for (index, number) in numbers.enumerated() {
      guard let token = Int32(exactly: number) else {
        throw .badToken(
          file: prefix + ".bin", sequence: sequence, index: start + index, found: "\(number)")
      }
      result.append(token)
    }
  }

  /// Numbers of the types that hold more than tokens; beyond 2^53 integers are rounded, which are none.
  private func wide(at place: Int, count: Int) throws(IndexedError) -> [Double] {
    do throws(FileError) {
      switch type {
      case .int64: return try tokens.numbers(Int64.self, at: place, count: count).map(Double.init)
      case .float32: return try tokens.numbers(Float.self, at: place, count: count).map(Double.init)
      default: return try tokens.numbers(Double.self, at: place, count: count)
      }
    } catch { throw .file(error) }
  }
}
