import JSON
import Tensors

/// A distributed checkpoint's `metadata.json`: who wrote the tensors, and how.
public struct BackendMetadata: Equatable, Sendable {
  public enum Backend: String, Equatable, Sendable {
    case torchDist = "torch_dist"
    case zarr
  }

  public var sharded: Backend
  public var shardedVersion: Int

  /// Reads `metadata.json` in a folder; unknown members are ignored, as Megatron-Core 0.19 does.
  ///
  /// - Returns: `nil` if there is no such file.
  /// - Throws: `MegatronError.unknownBackend` or `.malformedFile`.
  public init?(ifIn folder: String) throws(MegatronError) {
    let path = folder + "/metadata.json"
    guard Folder.isFile(path) else { return nil }
    let bytes: [UInt8]
    do throws(FileError) { bytes = try InputFile(path).readAll() } catch { throw .file(error) }
    let json: JSON
    do throws(JSONError) { json = try JSON(parsing: bytes) } catch {
      throw .malformedFile(
        file: path, place: "byte \(error.offset)", expected: "JSON", found: "\(error)")
    }
    guard let name = json.object?["sharded_backend"]?.string else {
      throw .malformedFile(
        file: path, place: "sharded_backend", expected: "a name", found: "nothing")
    }
    guard let backend = Backend(rawValue: name) else {
      throw .unknownBackend(file: path, found: name)
    }
    sharded = backend
    shardedVersion = json.object?["sharded_backend_version"]?.integer ?? 1
    guard shardedVersion == 1 else {
      throw .unknownBackend(file: path, found: "\(name) version \(shardedVersion)")
    }
  }

  /// The four members that every Megatron-Core accepts: up to 0.16 unknown ones are errors, and
  /// `common_backend` says that `common.pt` is there.
  public static let bytes = Array(
    (#"{"sharded_backend": "torch_dist", "sharded_backend_version": 1, "#
      + #""common_backend": "torch", "common_backend_version": 1}"#).utf8)
}
