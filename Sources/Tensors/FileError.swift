import Glibc

/// What the operating system can refuse, with the place and, where the disk is full, the need.
public enum FileError: Error, Equatable, Sendable {
  case cannotOpen(path: String, errno: Int32)
  case cannotRead(path: String, offset: Int, errno: Int32)
  case cannotWrite(path: String, offset: Int, errno: Int32)
  case cannotChange(path: String, action: String, errno: Int32)
  /// A read past the end: the file is shorter than its own header says.
  case endOfFile(path: String, wanted: Range<Int>, size: Int)
  case notARegularFile(path: String)
  case diskFull(path: String, needed: Int, available: Int)
}

extension FileError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .cannotOpen(let path, let code):
      "\(path) cannot be opened: \(reason(code))."
    case .cannotRead(let path, let offset, let code):
      "\(path) cannot be read at byte \(offset): \(reason(code))."
    case .cannotWrite(let path, let offset, let code):
      "\(path) cannot be written at byte \(offset): \(reason(code))."
    case .cannotChange(let path, let action, let code):
      "\(path): cannot \(action): \(reason(code))."
    case .endOfFile(let path, let wanted, let size):
      "\(path) ends at byte \(size), but bytes \(wanted.lowerBound) to \(wanted.upperBound) are wanted; "
        + "it is cut short, download or copy it again."
    case .notARegularFile(let path):
      "\(path) is not a regular file."
    case .diskFull(let path, let needed, let available):
      "The disk of \(path) is too full: \(needed) bytes are needed and \(available) are free; "
        + "free some space or choose another destination."
    }
  }

  private func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
