/// Reads the rows of one file one after the other, in bounded memory: the longest row and two megabytes.
///
/// A file is JSON lines, one JSON array, one JSON document, or, if its name says so, plain text with a row to a
/// line; compressed or not. Rows are cut out here and understood elsewhere. A line or element longer than
/// `ReadingLimits.row` is refused.
public final class RowScanner {
  public let path: String
  /// How the rows lie in the file.
  public let shape: Shape
  private let limits: ReadingLimits
  private let stream: ByteStream
  /// What has been read and not passed on, from `start` on.
  private var buffer: [UInt8] = []
  private var start = 0
  /// Where the buffer begins in the text.
  private var base = 0
  private var line = 1
  /// Where the line begins in the text.
  private var lineStart = 0
  private var isFinished = false

  public enum Shape: Sendable, Equatable {
    /// A JSON value to a line.
    case lines
    /// One JSON array of rows.
    case array
    /// One JSON value that is no array.
    case document
    /// A row to a line, as it stands.
    case text
  }

  public init(_ path: String, _ limits: ReadingLimits = ReadingLimits()) throws(DataError) {
    self.path = path
    self.limits = limits
    stream = try ByteStream(path)
    var sniffer = Sniffer(path: path, limits: limits)
    shape = try sniffer.shape(stream)
    buffer = sniffer.bytes
    start = sniffer.start
    for index in 0..<start where buffer[index] == ASCII.newline { endLine(at: index) }
  }

  var isCompressed: Bool { stream.compression != .none }

  /// How many bytes of the file have been taken, compressed where it is.
  var bytesTaken: Int { stream.position }

  /// How much text these bytes were.
  var textTaken: Int { base + buffer.count }

  /// The next row; `nil` behind the last.
  public func next() throws(DataError) -> RowText? {
    switch shape {
    case .lines, .text: try nextLine()
    case .array: try nextElement()
    case .document: try document()
    }
  }

  // MARK: Bytes

  /// Reads more; false at the end of the file.
  private func refill() throws(DataError) -> Bool {
    guard let bytes = try stream.next() else { return false }
    if start > 0 {
      buffer.removeFirst(start)
      base += start
      start = 0
    }
    buffer += bytes
    return true
  }

  /// A row that ends before `end`.
  private func row(upTo end: Int) -> RowText {
    RowText(
      bytes: Array(buffer[start..<end]), offset: base + start, line: line,
      column: base + start - lineStart + 1)
  }

  private var tooLong: DataError {
    .rowTooLong(file: path, line: line, limit: limits.row)
  }

  /// Steps behind the byte at `index`, which is the end of a line.
  private func endLine(at index: Int) {
    line += 1
    lineStart = base + index + 1
  }

  // MARK: Lines

  private func nextLine() throws(DataError) -> RowText? {
    var searched = start
    while true {
      if let end = buffer[searched...].firstIndex(of: ASCII.newline) {
        guard end - start <= limits.row else { throw tooLong }
        let row = row(upTo: end)
        start = end + 1
        endLine(at: end)
        if !row.isBlank { return row }
        searched = start
        continue
      }
      guard buffer.count - start <= limits.row else { throw tooLong }
      let seen = buffer.count - start
      guard try refill() else {
        let row = row(upTo: buffer.count)
        start = buffer.count
        return row.isBlank ? nil : row
      }
      searched = start + seen
    }
  }

  // MARK: Elements of an array

  private func nextElement() throws(DataError) -> RowText? {
    guard !isFinished else { return nil }
    // The opening bracket or a comma is next.
    let isFirst = buffer[start] == ASCII.openBracket
    start += 1
    guard let byte = try skipSpace() else { throw unexpected("a row or a closing bracket") }
    if byte == ASCII.closeBracket, isFirst { return try closeArray() }
    var scanner = ValueScanner()
    var end = start
    while true {
      while end < buffer.count {
        if scanner.endsBefore(buffer[end]) { return try element(upTo: end) }
        end += 1
        guard end - start <= limits.row else { throw tooLong }
      }
      let seen = end - start
      guard try refill() else {
        start = end
        throw unexpected("a comma or a closing bracket")
      }
      end = start + seen
    }
  }

  /// Passes on the element before the comma or bracket at `end`, and stays there.
  private func element(upTo end: Int) throws(DataError) -> RowText {
    let row = row(upTo: end)
    if row.isBlank {
      start = end
      throw unexpected("a row")
    }
    for index in start..<end where buffer[index] == ASCII.newline { endLine(at: index) }
    start = end
    if buffer[end] == ASCII.closeBracket { _ = try closeArray() }
    return row
  }

