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
    places = (try? JSON(parsing: bytes, maximumDepth: 4))?.object ?? JSONObject()
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
    let text = JSON.object(places).serializedBytes(.indented(2)) + [UInt8(ascii: "\n")]
    try Folder.create(folder)
    try OutputFile.replace(folder + "/" + Self.name) { file throws(FileError) in
      try file.write(text, at: 0)
    }
  }
}
