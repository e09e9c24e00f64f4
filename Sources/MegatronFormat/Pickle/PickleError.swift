/// Why a pickle is not read; every offset is a byte of the pickle.
public enum PickleError: Error, Equatable, Sendable {
  /// An opcode's argument reaches past the end.
  case truncated(offset: Int, needed: Int, available: Int)
  /// The bytes end without STOP.
  case missingStop(offset: Int)
  case trailingBytes(offset: Int, count: Int)
  case unknownOpcode(UInt8, offset: Int)
  /// A known opcode that no checkpoint needs.
  case refusedOpcode(String, offset: Int)
  case unsupportedProtocol(Int, offset: Int)
  case forbiddenGlobal(module: String, name: String, offset: Int)
  /// `getattr` on anything but an enumeration that checkpoints use.
  case forbiddenAttribute(of: String, offset: Int)
  case stackUnderflow(opcode: UInt8, offset: Int)
  case leftOnStack(count: Int, offset: Int)
  case unknownMemo(index: Int, offset: Int)
  /// An opcode meets a value that it cannot work on.
  case unexpected(String, offset: Int)
  /// Text that is not UTF-8; Python's lone surrogates are refused as well.
  case invalidText(offset: Int)
  case invalidNumber(offset: Int)
  case tooDeep(limit: Int)
  case tooManyValues(limit: Int, offset: Int)
  case tooManyMemoEntries(limit: Int, offset: Int)
  case tooManyBytes(count: Int, limit: Int)
  /// Shared containers written out in full would hold more values than the limit.
  case expandsTooFar(limit: Int)
  /// A container that holds itself.
  case recursive(String)
}

extension PickleError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .truncated(let offset, let needed, let available):
      "the pickle is cut short: at byte \(offset) it needs \(needed) more bytes and has \(available)"
    case .missingStop(let offset):
      "the pickle ends at byte \(offset) without STOP; it is cut short"
    case .trailingBytes(let offset, let count):
      "the pickle ends at byte \(offset), but \(count) more bytes follow"
    case .unknownOpcode(let opcode, let offset):
      "the pickle has the unknown opcode \(opcode) at byte \(offset); it is damaged or no pickle"
    case .refusedOpcode(let name, let offset):
      "the pickle uses \(name) at byte \(offset), which no checkpoint needs; nothing was run"
    case .unsupportedProtocol(let number, let offset):
      "the pickle at byte \(offset) is of protocol \(number); 0 to 5 are known"
    case .forbiddenGlobal(let module, let name, let offset):
      "the pickle names `\(module).\(name)` at byte \(offset), which no checkpoint needs; "
        + "nothing was run"
    case .forbiddenAttribute(let owner, let offset):
      "the pickle takes an attribute of \(owner) at byte \(offset), which no checkpoint needs; "
        + "nothing was run"
    case .stackUnderflow, .leftOnStack, .unknownMemo, .unexpected, .invalidText, .invalidNumber:
      structure
    default: limit
    }
  }

  private var structure: String {
    switch self {
    case .stackUnderflow(let opcode, let offset):
      "the pickle is malformed: opcode \(opcode) at byte \(offset) finds too few values"
    case .leftOnStack(let count, let offset):
      "the pickle is malformed: it leaves \(count) values over at byte \(offset)"
    case .unknownMemo(let index, let offset):
      "the pickle is malformed: at byte \(offset) it asks for memo \(index), which was never stored"
    case .unexpected(let what, let offset):
      "the pickle is malformed: at byte \(offset), \(what)"
    case .invalidText(let offset):
      "the pickle's text at byte \(offset) is not UTF-8"
    case .invalidNumber(let offset):
      "the pickle's number at byte \(offset) cannot be read"
    default: ""
    }
  }

  private var limit: String {
    switch self {
    case .tooDeep(let limit):
      "the pickle nests deeper than \(limit) levels, which no checkpoint does"
    case .tooManyValues(let limit, let offset):
      "the pickle has made more than \(limit) values at byte \(offset)"
    case .tooManyMemoEntries(let limit, let offset):
      "the pickle has stored more than \(limit) memo entries at byte \(offset)"
    case .tooManyBytes(let count, let limit):
      "the pickle has \(count) bytes; at most \(limit) are read"
    case .expandsTooFar(let limit):
      "the pickle, written out without sharing, holds more than \(limit) values"
    case .recursive(let what):
      "the pickle holds a \(what) that contains itself, which no checkpoint does"
    default: ""
    }
  }
}
