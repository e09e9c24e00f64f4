import MegatronFormat
import Tensors

/// The result of reading everything: one CRC-32 per tensor, and whether stored checksums are right.
public struct Checksums: Sendable {
  /// The CRC-32 of each tensor's row-major bytes, as eight hexadecimal digits.
  public internal(set) var tensors: [String: String] = [:]
  /// The first stored checksum that is wrong, in words.
  public internal(set) var fault: String?
}

extension Inspection {
  /// Reads every tensor, and holds the files' own checksums against their bytes.
  ///
  /// - Throws: what reading throws; a wrong checksum is a result, no error.
  public func checksums(_ thing: StoredThing) throws -> Checksums {
    var result = Checksums()
    do {
      switch thing {
      case .torch(let path):
        if case .archive(let archive) = try TorchFile(path: path) { try archive.verifyChecksums() }
      case .megatron(let run):
        try run.openDistributed().verify()
      case .huggingFace, .safetensors: break
      }
    } catch MegatronError.torchFile(let error) where error.isChecksum {
      result.fault = "\(error)"
    } catch let error as TorchFileError where error.isChecksum {
      result.fault = "\(error)"
    }
    let window = 1 << 20
    let buffer = ByteBuffer(capacity: window)
    for tensor in tensors.tensors where !tensor.dtype.isSubByte {
      let runs = try tensor.runs()
      var crc: UInt32 = 0
      for start in stride(from: 0, to: runs.byteCount, by: window) {
        let count = min(window, runs.byteCount - start)
        try buffer.fill(runs.slice(start..<start + count))
        crc = buffer.crc32(0..<count, continuing: crc)
      }
      let digits = String(crc, radix: 16)
      result.tensors[tensor.name] = String(repeating: "0", count: 8 - digits.count) + digits
    }
    return result
  }
}

extension TorchFileError {
  fileprivate var isChecksum: Bool { if case .checksum = self { true } else { false } }
}
