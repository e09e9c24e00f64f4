import CZlib
import CZstd
import Tensors

/// The bytes of a file from its start to its end, decompressed where it begins as gzip or zstd files do.
///
/// What a file is follows from its first bytes, never from its name. Memory: a megabyte of each side, and the
/// window of a zstd frame, which the frame itself chooses, up to 2 GiB.
final class ByteStream {
  let file: InputFile
  let compression: Compression
  private var decoder: (any Decoder)?
  /// How much of the file has been taken.
  private(set) var position = 0

  enum Compression: Sendable, Equatable {
    case none, gzip, zstd
  }

  static let chunk = 1 << 20

  init(_ path: String) throws(DataError) {
    do throws(FileError) { file = try InputFile(path) } catch { throw .file(error) }
    compression = try Self.compression(of: file)
    switch compression {
    case .none: decoder = nil
    case .gzip: decoder = try GzipDecoder(path)
    case .zstd: decoder = try ZstdDecoder(path)
    }
  }

  /// What the first bytes of a file say.
  static func compression(of file: InputFile) throws(DataError) -> Compression {
    let head: [UInt8]
    do throws(FileError) { head = try file.read(0..<min(4, file.size)) } catch {
      throw .file(error)
    }
    if head.starts(with: [0x1F, 0x8B]) { return .gzip }
    // A frame, or one of the sixteen kinds of skippable frames, which may come first.
    if head == [0x28, 0xB5, 0x2F, 0xFD] { return .zstd }
    if head.count == 4, head[0] & 0xF0 == 0x50, head[1...] == [0x2A, 0x4D, 0x18] { return .zstd }
    if head == Array("PAR1".utf8) { throw .notRows(file: file.path, found: .parquet) }
    if head == Array("ARRO".utf8) { throw .notRows(file: file.path, found: .arrow) }
    return .none
  }

  /// The next bytes, at least one; `nil` at the end.
  func next() throws(DataError) -> [UInt8]? {
    guard let decoder else { return try stored() }
    while true {
      let bytes = try decoder.decoded()
      if !bytes.isEmpty { return bytes }
      if decoder.needsInput {
        guard let input = try stored() else {
          try decoder.finish(at: position)
          return nil
        }
        decoder.give(input, from: position - input.count)
      }
    }
  }

  /// The next bytes as they lie in the file.
  private func stored() throws(DataError) -> [UInt8]? {
    guard position < file.size else { return nil }
    let end = min(file.size, position + Self.chunk)
    do throws(FileError) {
      let bytes = try file.read(position..<end)
      position = end
      return bytes
    } catch { throw .file(error) }
  }
}

/// Something that makes bytes of compressed ones.
private protocol Decoder: AnyObject {
  /// Whether all that was given has been taken.
  var needsInput: Bool { get }
  /// - Parameter offset: where the bytes lie in the file.
  func give(_ bytes: [UInt8], from offset: Int)
  /// What can be made now; empty if there is no more to make without input.
  func decoded() throws(DataError) -> [UInt8]
  /// Throws if the file ends where more should follow.
  func finish(at offset: Int) throws(DataError)
}

private final class GzipDecoder: Decoder {
  private let path: String
  private let state: gunzip_state
  private var input: [UInt8] = []
  private var taken = 0
  private var offset = 0
  private var output = [UInt8](repeating: 0, count: ByteStream.chunk)
  /// Whether a member has begun and not ended.
  private var isInside = false
  private var hasEnded = false

  init(_ path: String) throws(DataError) {
    guard let state = gunzip_new() else { throw .noMemory(file: path) }
    self.path = path
    self.state = state
  }

  deinit { gunzip_free(state) }

  var needsInput: Bool { taken == input.count }

  func give(_ bytes: [UInt8], from offset: Int) {
    input = bytes
    taken = 0
    self.offset = offset
  }

  func decoded() throws(DataError) -> [UInt8] {
    if hasEnded { try skipPadding() }
    guard taken < input.count else { return [] }
    isInside = true
    var used: UInt32 = 0
    var made: UInt32 = 0
    let code = gunzip_step(
      state, input, UInt32(taken), UInt32(input.count), &output, UInt32(output.count), &used, &made)
    taken += Int(used)
    switch code {
    case Z_STREAM_END:
      isInside = false
      hasEnded = true
    case Z_OK where used > 0 || made > 0: break
    default: throw .damaged(file: path, offset: offset + taken, kind: .gzip)
    }
    return Array(output[..<Int(made)])
  }

  /// Between members: zeros, as tapes and some tools leave them, or the start of the next member.
  private func skipPadding() throws(DataError) {
    while taken < input.count, input[taken] == 0 { taken += 1 }
    guard taken < input.count else { return }
    guard input[taken] == 0x1F, gunzip_again(state) == Z_OK else {
      throw .damaged(file: path, offset: offset + taken, kind: .gzip)
    }
    hasEnded = false
  }

  func finish(at offset: Int) throws(DataError) {
    if isInside { throw .cutShort(file: path, offset: offset, kind: .gzip) }
  }
}

private final class ZstdDecoder: Decoder {
  private let path: String
  private let state: unzstd_state
  private var input: [UInt8] = []
  private var taken = 0
  private var offset = 0
  private var output = [UInt8](repeating: 0, count: ByteStream.chunk)
  private var isInside = false
  /// Whether the last step filled the output, so that the decompressor may hold more.
  private var isFull = false

  init(_ path: String) throws(DataError) {
    guard let state = unzstd_new() else { throw .noMemory(file: path) }
    self.path = path
    self.state = state
  }

  deinit { unzstd_free(state) }

  var needsInput: Bool { taken == input.count && !isFull }

  func give(_ bytes: [UInt8], from offset: Int) {
    input = bytes
    taken = 0
    self.offset = offset
  }

  func decoded() throws(DataError) -> [UInt8] {
    guard taken < input.count || isFull else { return [] }
    var used = 0
    var made = 0
    let code = unzstd_step(
      state, input, taken, input.count, &output, output.count, &used, &made)
    taken += used
    guard ZSTD_isError(code) == 0 else {
      throw .damaged(file: path, offset: offset + taken, kind: .zstd)
    }
    isFull = made == output.count && code != 0
    isInside = code != 0
    return Array(output[..<made])
  }

  func finish(at offset: Int) throws(DataError) {
    if isInside { throw .cutShort(file: path, offset: offset, kind: .zstd) }
  }
}
