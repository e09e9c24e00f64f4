import JSON

/// The rows of one or several files, all of one kind, each to be had at any time.
///
/// The kind is told from the first rows. A row of another kind is an error with both places, when it is met.
public final class Rows: Sendable {
  /// Where the rows come from.
  public let paths: [String]
  public let kind: RowKind
  /// What the rows' keys were changed to before they were understood; `nil` if nothing was.
  public let columns: ColumnMap?
  private let limits: ReadingLimits
  private let parts: [Part]
  /// The first row of each part, and the number of all rows.
  private let starts: [Int]

  private enum Part: Sendable {
    case file(RowFile)
    /// The rows of a document, which is held as a whole.
    case document(path: String, rows: [JSONObject])

    var count: Int {
      switch self {
      case .file(let file): file.count
      case .document(_, let rows): rows.count
      }
    }
  }

  /// How many rows are looked at when the files are opened.
  static let looked = 100

  public init(
    _ paths: [String], columns: ColumnMap? = nil, limits: ReadingLimits = ReadingLimits()
  ) throws(DataError) {
    var parts: [Part] = []
    for path in paths { parts.append(try Self.part(path, limits)) }
    let counts = parts.map(\.count)
    self.parts = parts
    self.paths = paths
    self.columns = columns
    self.limits = limits
    starts = counts.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1) }
    guard counts.contains(where: { $0 > 0 }) else {
      throw .noRows(path: paths.joined(separator: ", "))
    }
    let reading = Reading(parts: parts, starts: starts, columns: columns, limits: limits)
    kind = try reading.kind(0)
    for index in 1..<max(1, min(Self.looked, count)) {
      let found = try reading.kind(index)
      if found != kind { throw try reading.mixed(index, found, kind) }
    }
  }

  public var count: Int { starts.last ?? 0 }

  private var reading: Reading {
    Reading(parts: parts, starts: starts, columns: columns, limits: limits)
  }

  /// The members of a row.
  public func row(_ index: Int) throws(DataError) -> JSONObject { try reading.row(index) }

  /// What a row says.
  public func example(_ index: Int) throws(DataError) -> Example {
    let reading = reading
    let row = try reading.row(index)
    guard let found = RowKind.detect(row) else { throw try reading.unknown(index, row) }
    guard found == kind else { throw try reading.mixed(index, found, kind) }
    do throws(RowFault) { return try RowReader(row: row).example(kind) } catch {
      throw .row(try reading.place(index), error)
    }
  }

  /// Where a row begins; found by reading its file up to it.
  public func place(_ index: Int) throws(DataError) -> Place { try reading.place(index) }

  /// A file as rows, or, if it is a document of SQuAD's form, the document's questions.
  private static func part(_ path: String, _ limits: ReadingLimits) throws(DataError) -> Part {
    let file = try RowFile(path, limits)
    guard file.count == 1, file.shape != .text else { return .file(file) }
    let text = try file.located(0)
    guard let object = try text.json(in: path, limits).object else { return .file(file) }
    do throws(RowFault) {
      guard let rows = try QuestionDocument.rows(object) else { return .file(file) }
      return .document(path: path, rows: rows)
    } catch { throw .row(text.place(0, in: path), error) }
  }

  /// What is needed to read rows; apart from `Rows` so that its initialiser can use it.
  private struct Reading {
    let parts: [Part]
    let starts: [Int]
    let columns: ColumnMap?
    let limits: ReadingLimits

    /// The part a row is in, and its place there.
    func find(_ index: Int) -> (part: Part, index: Int) {
      var low = 0
      var high = parts.count - 1
      while low < high {
        let middle = (low + high + 1) / 2
        if starts[middle] <= index { low = middle } else { high = middle - 1 }
      }
      return (parts[low], index - starts[low])
    }

    func row(_ index: Int) throws(DataError) -> JSONObject {
      let (part, place) = find(index)
      let row: JSONObject
      switch part {
      case .document(_, let rows): row = rows[place]
      case .file(let file): row = try stored(file, place)
      }
      guard let columns else { return row }
      do throws(RowFault) { return try columns.apply(to: row) } catch {
        throw .row(try self.place(index), error)
      }
    }

    private func stored(_ file: RowFile, _ index: Int) throws(DataError) -> JSONObject {
      var bytes = try file.bytes(index)
      if file.shape == .text {
        if bytes.last == ASCII.carriageReturn { bytes.removeLast() }
        guard let text = String(validating: bytes, as: UTF8.self) else {
          let row = try file.located(index)
          let valid = bytes.validUTF8Count
          throw .invalidUTF8(row.place(valid, in: file.path))
        }
        return ["text": .string(text)]
      }
      let value: JSON
      do throws(JSONError) {
        value = try JSON(parsing: bytes, maximumDepth: limits.depth, allowingNonFinite: true)
      } catch {
        throw .json(try file.located(index).place(error.offset, in: file.path), error)
      }
      guard let object = value.object else {
        throw .notAnObject(try file.located(index).place(0, in: file.path))
      }
      return object
    }

    func kind(_ index: Int) throws(DataError) -> RowKind {
      let row = try row(index)
      guard let kind = RowKind.detect(row) else { throw try unknown(index, row) }
      return kind
    }

    func place(_ index: Int) throws(DataError) -> Place {
      let (part, place) = find(index)
      switch part {
      // The document was read as a whole; its questions are told by their number.
      case .document(let path, _): return Place(file: "\(path) (question \(place + 1))", line: 1)
      case .file(let file): return try file.located(place).place(0, in: file.path)
      }
    }

    func unknown(_ index: Int, _ row: JSONObject) throws(DataError) -> DataError {
      .unknownKind(try place(index), keys: row.keys)
    }

    func mixed(
      _ index: Int, _ found: RowKind, _ expected: RowKind
    ) throws(DataError) -> DataError {
      .mixedKinds(
        try place(index), found: found, expected: expected, first: try place(0))
    }
  }
}

extension [UInt8] {
  /// How many bytes at the beginning are UTF-8.
  var validUTF8Count: Int {
    var low = 0
    var high = count
    // A prefix that ends within a character is not valid either; up to three bytes are given back.
    while low < high {
      let middle = (low + high + 1) / 2
      let isValid = (0..<4).contains { cut in
        middle - cut >= 0 && String(validating: self[..<(middle - cut)], as: UTF8.self) != nil
      }
      if isValid { low = middle } else { high = middle - 1 }
    }
    while low > 0, String(validating: self[..<low], as: UTF8.self) == nil { low -= 1 }
    return low
  }
}
