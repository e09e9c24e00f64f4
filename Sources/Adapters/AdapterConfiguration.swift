import JSON
import Tensors

/// An adapter_config.json, which remembers what of it was read.
struct AdapterConfiguration {
  let file: String
  private let object: JSONObject
  private var known: Set<String> = []

  /// - Throws: `AdapterError.malformed` if it is not there or is no object.
  init(folder: String) throws {
    file = "\(folder)/adapter_config.json"
    guard Folder.isFile(file) else {
      throw AdapterError.malformed(
        file: folder, place: "adapter_config.json",
        reason: "it is missing, and only it says how much of the adapter is added; copy it from "
          + "the training's output")
    }
    let bytes = try InputFile(file).readAll()
    let json: JSON
    do throws(JSONError) {
      json = try JSON(parsing: bytes, allowingNonFinite: true)
    } catch {
      throw AdapterError.malformed(file: file, place: "text", reason: "\(error)")
    }
    guard let object = json.object else {
      throw AdapterError.malformed(
        file: file, place: "text", reason: "it must be one JSON object")
    }
    self.object = object
  }

  /// A fault at a key.
  func fault(_ key: String, _ reason: String) -> AdapterError {
    .malformed(file: file, place: key, reason: reason)
  }

  mutating func value(_ key: String) -> JSON? {
    known.insert(key)
    return object[key]
  }

  mutating func ignore(_ keys: String...) { known.formUnion(keys) }

  /// Whether a key says more than nothing.
  mutating func isSet(_ key: String) -> Bool { value(key).map { !Self.isNothing($0) } ?? false }

  mutating func text(_ key: String) throws(AdapterError) -> String? {
    guard let value = value(key), !value.isNull else { return nil }
    guard let text = value.string else { throw fault(key, "it is no text") }
    return text
  }

  mutating func flag(_ key: String) throws(AdapterError) -> Bool {
    guard let value = value(key), !value.isNull else { return false }
    guard let flag = value.bool else { throw fault(key, "it is neither true nor false") }
    return flag
  }

  mutating func integer(_ key: String, missing: String) throws(AdapterError) -> Int {
    let number = try number(key, missing: missing)
    guard let integer = Int(exactly: number) else { throw fault(key, "it is no whole number") }
    return integer
  }

  mutating func number(_ key: String, missing: String) throws(AdapterError) -> Double {
    guard let value = value(key), !value.isNull else {
      throw fault(key, "it is missing; \(missing)")
    }
    guard let number = value.double, number.isFinite else {
      throw fault(key, "it is no finite number")
    }
    return number
  }

  /// A list of texts, or one text alone.
  mutating func texts(_ key: String) throws(AdapterError) -> [String]? {
    guard let value = value(key), !value.isNull else { return nil }
    if let text = value.string { return [text] }
    var texts: [String] = []
    for item in value.array ?? [.null] {
      guard let text = item.string else { throw fault(key, "it is no list of names") }
      texts.append(text)
    }
    return texts
  }

  mutating func object(_ key: String) throws(AdapterError) -> JSONObject? {
    guard let value = value(key), !value.isNull else { return nil }
    guard let object = value.object else { throw fault(key, "it is no object") }
    return object
  }

  /// Refuses keys that nobody read and that say something.
  ///
  /// - Throws: `AdapterError.unsupported`.
  func requireNothingElse() throws(AdapterError) {
    let other = object.members.filter { !known.contains($0.key) && !Self.isNothing($0.value) }
    guard let first = other.first else { return }
    throw .unsupported(
      file: file,
      what: "\(first.key) is set to \(first.value.serialized(.python)), which is not understood; "
        + "if it changes nothing of what the adapter computes, take it out")
  }

  private static func isNothing(_ value: JSON) -> Bool {
    switch value {
    case .null, .bool(false): true
    case .array(let items): items.isEmpty
    case .object(let object): object.count == 0
    default: false
    }
  }
}
