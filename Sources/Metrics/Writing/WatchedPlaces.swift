import JSON
import Tensors

/// Where a run's records lie, kept in its folder, so that a process that goes on with the run finds them.
///
/// Folders of TensorBoard, Weights & Biases and MLflow are often shared by many runs, and only what this run
/// wrote itself may be cut or continued.
struct WatchedPlaces {
  private let folder: String
  private var places: JSONObject

  private static let name = "watching.json"

  /// - Parameter folder: the run folder.
  init(_ folder: String) throws(FileError) {
    self.folder = Folder.absolute(folder)
    let path = self.folder + "/" + Self.name
    places = JSONObject()
    guard Folder.isFile(path) else { return }
    // A file that is not as we write it names no places: everything is begun afresh.
    let bytes = try InputFile(path).readAll()
    places = (try? JSON(parsing: bytes))?.object ?? JSONObject()
  }

  /// The paths kept under a name.
  subscript(name: String) -> [String] {
    (places[name]?.array ?? []).compactMap(\.string).map { path in
      path.hasPrefix("/") ? path : folder + "/" + path
    }
  }

  /// Keeps paths under a name, in place of what was kept there.
  mutating func keep(_ paths: [String], as name: String) throws(FileError) {
    places[name] = .array(
      paths.map { path in
        let path = Folder.absolute(path)
        let isInside = path.hasPrefix(folder + "/")
        return .string(isInside ? String(path.dropFirst(folder.count + 1)) : path)
      })
    try write()
  }

  // MARK: What the run is

  private static let run = "run"

  /// What the run is, as its last process told.
  var description: RunDescription? {
    guard let run = places[Self.run]?.object, let name = run["name"]?.string else { return nil }
    var description = RunDescription(name: name, folder: folder)
    description.arguments = (run["arguments"]?.array ?? []).compactMap(\.string)
    description.configuration = (run["configuration"]?.object?.members ?? []).map {
      ($0.key, $0.value)
    }
    for (key, origin) in run["origins"]?.object?.members ?? [] {
      description.origins[key] = origin.string
    }
    description.lastStep = run["steps"]?.integer
    description.parameters = run["parameters"]?.integer ?? 0
    description.trained = run["trained"]?.integer ?? 0
    description.start = run["start"]?.double ?? 0
    return description
  }

  /// Keeps what the run is, so that its report can be made at any time.
  mutating func keep(_ description: RunDescription) throws(FileError) {
    var configuration = JSONObject()
    for (key, value) in description.configuration { configuration[key] = value }
    var origins = JSONObject()
    for (key, origin) in description.origins.sorted(by: { $0.key < $1.key }) {
      origins[key] = .string(origin)
    }
    // A run began when its first process did.
    let isFirst = description.firstStep == 0
    let start = isFirst ? description.start : self.description?.start ?? description.start
    places[Self.run] = .object(
      JSONObject([
        "name": .string(description.name),
        "arguments": .array(description.arguments.map { .string($0) }),
        "steps": description.lastStep.map { .integer($0) } ?? .null,
        "parameters": .integer(description.parameters),
        "trained": .integer(description.trained),
        "start": .number(start),
        "configuration": .object(configuration),
        "origins": .object(origins),
      ]))
    try write()
  }

  private func write() throws(FileError) {
    let text = JSON.object(places).serializedBytes(.indented(2)) + [UInt8(ascii: "\n")]
    try Folder.create(folder)
    try OutputFile.replace(folder + "/" + Self.name) { file throws(FileError) in
      try file.write(text, at: 0)
    }
  }
}
