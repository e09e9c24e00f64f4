import Foundation
import HubStandIn

/// Asks a stand-in as any client might, with nothing of the code that is tested elsewhere.
enum StandInClient {
  struct Reply {
    var status: Int
    /// Names in small letters.
    var headers: [String: String]
    var body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
    var json: Any? { try? JSONSerialization.jsonObject(with: Data(body)) }
    var object: [String: Any] { json as? [String: Any] ?? [:] }
  }

  struct NoAnswer: Error { var received: [UInt8] }

  /// One request over a connection of its own; `url` is whole, and goes through `proxy` where one is named.
  static func ask(
    _ method: String = "GET", _ url: String, _ headers: [String: String] = [:],
    body: [UInt8] = [], proxy: String? = nil
  ) throws -> Reply {
    let rest = url.dropFirst("http://".count)
    let host = String(rest.prefix { $0 != "/" })
    let path = rest.dropFirst(host.count)
    let port = (proxy ?? url).split(separator: ":").last.map { $0.prefix { $0 != "/" } } ?? ""
    var lines = [
      "\(method) \(proxy == nil ? String(path) : url) HTTP/1.1", "Host: \(host)",
      "Connection: close", "Content-Length: \(body.count)",
    ]
    lines += headers.map { "\($0): \($1)" } + ["", ""]
    let all = try exchange(UInt16(port) ?? 0, Array(lines.joined(separator: "\r\n").utf8) + body)
    guard let end = all.firstRange(of: Array("\r\n\r\n".utf8)) else {
      throw NoAnswer(received: all)
    }
    let head = String(decoding: all[..<end.lowerBound], as: UTF8.self)
    let fields = head.split(separator: "\r\n").map(String.init)
    guard let status = fields.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
    else { throw NoAnswer(received: all) }
    var found: [String: String] = [:]
    for field in fields.dropFirst() {
      let parts = field.split(separator: ":", maxSplits: 1)
      found[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
    }
    return Reply(status: status, headers: found, body: Array(all[end.upperBound...]))
  }

  /// The same with a JSON value as the body.
  static func post(_ url: String, _ value: Any, token: String? = nil) throws -> Reply {
    let data = try JSONSerialization.data(withJSONObject: value)
    var headers = ["Content-Type": "application/json"]
    if let token { headers["Authorization"] = "Bearer \(token)" }
    return try ask("POST", url, headers, body: [UInt8](data))
  }

  /// Sends bytes, and reads to the end of the connection.
  private static func exchange(_ port: UInt16, _ bytes: [UInt8]) throws -> [UInt8] {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    var patience = timeval(tv_sec: 0, tv_usec: 500_000)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var sent = 0
    while sent < bytes.count {
      let count = send(descriptor, Array(bytes[sent...]), bytes.count - sent, Int32(MSG_NOSIGNAL))
      guard count > 0 else { break }
      sent += count
    }
    var received: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = recv(descriptor, &chunk, chunk.count, 0)
      guard count > 0 else { return received }
      received += chunk[..<count]
    }
  }
}
