import Foundation

/// SHA-1 and SHA-256 as OpenSSL computes them, found at run time, so that nothing here hangs on the code under test.
final class Digest {
  enum Kind: String {
    case sha1 = "EVP_sha1"
    case sha256 = "EVP_sha256"
  }

  private typealias New = @convention(c) () -> OpaquePointer?
  private typealias Free = @convention(c) (OpaquePointer?) -> Void
  private typealias Algorithm = @convention(c) () -> OpaquePointer?
  private typealias Start = @convention(c) (OpaquePointer?, OpaquePointer?, OpaquePointer?) -> Int32
  private typealias Update = @convention(c) (OpaquePointer?, UnsafeRawPointer?, Int) -> Int32
  private typealias Final =
    @convention(c) (OpaquePointer?, UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<UInt32>) ->
    Int32

  private let context: OpaquePointer?
  private let update: Update
  private let final: Final
  private let free: Free

  init(_ kind: Kind) {
    func symbol<T>(_ name: String, _: T.Type) -> T {
      guard let library = dlopen("libcrypto.so.3", RTLD_NOW), let found = dlsym(library, name)
      else { preconditionFailure("libcrypto.so.3 has no \(name)") }
      return unsafeBitCast(found, to: T.self)
    }
    context = symbol("EVP_MD_CTX_new", New.self)()
    update = symbol("EVP_DigestUpdate", Update.self)
    final = symbol("EVP_DigestFinal_ex", Final.self)
    free = symbol("EVP_MD_CTX_free", Free.self)
    let algorithm = symbol(kind.rawValue, Algorithm.self)()
    let started = symbol("EVP_DigestInit_ex", Start.self)(context, algorithm, nil)
    precondition(started == 1)
  }

  deinit { free(context) }

  func add(_ bytes: some Collection<UInt8>) {
    let whole: Void? = bytes.withContiguousStorageIfAvailable {
      _ = update(context, $0.baseAddress, $0.count)
    }
    if whole == nil { add([UInt8](bytes)) }
  }

  /// The digest in hexadecimal; nothing can be added behind it.
  func finish() -> String {
    var bytes = [UInt8](repeating: 0, count: 64)
    var count: UInt32 = 0
    _ = final(context, &bytes, &count)
    return bytes.prefix(Int(count)).map { String(format: "%02x", $0) }.joined()
  }

  static func of(_ bytes: some Collection<UInt8>, _ kind: Kind) -> String {
    let digest = Digest(kind)
    digest.add(bytes)
    return digest.finish()
  }

  /// What git calls these bytes.
  static func gitBlob(_ bytes: [UInt8]) -> String {
    let digest = Digest(.sha1)
    digest.add(Array("blob \(bytes.count)\0".utf8))
    digest.add(bytes)
    return digest.finish()
  }

  /// The digest of a file, behind what is added first.
  static func of(file path: String, _ kind: Kind, after start: [UInt8] = []) throws -> String {
    let digest = Digest(kind)
    digest.add(start)
    let file = try DescribedFile(path)
    var chunk = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = read(file.descriptor, &chunk, chunk.count)
      guard count > 0 else { break }
      digest.add(chunk[..<count])
    }
    return digest.finish()
  }
}

/// An open file that is closed with its last user.
final class DescribedFile {
  struct NotThere: Error { var path: String }

  let descriptor: Int32
  let size: Int

  init(_ path: String) throws {
    let opened = open(path, O_RDONLY | O_CLOEXEC)
    var facts = stat()
    guard opened >= 0, fstat(opened, &facts) == 0 else {
      if opened >= 0 { close(opened) }
      throw NotThere(path: path)
    }
    descriptor = opened
    size = Int(facts.st_size)
  }

  deinit { close(descriptor) }
}
