import Tensors

/// The lines of a file that may be large, one after the other.
struct FileLines {
  struct Line {
    /// Without the newline; empty where the line is longer than any of ours.
    var bytes: ArraySlice<UInt8>
    /// Where it begins in the file.
    var offset: Int
    /// Whether a newline ends it.
    var isWhole: Bool
  }

  /// Lines beyond it are stepped over.
  private static let longest = 1 << 20
  private static let chunk = 1 << 18

  private let file: InputFile
  private var buffer: [UInt8] = []
  /// The first byte of the buffer that is not given out yet.
  private var place = 0
  /// Where the buffer ends in the file.
  private var end = 0

  init(_ path: String) throws(FileError) {
    file = try InputFile(path)
  }

  /// The next line; `nil` at the end of the file.
  mutating func next() throws(FileError) -> Line? {
    var searched = place
    var isTooLong = false
    let offset = end - (buffer.count - place)
    while true {
      if let newline = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        let bytes = isTooLong ? [] : buffer[place..<newline]
        place = newline + 1
        return Line(bytes: bytes, offset: offset, isWhole: true)
      }
      if buffer.count - place > Self.longest {
        isTooLong = true
        place = buffer.count
      }
      guard end < file.size else {
        let bytes = isTooLong ? [] : buffer[place...]
        defer { place = buffer.count }
        return offset < file.size ? Line(bytes: bytes, offset: offset, isWhole: false) : nil
      }
      buffer.removeFirst(place)
      place = 0
      searched = buffer.count
      let range = end..<min(end + Self.chunk, file.size)
      buffer += try file.read(range)
      end = range.upperBound
    }
  }
}

extension FileLines {
  /// Takes away a file's lines from the first that tells of what is to be forgotten, and a torn end.
  ///
  /// A file that is not there is left so.
  static func forget(
    in path: String, from isForgotten: (ArraySlice<UInt8>) -> Bool
  ) throws(FileError) {
    guard Folder.isFile(path) else { return }
    var lines = try FileLines(path)
    while let line = try lines.next() {
      guard line.isWhole, !isForgotten(line.bytes) else {
        return try LogFile.cut(path, to: line.offset)
      }
    }
  }
}
