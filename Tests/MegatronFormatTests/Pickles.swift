import Foundation
import MegatronFormat
import Support
import Tensors

/// Pickles written by hand, and values as texts that can be compared.
enum Pickles {
  static func bytes(_ path: String) throws -> [UInt8] {
    try InputFile(Support.data(path).path).readAll()
  }

  /// Every file below a reference folder whose name is `name`.
  static func files(named name: String, in folder: String) -> [String] {
    let root = Support.data(folder)
    let paths = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String }
    return (paths ?? []).filter { $0.hasSuffix("/" + name) }.sorted().map { folder + "/" + $0 }
  }

  /// A value written out in full, in the notation of Python where it has one.
  static func text(_ value: PickleValue) -> String {
    switch value {
    case .none: return "None"
    case .bool(let flag): return flag ? "True" : "False"
    case .integer(let number): return String(number)
    case .bigInteger(let bytes): return "big(\(bytes))"
    case .float(let number): return "\(number)"
    case .string(let text): return "'\(text)'"
    case .bytes(let bytes): return "bytes(\(bytes))"
    case .tuple(let items): return "(" + items.map(text).joined(separator: ", ") + ")"
    case .list(let list): return "[" + list.items.map(text).joined(separator: ", ") + "]"
    case .dictionary(let dictionary): return text(dictionary)
    case .set(let set): return "{" + set.items.map(text).joined(separator: ", ") + "}"
    case .global(let module, let name): return module + "." + name
    case .object(let object):
      var result = "\(object.module).\(object.name):\(object.construction)"
      result += text(.tuple(object.arguments))
      if let list = object.list { result += text(.list(list)) }
      if let dictionary = object.dictionary { result += text(dictionary) }
      if let state = object.state { result += "<\(text(state))>" }
      return result
    case .persistent(let reference): return "@" + text(reference.value)
    }
  }

  private static func text(_ dictionary: PickleDictionary) -> String {
    "{" + dictionary.items.map { "\(text($0.key)): \(text($0.value))" }.joined(separator: ", ")
      + "}"
  }

  /// A value in a pickle of one's own.
  static func load(
    _ bytes: [UInt8], _ policy: Unpickler.Policy = .state,
    limits: Unpickler.Limits = .init()
  ) throws(PickleError) -> PickleValue {
    try Unpickler.load(bytes, policy: policy, limits: limits)
  }

  /// Opcodes and texts as Python writes them in a bytes literal, `\xNN` being one byte.
  static func raw(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
  }
}
