import Glibc
import Tensors

/// Writes safetensors files whose tensors are in memory.
///
/// Large models are streamed instead: plan a `SafeTensorsHeader`, create an `OutputFile`, write
/// `rawHeader` at its start and each tensor at `fileOffset(of:)`, in any order and by several workers.
public enum SafeTensorsWriter {
  /// A tensor with its bytes, row-major and little-endian.
  public struct Tensor: Sendable {
    public var plan: TensorPlan
    public var bytes: [UInt8]

    public init(name: String, dtype: DType, shape: Shape, bytes: [UInt8]) {
      plan = TensorPlan(name: name, dtype: dtype, shape: shape)
      self.bytes = bytes
    }
  }

  /// Writes a whole file in the order given; whoever looks at `path` sees the old file or the new.
  public static func write(
    path: String, tensors: [Tensor], metadata: SafeTensorsHeader.Metadata = []
  ) throws(SafeTensorsError) {
    let header: SafeTensorsHeader
    do {
      header = try .encoded(tensors: tensors.map(\.plan), metadata: metadata)
    } catch {
      throw .header(file: path, error)
    }
    for (tensor, entry) in zip(tensors, header.tensors) {
      guard tensor.bytes.count == entry.byteCount else {
        throw .wrongByteCount(
          file: path, tensor: entry.name, expected: entry.byteCount, found: tensor.bytes.count)
      }
    }
    // The process number keeps two writers of one file out of each other's way.
    let draft = "\(path).partial-\(getpid())"
    do throws(FileError) {
      try Folder.removeFile(draft)
      let file = try OutputFile(creating: draft)
      do throws(FileError) {
        try file.write(header.rawHeader, at: 0)
        for (tensor, entry) in zip(tensors, header.tensors) {
          try file.write(tensor.bytes, at: header.dataOffset + entry.range.lowerBound)
        }
        try file.flush()
        try Folder.publish(draft, as: path)
      } catch {
        // The first failure is the one to report.
        try? Folder.removeFile(draft)
        throw error
      }
    } catch {
      throw .file(error)
    }
  }
}
