import Foundation

extension HubStandIn {
  /// What a file of a repository holds.
  public struct Contents: Sendable, ExpressibleByStringLiteral {
    enum Source: Sendable {
      case bytes([UInt8])
      case file(String)
      case synthetic(size: Int, seed: UInt64)
    }

    var source: Source
    var isLarge: Bool?

    public init(stringLiteral text: String) { self = .text(text) }

    private init(_ source: Source, _ isLarge: Bool?) {
      self.source = source
      self.isLarge = isLarge
    }

    /// `large`: whether it is kept in the storage; unless said, as the hub decides it, by name and size.
    public static func bytes(_ bytes: [UInt8], large: Bool? = nil) -> Self {
      Self(.bytes(bytes), large)
    }

    public static func text(_ text: String, large: Bool? = nil) -> Self {
      Self(.bytes(Array(text.utf8)), large)
    }

    /// A file on disk, served from where it lies.
    public static func file(_ path: String, large: Bool? = nil) -> Self {
      Self(.file(path), large)
    }

    /// Bytes that a seed decides, so many of them; they are written to disk once.
    public static func synthetic(size: Int, seed: UInt64, large: Bool? = nil) -> Self {
      Self(.synthetic(size: size, seed: seed), large)
    }

    /// The bytes of synthetic contents, for small sizes.
    public static func syntheticBytes(size: Int, seed: UInt64) -> [UInt8] {
      var bytes: [UInt8] = []
      Synthetic(seed: seed).write(size: size) { bytes += $0 }
      return bytes
    }
  }
}

/// Blocks of noise, each marked with its number, so that no two are the same and none compresses.
struct Synthetic {
  private static let block = 1 << 20
  private let noise: [UInt8]

  init(seed: UInt64) {
    var state = seed
    var noise: [UInt8] = []
    noise.reserveCapacity(Self.block)
    while noise.count < Self.block {
      state &+= 0x9E37_79B9_7F4A_7C15
      var word = state
      word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
      word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
      word ^= word >> 31
      withUnsafeBytes(of: word) { noise.append(contentsOf: $0) }
    }
    self.noise = noise
  }

  func write(size: Int, to sink: (ArraySlice<UInt8>) throws -> Void) rethrows {
    var block = noise
    var written = 0
    while written < size {
      withUnsafeBytes(of: UInt64(written)) { mark in
        for place in stride(from: 0, to: Self.block, by: 1 << 16) {
          for index in 0..<8 { block[place + index] = noise[place + index] ^ mark[index] }
        }
      }
      let count = min(Self.block, size - written)
      try sink(block[..<count])
      written += count
    }
  }
}

/// A file's contents as a repository holds them.
struct Blob: Sendable, Equatable {
  enum Source: Sendable, Equatable {
    case bytes([UInt8])
    case file(String)
  }

  var source: Source
  var size: Int
  /// git's SHA-1: of the contents, or of the pointer to a large file.
  var oid: String
  /// Of a large file.
  var sha256: String?

  static func small(_ source: Source, size: Int) throws -> Blob {
    let start = Array("blob \(size)\0".utf8)
    let oid =
      switch source {
      case .bytes(let bytes): Digest.of(start + bytes, .sha1)
      case .file(let path): try Digest.of(file: path, .sha1, after: start)
      }
    return Blob(source: source, size: size, oid: oid)
  }

  static func large(_ source: Source, size: Int, sha256 known: String? = nil) throws -> Blob {
    let sha256: String
    switch (known, source) {
    case (let known?, _): sha256 = known
    case (nil, .bytes(let bytes)): sha256 = Digest.of(bytes, .sha256)
    case (nil, .file(let path)): sha256 = try Digest.of(file: path, .sha256)
    }
    let pointer = Self.pointer(sha256, size)
    return Blob(source: source, size: size, oid: Digest.gitBlob(pointer), sha256: sha256)
  }

  /// What git keeps for a large file.
  static func pointer(_ sha256: String, _ size: Int) -> [UInt8] {
    Array(
      "version https://git-lfs.github.com/spec/v1\noid sha256:\(sha256)\nsize \(size)\n".utf8)
  }

  var pointerSize: Int { sha256.map { Self.pointer($0, size).count } ?? size }

  /// The name of the blob in a cache.
  var etag: String { sha256 ?? oid }

  /// A stand-in for what the shared store would know it by.
  var xetHash: String? { sha256.map { Digest.of(Array("xet \($0)".utf8), .sha256) } }

  var bytes: [UInt8]? {
    switch source {
    case .bytes(let bytes): bytes
    case .file(let path): FileManager.default.contents(atPath: path).map { [UInt8]($0) }
    }
  }

  /// Whether the hub keeps such a file in its storage: by what a fresh repository's `.gitattributes` names, or by size.
  static func isLarge(_ path: String, size: Int, largeFrom: Int) -> Bool {
    guard size > 0 else { return false }
    let name = path.split(separator: "/").last.map(String.init) ?? path
    return size >= largeFrom || largeEndings.contains { name.hasSuffix(".\($0)") }
  }

  /// Of a fresh repository's `.gitattributes`, those that models have.
  static let largeEndings = [
    "7z", "arrow", "bin", "bz2", "ckpt", "ftz", "gz", "h5", "joblib", "mlmodel", "model", "msgpack",
    "npy", "npz", "onnx", "ot", "parquet", "pb", "pickle", "pkl", "pt", "pth", "rar", "safetensors",
    "tar", "tflite", "tgz", "wasm", "xz", "zip", "zst",
  ]

  static let gitAttributes =
    largeEndings.map { "*.\($0) filter=lfs diff=lfs merge=lfs -text\n" }.joined()
}
