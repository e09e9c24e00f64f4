import Foundation
import Synchronization

/// A server on loopback that says what a test lays in its mouth, byte for byte.
final class RawServer: Sendable {
  struct Request: Sendable {
    var line: String
    var fields: [String: String]
    var body: [UInt8]

    var method: String { String(line.prefix { $0 != " " }) }
    var target: String { String(line.split(separator: " ")[1]) }

    subscript(name: String) -> String? { fields[name.lowercased()] }
  }

  enum Step: Sendable {
    case text(String)
    case bytes([UInt8])
    case wait(Double)
    /// Ends the connection.
    case end
  }

  let port: Int
  private let listener: Int32
  private let seen = Mutex<[Request]>([])
  private let accepted = Mutex(0)

  var address: String { "http://127.0.0.1:\(port)" }
  var requests: [Request] { seen.withLock { $0 } }
  var connections: Int { accepted.withLock { $0 } }

  init(_ answer: @escaping @Sendable (Request) -> [Step]) throws {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let name = listener
    let bound = withUnsafeMutablePointer(to: &place) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(name, $0, length) == 0 && listen(name, 16) == 0 && getsockname(name, $0, &length) == 0
      }
    }
    guard bound else { throw POSIXError(.EADDRINUSE) }
    port = Int(UInt16(bigEndian: place.sin_port))
    Thread.detachNewThread { [self] in
      while true {
        let connection = accept(name, nil, nil)
        guard connection >= 0 else { return }
        accepted.withLock { $0 += 1 }
        Thread.detachNewThread { [self] in
          serve(connection, answer)
          close(connection)
        }
      }
    }
  }

  /// Nobody listens any more.
  func end() { shutdown(listener, Int32(SHUT_RDWR)) }

  private func serve(_ connection: Int32, _ answer: (Request) -> [Step]) {
    var bytes: [UInt8] = []
    while true {
      guard let request = next(connection, &bytes) else { return }
      seen.withLock { $0.append(request) }
      for step in answer(request) {
        switch step {
        case .text(let text): guard write(Array(text.utf8), to: connection) else { return }
        case .bytes(let bytes): guard write(bytes, to: connection) else { return }
        case .wait(let seconds): Thread.sleep(forTimeInterval: seconds)
        case .end: return
        }
      }
    }
  }

  private func write(_ bytes: [UInt8], to connection: Int32) -> Bool {
    var done = 0
    while done < bytes.count {
      let count = bytes[done...].withUnsafeBytes {
        send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }

  private func next(_ connection: Int32, _ bytes: inout [UInt8]) -> Request? {
    func read() -> Bool {
      var piece = [UInt8](repeating: 0, count: 1 << 16)
      let count = recv(connection, &piece, piece.count, 0)
      if count > 0 { bytes += piece[..<count] }
      return count > 0
    }
    let blank = Array("\r\n\r\n".utf8)
    var end = bytes.firstRange(of: blank)
    while end == nil {
      guard read() else { return nil }
      end = bytes.firstRange(of: blank)
    }
    guard let end else { return nil }
    let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
    bytes.removeSubrange(..<end.upperBound)
    var lines = head.components(separatedBy: "\r\n")
    let first = lines.removeFirst()
    var fields: [String: String] = [:]
    for line in lines {
      let parts = line.split(separator: ":", maxSplits: 1)
      fields[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
    }
    let count = fields["content-length"].flatMap { Int($0) } ?? 0
    while bytes.count < count { guard read() else { return nil } }
    let body = Array(bytes.prefix(count))
    bytes.removeFirst(count)
    return Request(line: first, fields: fields, body: body)
  }
}

extension [RawServer.Step] {
  /// An answer with a body of a known length.
  static func answer(
    _ status: Int = 200, _ fields: [String: String] = [:], _ body: [UInt8] = []
  ) -> [RawServer.Step] {
    var text = "HTTP/1.1 \(status) Said\r\n"
    for (name, value) in fields { text += "\(name): \(value)\r\n" }
    if fields["Content-Length"] == nil { text += "Content-Length: \(body.count)\r\n" }
    return [.text(text + "\r\n"), .bytes(body)]
  }
}

/// A place on loopback that takes no connection, as behind a wall that swallows what is sent.
final class DeafServer: Sendable {
  let port: Int
  private let sockets: [Int32]

  var address: String { "http://127.0.0.1:\(port)" }

  init() throws {
    // A full queue of connections answers nobody; the system's holds one more than its length.
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var sockets = [listener]
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isReady = withUnsafeMutablePointer(to: &place) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { place in
        guard bind(listener, place, length) == 0, listen(listener, 0) == 0,
          getsockname(listener, place, &length) == 0
        else { return false }
        for _ in 0..<4 {
          let client = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
          _ = connect(client, place, length)
          sockets.append(client)
        }
        return true
      }
    }
    self.sockets = sockets
    port = Int(UInt16(bigEndian: place.sin_port))
    guard isReady else { throw POSIXError(.EADDRINUSE) }
  }

  deinit { for socket in sockets { close(socket) } }
}
