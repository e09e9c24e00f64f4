import JSON
import SafeTensors
import Tensors

/// How a Hugging Face folder stored its weights: files, order, headers to the byte, index.
///
/// An import keeps it beside the checkpoint, so that an export gives the same files back even where
/// the original weights are gone.
struct SourceRecord: Sendable {
  struct File: Sendable {
    var name: String
    var header: SafeTensorsHeader
  }

  var files: [File]
  var index: [UInt8]?
  /// Tensors that are kept beside the checkpoint: no learned values, no part of the language model, or
  /// ones whose bits the checkpoint's rounding loses (`Shift`).
  var carried: SafeTensorsFile?

  /// The folder in a checkpoint's iteration, and the files in it.
  static let folder = "huggingface"
  static let layoutName = "layout.json"
  static let carriedName = "buffers.safetensors"

  init(files: [File], index: [UInt8]?, carried: SafeTensorsFile? = nil) {
    self.files = files
    self.index = index
    self.carried = carried
  }

  init(_ weights: ShardedFolder) {
    files = weights.files.map { File(name: Folder.name($0.path), header: $0.header) }
    index = weights.indexBytes
  }

  var names: [String] { files.flatMap { $0.header.tensors.map(\.name) } }

  /// The record as a JSON text.
  ///
  /// A header is JSON itself, so it is kept as a string; its length says how many spaces pad it.
  func encoded() -> [UInt8] {
    var object = JSONObject()
    object["version"] = .integer(1)
    object["files"] = .array(
      files.map { file in
        .object(
          JSONObject([
            "name": .string(file.name),
            "header": .string(String(decoding: file.header.rawHeader.dropFirst(8), as: UTF8.self)),
            "dataLength": .integer(file.header.dataLength),
          ]))
      })
    object["index"] = index.map { .string(String(decoding: $0, as: UTF8.self)) }
    return JSON.object(object).serializedBytes(.compact)
  }

  /// The record an import left in an iteration folder, if there is one.
  ///
  /// - Throws: `ConversionError.badConfiguration` if it is there but damaged.
  static func read(from iteration: String) throws -> SourceRecord? {
    let path = "\(iteration)/\(folder)/\(layoutName)"
    guard Folder.isFile(path) else { return nil }
    func damaged() -> ConversionError {
      .badConfiguration(
        path: path, reason: "the file is damaged; delete it to export into new shards.")
    }
    guard let object = try? JSON(parsing: InputFile(path).readAll()).object,
      let entries = object["files"]?.array
    else { throw damaged() }
    var files: [File] = []
    for entry in entries {
      guard let name = entry.object?["name"]?.string, !name.contains("/"), !name.hasPrefix("."),
        let text = entry.object?["header"]?.string,
        let length = entry.object?["dataLength"]?.integer
      else { throw damaged() }
      let bytes = Array(text.utf8)
      let raw = (0..<8).map { UInt8(truncatingIfNeeded: bytes.count >> ($0 * 8)) } + bytes
      guard let header = try? SafeTensorsHeader(rawHeader: raw, dataLength: length) else {
        throw damaged()
      }
      files.append(File(name: name, header: header))
    }
    let carried = "\(iteration)/\(folder)/\(carriedName)"
    return SourceRecord(
      files: files, index: object["index"]?.string.map { Array($0.utf8) },
      carried: Folder.isFile(carried) ? try SafeTensorsFile(carried) : nil)
  }
}
