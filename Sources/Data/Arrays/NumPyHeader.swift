import Tensors

/// What the head of an `.npy` file says of the array behind it.
///
/// Source: numpy/lib/format.py. The head is a Python literal; it is read here as the one form that
/// NumPy writes, never evaluated.
public struct NumPyHeader: Sendable, Equatable {
  /// The type as NumPy codes it: `<i4`, or `|O` for Python objects.
  public var type: String
  public var isColumnMajor = false
  public var shape: [Int]
  /// Where the data begins; set when read.
  public var dataOffset = 0

  public init(type: String, shape: [Int]) {
    self.type = type
    self.shape = shape
  }

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  private static let longest = 1 << 20

  /// Elements of the array; `nil` if they cannot be counted.
  public var count: Int? {
    var count = 1
    for size in shape {
      let (product, isTooLarge) = count.multipliedReportingOverflow(by: size)
      guard !isTooLarge else { return nil }
      count = product
    }
    return count
  }

  // MARK: Reading

  /// - Throws: `IndexedError.malformedArray` with what is wrong.
  public init(_ file: InputFile) throws(IndexedError) {
    func malformed(_ problem: String) -> IndexedError {
      .malformedArray(file: file.path, problem: problem)
    }
    func read(_ range: Range<Int>) throws(IndexedError) -> [UInt8] {
      try IndexedError.files { () throws(FileError) in try file.read(range) }
    }
    guard file.size >= 10 else { throw malformed("it has only \(file.size) bytes") }
    let head = try read(0..<10)
    if head.starts(with: Array("PAR1".utf8)) { throw malformed("it is a parquet file") }
    guard head.starts(with: Self.magic) else {
      throw malformed("it does not begin with \\x93NUMPY")
    }
    let start: Int
    let length: Int
    switch (head[6], head[7]) {
    case (1, 0):
      start = 10
      length = Int(head[8]) | Int(head[9]) << 8
    case (2, 0), (3, 0):
      guard file.size >= 12 else { throw malformed("it ends within its head") }
      start = 12
      length = try read(8..<12).reversed().reduce(0) { $0 << 8 | Int($1) }
    case (let major, let minor):
      throw malformed("its version is \(major).\(minor), and 1.0, 2.0 and 3.0 are known")
    }
    guard length <= Self.longest, length <= file.size - start else {
      throw malformed("its head should have \(length) bytes, more than there are")
    }
    var parser = LiteralParser(bytes: try read(start..<start + length))
    do throws(LiteralFault) {
      self = try parser.header()
    } catch {
      throw malformed("at byte \(start + error.offset) of its head, \(error.expected) should stand")
    }
    guard count != nil else { throw malformed("its shape \(shape) is beyond counting") }
    dataOffset = start + length
  }

  // MARK: Writing

  /// The head as `numpy.save` writes it, with its room for growth, up to where the data begins.
  public var bytes: [UInt8] {
    let sizes = shape.map { "\($0)" }.joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var text =
      "{'descr': '\(type)', 'fortran_order': \(isColumnMajor ? "True" : "False"), 'shape': (\(sizes)), }"
    // The first size may be changed in place, up to 21 digits.
    if let grown = isColumnMajor ? shape.last : shape.first {
      text += String(repeating: " ", count: max(0, 21 - "\(grown)".count))
    }
    let isLong = text.utf8.count + 1 + 10 + 63 >= 1 << 16
    let start = isLong ? 12 : 10
    text += String(repeating: " ", count: 63 - (start + text.utf8.count) % 64) + "\n"
    let length = text.utf8.count
    let width = isLong ? 4 : 2
    return Self.magic + [isLong ? 2 : 1, 0]
      + (0..<width).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(text.utf8)
  }
}

/// Where a literal is not what it should be.
private struct LiteralFault: Error {
  var offset: Int
  var expected: String
}

/// Reads the dictionary of a head: three known keys, each once.
private struct LiteralParser {
  let bytes: [UInt8]
  var place = 0

  mutating func header() throws(LiteralFault) -> NumPyHeader {
    var type: String?
    var isColumnMajor: Bool?
    var shape: [Int]?
    try take("{")
    while !next("}") {
      let at = place
      let key = try string()
      try take(":")
      switch key {
      case "descr" where type == nil: type = try string()
      case "fortran_order" where isColumnMajor == nil: isColumnMajor = try flag()
      case "shape" where shape == nil: shape = try sizes()
      default:
        throw LiteralFault(offset: at, expected: "one of descr, fortran_order and shape, once")
      }
      if !next(",") {
        try take("}")
        break
      }
    }
    skipSpace()
    guard place == bytes.count else { throw fault("the end") }
    guard let type, let isColumnMajor, let shape else {
      throw fault("all of descr, fortran_order and shape before")
    }
    var header = NumPyHeader(type: type, shape: shape)
    header.isColumnMajor = isColumnMajor
    return header
  }

  private func fault(_ expected: String) -> LiteralFault {
    LiteralFault(offset: place, expected: expected)
  }

  private mutating func skipSpace() {
    while place < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[place]) { place += 1 }
  }

  /// Steps over a sign, and the space before it, if it is next.
  private mutating func next(_ sign: Unicode.Scalar) -> Bool {
    skipSpace()
    guard place < bytes.count, bytes[place] == UInt8(ascii: sign) else { return false }
    place += 1
    return true
  }

  private mutating func take(_ sign: Unicode.Scalar) throws(LiteralFault) {
    guard next(sign) else { throw fault(String(sign)) }
  }

  private mutating func string() throws(LiteralFault) -> String {
    skipSpace()
    guard place < bytes.count, bytes[place] == 0x27 || bytes[place] == 0x22 else {
      throw fault("a text in quotes")
    }
    let quote = bytes[place]
    let start = place + 1
    guard let end = bytes[start...].firstIndex(of: quote),
      bytes[start..<end].allSatisfy({ (0x20..<0x7F).contains($0) && $0 != 0x5C })
    else { throw fault("a plain text in quotes") }
    place = end + 1
    return String(decoding: bytes[start..<end], as: UTF8.self)
  }

  private mutating func flag() throws(LiteralFault) -> Bool {
    skipSpace()
    for (word, value) in [("True", true), ("False", false)]
    where bytes[place...].starts(with: word.utf8) {
      place += word.utf8.count
      return value
    }
    throw fault("True or False")
  }

  private mutating func sizes() throws(LiteralFault) -> [Int] {
    var sizes: [Int] = []
    try take("(")
    while !next(")") {
      sizes.append(try size())
      guard sizes.count <= 64 else { throw fault("at most 64 sizes") }
      if !next(",") {
        try take(")")
        break
      }
    }
    return sizes
  }

  private mutating func size() throws(LiteralFault) -> Int {
    skipSpace()
    let digits = bytes[place...].prefix { (0x30...0x39).contains($0) }
    guard let size = Int(String(decoding: digits, as: UTF8.self)) else { throw fault("a size") }
    place += digits.count
    // Python 2 wrote long integers so.
    if place < bytes.count, bytes[place] == UInt8(ascii: "L") { place += 1 }
    return size
  }
}
