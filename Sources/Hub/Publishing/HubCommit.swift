import HTTP
import JSON
import Tensors

/// One commit on its way: what it adds, what it takes away, and what it says of itself.
///
/// Source of the payloads: huggingface_hub 2.4.0, `_commit_api.py`.
struct HubCommit: Sendable {
  /// The first line of what people read of it, and the rest.
  var summary: String
  var details: String
  /// The commit it stands on: another one there by then is an error, and nothing is overwritten.
  var parent: String
  /// Files that lie in the storage already, by SHA-256.
  var large: [HubFolder.File] = []
  /// Files that travel inside of the commit.
  var small: [(path: String, bytes: [UInt8])] = []
  var deleted: [String] = []

  var isEmpty: Bool { large.isEmpty && small.isEmpty && deleted.isEmpty }

  /// The commit as the hub takes it: a line of JSON for each operation.
  var payload: [UInt8] {
    var bytes: [UInt8] = []
    func add(_ key: String, _ value: JSONObject) {
      bytes += JSON.object(["key": .string(key), "value": .object(value)]).serializedBytes()
      bytes.append(UInt8(ascii: "\n"))
    }
    add(
      "header",
      [
        "summary": .string(summary), "description": .string(details),
        "parentCommit": .string(parent),
      ])
    for path in deleted { add("deletedFile", ["path": .string(path)]) }
    for (path, contents) in small {
      add(
        "file",
        [
          "content": .string(Base64.encoded(contents)), "path": .string(path),
          "encoding": .string("base64"),
        ])
    }
    for file in large {
      add(
        "lfsFile",
        [
          "path": .string(file.path), "algo": .string("sha256"),
          "oid": .string(file.sha256 ?? ""), "size": .integer(file.size),
        ])
    }
    return bytes
  }
}

/// Bytes as text (RFC 4648).
enum Base64 {
  private static let letters = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encoded(_ bytes: [UInt8]) -> String {
    var result: [UInt8] = []
    result.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let rest = bytes.count - start
      let word =
        UInt32(bytes[start]) << 16 | (rest > 1 ? UInt32(bytes[start + 1]) << 8 : 0)
        | (rest > 2 ? UInt32(bytes[start + 2]) : 0)
      result.append(letters[Int(word >> 18)])
      result.append(letters[Int(word >> 12 & 63)])
      result.append(rest > 1 ? letters[Int(word >> 6 & 63)] : UInt8(ascii: "="))
      result.append(rest > 2 ? letters[Int(word & 63)] : UInt8(ascii: "="))
    }
    return String(decoding: result, as: UTF8.self)
  }
}

/// How the hub wants each file: inside of the commit, or in its storage (`POST …/preupload/…`).
struct HubUploadModes {
  /// Files of a question; the hub takes no more at once.
  static let batch = 256
  /// What the hub looks at to tell text from numbers.
  static let sample = 512
  /// Nothing larger travels inside of a commit, whatever the hub says: it would have to be held in memory.
  static let smallLimit = 10 << 20

  private(set) var large: Set<String> = []
  private(set) var ignored: [String] = []

  static func question(_ files: [(path: String, size: Int, sample: [UInt8])]) -> [UInt8] {
    JSON.object([
      "files": .array(
        files.map { file in
          .object([
            "path": .string(file.path), "sample": .string(Base64.encoded(file.sample)),
            "size": .integer(file.size),
          ])
        })
    ]).serializedBytes()
  }

  /// Takes an answer in.
  ///
  /// - Returns: why it is none; `nil` if all is well.
  mutating func take(_ answer: JSON, for files: [HubFolder.File]) -> String? {
    guard let entries = answer.object?["files"]?.array else { return "it lists no files" }
    var modes: [String: String] = [:]
    for entry in entries {
      guard let path = entry.object?["path"]?.string,
        let mode = entry.object?["uploadMode"]?.string, ["lfs", "regular"].contains(mode)
      else { return "an entry has no path, or no mode that is known" }
      modes[path] = mode
      if entry.object?["shouldIgnore"]?.bool == true { ignored.append(path) }
    }
    for file in files {
      guard let mode = modes[file.path] else {
        return "it does not say how \(file.path) is to come"
      }
      // The storage takes no empty files.
      let isLarge = mode == "lfs" || file.size > Self.smallLimit
      if isLarge, file.size > 0 { large.insert(file.path) }
    }
    return nil
  }
}
