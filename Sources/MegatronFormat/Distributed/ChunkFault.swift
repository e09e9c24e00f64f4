import Tensors

/// One way in which the chunks of a distributed checkpoint do not add up to its tensors.
public enum ChunkFault: Equatable, Sendable {
  /// The chunk does not lie inside the tensor, or has another rank.
  case outside(key: String, offsets: [Int], sizes: [Int], shape: Shape)
  /// No chunk covers this box of the tensor.
  case gap(key: String, offsets: [Int], sizes: [Int])
  /// Two or more chunks cover this box of the tensor.
  case overlap(key: String, offsets: [Int], sizes: [Int])
  /// Too irregular a set of chunks to be checked in reasonable time.
  case tooIrregular(key: String, chunks: Int)
  /// The chunk has no entry that says where its bytes are; `nil` for a byte object.
  case withoutStorage(key: String, offsets: [Int]?)
  /// An entry says where bytes are that no tensor or object asks for.
  case withoutChunk(key: String, offsets: [Int]?)
  /// The name is not that of a file in the checkpoint's folder (`../x`, `/x`, empty).
  case unsafeName(key: String, name: String)
  case missingFile(key: String, name: String)
  /// The item lies (partly) behind the end of its file.
  case beyondFile(key: String, name: String, offset: Int, length: Int, size: Int)

  /// The tensor or object that is affected.
  public var key: String {
    switch self {
    case .outside(let key, _, _, _), .gap(let key, _, _), .overlap(let key, _, _),
      .tooIrregular(let key, _), .withoutStorage(let key, _), .withoutChunk(let key, _),
      .unsafeName(let key, _), .missingFile(let key, _),
      .beyondFile(let key, _, _, _, _):
      key
    }
  }
}

extension ChunkFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .outside(let key, let offsets, let sizes, let shape):
      "\(key): the chunk \(box(offsets, sizes)) does not lie inside the tensor's shape \(shape)"
    case .gap(let key, let offsets, let sizes):
      "\(key): no chunk covers \(box(offsets, sizes))"
    case .overlap(let key, let offsets, let sizes):
      "\(key): several chunks cover \(box(offsets, sizes))"
    case .tooIrregular(let key, let chunks):
      "\(key): its \(chunks) chunks overlap in too many ways to be a tiling"
    case .withoutStorage(let key, let offsets):
      "\(key): nothing says in which file \(place(offsets)) is"
    case .withoutChunk(let key, let offsets):
      "\(key): a file holds \(place(offsets)), which no tensor or object lists"
    case .unsafeName(let key, let name):
      "\(key): \"\(name)\" is not the name of a file inside the checkpoint's folder"
    case .missingFile(let key, let name):
      "\(key): the file \(name) is not in the checkpoint's folder"
    case .beyondFile(let key, let name, let offset, let length, let size):
      "\(key): bytes \(offset) to \(offset &+ length) of \(name) are wanted, which has \(size)"
    }
  }

  private func box(_ offsets: [Int], _ sizes: [Int]) -> String {
    "at offsets \(Shape(offsets)) of sizes \(Shape(sizes))"
  }

  private func place(_ offsets: [Int]?) -> String {
    offsets.map { "the chunk at \(Shape($0))" } ?? "the object"
  }
}
