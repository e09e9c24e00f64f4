import Glibc
import Tensors

/// The folders and small files of MLflow's file store.
///
/// Reference: mlflow/store/tracking/file_store.py
struct FileStore {
  /// An absolute path.
  let root: String

  /// How far a run is.
  enum Status: Int {
    case running = 1
    case finished = 3
    case failed = 4
    case killed = 5
  }

  /// - Parameter place: a folder's path, with or without `file://`.
  init(_ place: String) throws {
    var path = place
    if path.hasPrefix("file:") {
      path.removeFirst(5)
      if path.hasPrefix("//") { path.removeFirst(2) }
      if path.hasPrefix("localhost/") { path.removeFirst(9) }
    }
    guard !path.contains("://"), !path.isEmpty, place.hasPrefix("file:") || !path.contains(":/"),
      path != "databricks"
    else { throw MLflowError.notAFolder(place: place) }
    root = Folder.absolute(path)
  }

  /// The folder of an experiment, which is made if there is none of its name.
  func experiment(_ name: String, time: Double) throws -> String {
    let isNew = !Folder.isFolder(root)
    try Folder.create(root)
    if isNew { try makeExperiment("0", "Default", time: time) }
    for identifier in try Folder.names(in: root) {
      let path = root + "/" + identifier + "/meta.yaml"
      guard Folder.isFile(path) else { continue }
      let meta = try MetaFile(path)
      if meta["name"] == name, meta["lifecycle_stage"] == "active" {
        return root + "/" + identifier
      }
    }
    let identifier = "\(Int.random(in: 1...9))" + Machine.word(17, of: "0123456789")
    try makeExperiment(identifier, name, time: time)
    return root + "/" + identifier
  }

  private func makeExperiment(_ identifier: String, _ name: String, time: Double) throws {
    let folder = root + "/" + identifier
    try Folder.create(folder)
    let milliseconds = "\(Timestamp(time).milliseconds)"
    try MetaFile([
      ("artifact_location", MetaFile.quoted(Self.address(folder))),
      ("creation_time", milliseconds),
      ("experiment_id", MetaFile.quoted(identifier)),
      ("last_update_time", milliseconds),
      ("lifecycle_stage", "active"),
      ("name", MetaFile.quoted(name)),
    ]).write(to: folder + "/meta.yaml")
  }

  /// Makes a run's folders and says what it is.
  func makeRun(in experiment: String, name: String, time: Double) throws -> String {
    let identifier = Machine.word(32, of: "0123456789abcdef")
    let folder = experiment + "/" + identifier
    for part in ["metrics", "params", "tags", "artifacts"] {
      try Folder.create("\(folder)/\(part)")
    }
    try MetaFile([
      ("artifact_uri", MetaFile.quoted(Self.address(folder + "/artifacts"))),
      ("end_time", "null"),
      ("entry_point_name", "''"),
      ("experiment_id", MetaFile.quoted(Folder.name(experiment))),
      ("lifecycle_stage", "active"),
      ("run_id", MetaFile.quoted(identifier)),
      ("run_name", MetaFile.quoted(name)),
      ("source_name", "''"),
      ("source_type", "4"),  // LOCAL
      ("source_version", "''"),
      ("start_time", "\(Timestamp(time).milliseconds)"),
      ("status", "\(Status.running.rawValue)"),
      ("tags", "[]"),
      ("user_id", MetaFile.quoted(Machine.user ?? "unknown")),
    ]).write(to: folder + "/meta.yaml")
    return folder
  }

  /// Says how a run stands.
  static func mark(_ run: String, _ status: Status, end: Double?) throws {
    let path = run + "/meta.yaml"
    var meta = try MetaFile(path)
    meta.set("status", "\(status.rawValue)")
    meta.set("end_time", end.map { "\(Timestamp($0).milliseconds)" } ?? "null")
    try meta.write(to: path)
  }

  /// A folder as a URI; bytes other than those of plain names are escaped.
  private static func address(_ path: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var result = Array("file://".utf8)
    for byte in path.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        result.append(byte)
      default:
        if "/-._~".utf8.contains(byte) {
          result.append(byte)
        } else {
          result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}

/// A `meta.yaml`: a key and a scalar to a line.
///
/// Not a YAML reader: it understands what MLflow and this program write there.
struct MetaFile {
  private var entries: [(key: String, text: String)]

  init(_ entries: [(String, String)]) { self.entries = entries.map { ($0.0, $0.1) } }

  init(_ path: String) throws(FileError) {
    let text = String(decoding: try InputFile(path).readAll(), as: UTF8.self)
    entries = []
    for line in text.split(separator: "\n") {
      if line.hasPrefix(" "), let last = entries.indices.last {
        // A long scalar goes on in the next line.
        let more = line.drop { $0 == " " }
        entries[last].text += " " + more
      } else if let colon = line.firstIndex(of: ":") {
        let value = line[line.index(after: colon)...].drop { $0 == " " }
        entries.append((String(line[..<colon]), String(value)))
      }
    }
  }

  /// The value of a key, without quotes.
  subscript(key: String) -> String? {
    guard let text = entries.first(where: { $0.key == key })?.text else { return nil }
    guard text.count >= 2, let quote = text.first, quote == text.last else { return text }
    let inner = String(text.dropFirst().dropLast())
    switch quote {
    case "'": return inner.replacing("''", with: "'")
    case "\"": return inner.replacing("\\\"", with: "\"").replacing("\\\\", with: "\\")
    default: return text
    }
  }

  mutating func set(_ key: String, _ text: String) {
    for index in entries.indices where entries[index].key == key { entries[index].text = text }
  }

  /// A string as YAML holds any of one line.
  static func quoted(_ text: String) -> String {
    "'" + text.replacing("\n", with: " ").replacing("'", with: "''") + "'"
  }

  func write(to path: String) throws(FileError) {
    let text = entries.map { "\($0.key): \($0.text)\n" }.joined()
    try OutputFile.replace(path) { file throws(FileError) in
      try file.write(Array(text.utf8), at: 0)
    }
  }
}
