import JSON

/// Hands out the rows of several files in batches, in order.
struct DocumentSource {
  /// Rows that one worker turns into tokens.
  struct Batch: Sendable {
    /// Its place among all batches.
    var index: Int
    var file: String
    var shape: RowScanner.Shape
    var rows: [RowText]
    /// How many bytes of the files were read for it.
    var bytes: Int
    /// How many bytes of its file a byte of text takes.
    var density: Double
  }

  private var files: ArraySlice<String>
  private let limits: ReadingLimits
  private var scanner: RowScanner?
  private var taken = 0
  /// Batches handed out so far.
  private(set) var count = 0

  /// Enough rows that handing them out costs nothing beside the work, few enough to lie in the caches.
  private static let size = 256 << 10

  init(_ files: [String], _ limits: ReadingLimits) {
    self.files = files[...]
    self.limits = limits
  }

  /// The next batch, with at least a row; `nil` behind the last row.
  mutating func next() throws(DataError) -> Batch? {
    while true {
      if scanner == nil {
        guard let file = files.popFirst() else { return nil }
        scanner = try RowScanner(file, limits)
        taken = 0
      }
      guard let scanner else { return nil }
      var rows: [RowText] = []
      var size = 0
      while size < Self.size, let row = try scanner.next() {
        size += row.bytes.count + 64
        rows.append(row)
      }
      let bytes = scanner.bytesTaken - taken
      taken = scanner.bytesTaken
      if size < Self.size { self.scanner = nil }
      if rows.isEmpty { continue }
      defer { count += 1 }
      return Batch(
        index: count, file: scanner.path, shape: scanner.shape, rows: rows, bytes: bytes,
        density: Double(scanner.bytesTaken) / Double(max(1, scanner.textTaken)))
    }
  }
}

/// What rows become: for each key that is read, tokens and how they are cut.
struct TokenizedBatch: Sendable {
  struct Part: Sendable {
    var tokens: [Int32] = []
    /// The lengths of the sequences of all documents, one after the other.
    var lengths: [Int32] = []
    /// For each document how many sequences it has.
    var counts: [Int32] = []
  }

  var parts: [Part]
  var documents: Int
  var bytes: Int
}
