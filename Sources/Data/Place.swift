/// Where in a data file something is: a line and a column, both counted from 1, the column in bytes.
public struct Place: Hashable, Sendable {
  public var file: String
  public var line: Int
  public var column: Int

  public init(file: String, line: Int, column: Int = 1) {
    self.file = file
    self.line = line
    self.column = column
  }
}

extension Place: CustomStringConvertible {
  public var description: String { "\(file):\(line):\(column)" }
}

/// How large the parts of data files may be.
public struct ReadingLimits: Sendable, Equatable {
  /// The bytes of one line, of one element of a JSON array, or of a document that is no list of rows.
  public var row: Int
  /// The bytes of text held in memory for a file that cannot be read at any place, being compressed.
  public var held: Int
  /// How deep the JSON of a row may be nested.
  public var depth: Int

  public init(row: Int = 64 << 20, held: Int = 4 << 30, depth: Int = 64) {
    self.row = row
    self.held = held
    self.depth = depth
  }
}
