import JSON
import Tensors
import Tokenizers

/// What is wrong with data, and where.
public enum DataError: Error, Sendable {
  case file(FileError)

  // Files.
  case damaged(file: String, offset: Int, kind: CompressedKind)
  case cutShort(file: String, offset: Int, kind: CompressedKind)
  case noMemory(file: String)
  case notRows(file: String, found: ForeignKind)
  case rowTooLong(file: String, line: Int, limit: Int)
  case tooMuchToHold(file: String, limit: Int)
  /// The file is another than when it was opened.
  case changed(file: String)
  case nothingFound(path: String, reason: String)
  case noRows(path: String)

  // Rows.
  case json(Place, JSONError)
  case invalidUTF8(Place)
  case notAnObject(Place)
  /// No known kind of row has these keys.
  case unknownKind(Place, keys: [String])
  case mixedKinds(Place, found: RowKind, expected: RowKind, first: Place)
  case row(Place, RowFault)
  /// Something that went wrong with a row, said in a sentence.
  case inRow(Place, String)

  // Formats.
  case noTemplate(need: String)
  case tokenizer(any Error)
  case indexed(IndexedError)
  case template(any Error)
  case noToken(name: String, need: String)
  case promptTemplate(String, problem: String)
  case configuration(Place, problem: String)
  case wish(String)

  public enum CompressedKind: String, Sendable {
    case gzip, zstd
  }

  /// Files that hold rows in a form that is not read.
  public enum ForeignKind: Sendable {
    case parquet, arrow, unknown
  }
}

/// What is wrong within a row: the key and what is the matter with it.
public struct RowFault: Error, Sendable, Equatable {
  /// The path of keys, as `messages[2].content`.
  public var key: String
  /// What follows the key in a sentence: `is missing`.
  public var problem: String
  /// What to do about it; empty if the problem says it.
  public var advice: String

  public init(_ key: String, _ problem: String, _ advice: String = "") {
    self.key = key
    self.problem = problem
    self.advice = advice
  }
}
