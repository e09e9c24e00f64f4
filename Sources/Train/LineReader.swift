import Glibc
import JSON
import Tensors

/// The lines of a file that is open, a stream's too, read a block at a time.
struct LineReader {
  /// A line's bytes without its end, and its number from 1.
  struct Line {
    var bytes: [UInt8]
    var number: Int
  }

  private let descriptor: Int32
  private let name: String
  private var block = [UInt8](repeating: 0, count: 1 << 20)
  private var place = 0
  private var end = 0
  private var number = 0
  private var isDone = false

  /// No line is longer: it has to be held as a whole.
  static let longestLine = 1 << 30

  /// - Parameter name: what the file is called in errors.
  init(_ descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  /// The next line; `nil` at the end.
  ///
  /// - Parameter wait: called before more is read, which may take as long as whoever writes it.
  mutating func next(_ wait: () -> Void) throws -> Line? {
    var bytes: [UInt8] = []
    while true {
      if place == end {
        if isDone { break }
        wait()
        try fill()
        continue
      }
      let rest = block[place..<end]
      let newline = rest.firstIndex(of: 0x0A)
      bytes += block[place..<(newline ?? end)]
      guard bytes.count <= Self.longestLine else {
        throw LineError(
          line: number + 1, column: nil,
          reason: "it is longer than \(Self.longestLine) bytes; cut it into several")
      }
      if let newline {
        place = newline + 1
        number += 1
        return Line(bytes: bytes, number: number)
      }
      place = end
    }
    // The last line need not end.
    guard !bytes.isEmpty else { return nil }
    number += 1
    return Line(bytes: bytes, number: number)
  }

  private mutating func fill() throws(FileError) {
    place = 0
    end = 0
    while true {
      let count = read(descriptor, &block, block.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw .cannotRead(path: name, offset: 0, errno: errno)
      }
      end = count
      isDone = count == 0
      return
    }
  }
}

/// What is wrong with a line of the input, and where.
struct LineError: Error, CustomStringConvertible {
  /// From 1.
  var line: Int
  /// From 1, in characters.
  var column: Int?
  var reason: String

  var description: String {
    "line \(line)" + (column.map { ", column \($0)" } ?? "") + ": \(reason)"
      + (reason.hasSuffix(".") ? "" : ".")
  }

  /// The column of a byte of a line.
  static func column(of offset: Int, in line: [UInt8]) -> Int {
    line.prefix(offset).count { $0 & 0xC0 != 0x80 } + 1
  }
}

/// Lines on their way to standard output, a block at a time.
struct LineWriter {
  private(set) var bytes: [UInt8] = []

  mutating func flush() {
    var start = 0
    while start < bytes.count {
      let count = write(
        STDOUT_FILENO, start == 0 ? bytes : Array(bytes[start...]), bytes.count - start)
      if count < 0 {
        if errno == EINTR { continue }
        // A reader that went away is nobody's error.
        break
      }
      start += count
    }
    bytes.removeAll(keepingCapacity: true)
  }

  mutating func write(_ line: some Collection<UInt8>) {
    bytes += line
    bytes.append(0x0A)
    if bytes.count >= 1 << 18 { flush() }
  }

  /// Writes a text as a JSON string.
  ///
  /// Characters that some readers take for the end of a line are written as escapes.
  mutating func write(text: String) {
    let json = JSON.string(text).serializedBytes()
    guard json.contains(where: { $0 == 0xC2 || $0 == 0xE2 }) else { return write(json) }
    var escaped: [UInt8] = []
    var place = 0
    while place < json.count {
      if json[place...].starts(with: [0xC2, 0x85]) {
        escaped += "\\u0085".utf8
        place += 2
      } else if json[place...].starts(with: [0xE2, 0x80, 0xA8]) {
        escaped += "\\u2028".utf8
        place += 3
      } else if json[place...].starts(with: [0xE2, 0x80, 0xA9]) {
        escaped += "\\u2029".utf8
        place += 3
      } else {
        escaped.append(json[place])
        place += 1
      }
    }
    write(escaped)
  }

  /// Writes ids as a JSON array.
  mutating func write(_ ids: [Int32]) {
    bytes.append(UInt8(ascii: "["))
    for (index, id) in ids.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      append(id)
    }
    write(CollectionOfOne(UInt8(ascii: "]")))
  }

  private mutating func append(_ id: Int32) {
    var divisor: Int32 = 1
    while id / divisor >= 10 { divisor *= 10 }
    while divisor > 0 {
      bytes.append(UInt8(ascii: "0") + UInt8(id / divisor % 10))
      divisor /= 10
    }
  }

  private func write(_ descriptor: Int32, _ bytes: [UInt8], _ count: Int) -> Int {
    Glibc.write(descriptor, bytes, count)
  }
}