  /// Checks that nothing follows the closing bracket, which is next.
  private func closeArray() throws(DataError) -> RowText? {
    isFinished = true
    start += 1
    if try skipSpace() != nil { throw unexpected("the end of the file") }
    return nil
  }

  /// Steps over space, and returns the byte that follows; `nil` at the end of the file.
  private func skipSpace() throws(DataError) -> UInt8? {
    while true {
      while start < buffer.count {
        guard ASCII.isSpace(buffer[start]) else { return buffer[start] }
        if buffer[start] == ASCII.newline { endLine(at: start) }
        start += 1
      }
      guard try refill() else { return nil }
    }
  }

  private func unexpected(_ expected: String) -> DataError {
    let place = Place(file: path, line: line, column: base + start - lineStart + 1)
    let found = start < buffer.count ? buffer[start] : nil
    return .json(place, .syntax(offset: base + start, expected: expected, found: found))
  }

  // MARK: Documents

  private func document() throws(DataError) -> RowText? {
    guard !isFinished else { return nil }
    while try refill() {
      guard buffer.count <= limits.row else { throw tooLong }
    }
    isFinished = true
    return row(upTo: buffer.count)
  }
}

extension RowText {
  /// Whether there is nothing in it but space.
  var isBlank: Bool { bytes.allSatisfy(ASCII.isSpace) }
}

/// Finds the end of a JSON value by its brackets and quotes; whether it is one is seen when it is read.
struct ValueScanner {
  private(set) var depth = 0
  private(set) var isInString = false
  private var isEscaped = false

  /// Whether the value ends before `byte`, the comma or closing bracket of the array around it; takes the
  /// byte in otherwise.
  mutating func endsBefore(_ byte: UInt8) -> Bool {
    if isInString {
      if isEscaped {
        isEscaped = false
      } else if byte == ASCII.backslash {
        isEscaped = true
      } else if byte == ASCII.quote {
        isInString = false
      }
      return false
    }
    switch byte {
    case ASCII.quote: isInString = true
    case ASCII.openBrace, ASCII.openBracket: depth += 1
    case ASCII.closeBrace: depth -= 1
    case ASCII.closeBracket:
      if depth <= 0 { return true }
      depth -= 1
    case ASCII.comma: return depth <= 0
    default: break
    }
    return false
  }
}

/// Tells from the beginning of a text how rows lie in it.
private struct Sniffer {
  let path: String
  let limits: ReadingLimits
  var bytes: [UInt8] = []
  /// Behind a byte order mark, and for JSON behind leading space on the first lines.
  var start = 0

  init(path: String, limits: ReadingLimits) {
    self.path = path
    self.limits = limits
  }

  mutating func shape(_ stream: ByteStream) throws(DataError) -> RowScanner.Shape {
    while bytes.count < 3, let more = try stream.next() { bytes += more }
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { start = 3 }
    if isText { return .text }
    var first = start
    while true {
      while first < bytes.count, ASCII.isSpace(bytes[first]) { first += 1 }
      if first < bytes.count { break }
      guard bytes.count <= limits.row else {
        throw .rowTooLong(file: path, line: 1, limit: limits.row)
      }
      guard let more = try stream.next() else { return .lines }
      bytes += more
    }
    switch bytes[first] {
    case ASCII.openBracket:
      start = first
      return .array
    case ASCII.openBrace: return try isWholeLine(from: first, stream) ? .lines : .document
    default: throw .notRows(file: path, found: .unknown)
    }
  }

  /// `corpus.txt`, `corpus.txt.gz`, `corpus.txt.zst`.
  private var isText: Bool {
    var name = path.lowercased()
    for ending in [".gz", ".zst"] where name.hasSuffix(ending) {
      name.removeLast(ending.utf8.count)
    }
    return name.hasSuffix(".txt")
  }

  /// Whether the value that begins at `first` ends on its line, as it must where every line holds one.
  private mutating func isWholeLine(
    from first: Int, _ stream: ByteStream
  ) throws(DataError) -> Bool {
    var scanner = ValueScanner()
    var place = first
    while true {
      while place < bytes.count, bytes[place] != ASCII.newline {
        _ = scanner.endsBefore(bytes[place])
        place += 1
      }
      // A line that is cut off inside a string is a broken line, not a document.
      if place < bytes.count { return scanner.depth <= 0 || scanner.isInString }
      guard place - first <= limits.row else {
        throw .rowTooLong(file: path, line: 1, limit: limits.row)
      }
      guard let more = try stream.next() else { return true }
      bytes += more
    }
  }
}
