import JSON

/// What a new folder of weights will look like: which file gets which tensor, and its index.
extension ShardedFolder {
  public static let indexName = "model.safetensors.index.json"

  /// One file to be written.
  public struct Shard: Hashable, Sendable {
    public let file: String
    public let tensors: [String]
  }

  /// Divides tensors among files by the rule of `huggingface_hub`.
  ///
  /// In the order given; a file is closed when the next tensor would make it larger than `maximum`
  /// bytes. A tensor larger than that has a file of its own, which comes before the file still open.
  public static func plan(
    tensors: [(name: String, byteCount: Int)], maximum: Int = 5_000_000_000
  ) -> [Shard] {
    var shards: [[String]] = []
    var open: [String] = []
    var openSize = 0
    for (name, size) in tensors {
      if size > maximum {
        shards.append([name])
        continue
      }
      if size > maximum - openSize {
        shards.append(open)
        open = []
        openSize = 0
      }
      open.append(name)
      openSize += size
    }
    if !open.isEmpty { shards.append(open) }
    if shards.count == 1 { return [Shard(file: "model.safetensors", tensors: shards[0])] }
    return shards.enumerated().map { index, names in
      Shard(file: fileName(index + 1, of: shards.count), tensors: names)
    }
  }

  /// `model-00001-of-00003.safetensors`.
  static func fileName(_ number: Int, of count: Int) -> String {
    func padded(_ number: Int) -> String {
      let digits = String(number)
      return String(repeating: "0", count: max(0, 5 - digits.utf8.count)) + digits
    }
    return "model-\(padded(number))-of-\(padded(count)).safetensors"
  }

  /// The index file as `save_pretrained` of transformers writes it.
  ///
  /// - Parameters:
  ///   - weightMap: the file of each tensor.
  ///   - totalSize: the bytes of all tensors together.
  ///   - extraMetadata: further members of `metadata`, such as `total_parameters`.
  public static func indexJSON(
    weightMap: [String: String], totalSize: Int, extraMetadata: JSONObject = JSONObject()
  ) -> [UInt8] {
    var metadata = extraMetadata
    metadata["total_size"] = .integer(totalSize)
    var files = JSONObject()
    for (tensor, file) in weightMap { files[tensor] = .string(file) }
    let index = JSONObject(["metadata": .object(metadata), "weight_map": .object(files)])
    return JSON.object(index).serializedBytes(.indented(2), sortedKeys: true, asciiOnly: true)
      + [UInt8(ascii: "\n")]
  }
}
