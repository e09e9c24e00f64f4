import Foundation

/// A socket that waits for connections at 127.0.0.1.
final class Listener: @unchecked Sendable {
  struct Failed: Error { var reason: String }

  let port: Int
  private let lock = NSLock()
  private var descriptor: Int32

  init(port: Int) throws {
    (descriptor, self.port) = try Self.bound(port: port)
    guard listen(descriptor, 512) == 0 else {
      throw Failed(reason: String(cString: strerror(errno)))
    }
  }

  private static func bound(port: Int) throws -> (Int32, Int) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let done = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
      }
    }
    guard descriptor >= 0, done else {
      let reason = String(cString: strerror(errno))
      if descriptor >= 0 { close(descriptor) }
      throw Failed(reason: reason)
    }
    return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
  }

  /// The next connection; nil while none is accepted or after the end.
  func accepted() -> Int32? {
    // Held all the while: a number that is closed elsewhere might be another socket's already.
    let connection = lock.withLock { () -> Int32 in
      var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard descriptor >= 0, poll(&waiting, 1, 20) > 0 else { return -1 }
      let connection = accept(descriptor, nil, nil)
      if connection >= 0 { _ = fcntl(connection, F_SETFD, FD_CLOEXEC) }
      return connection
    }
    guard connection >= 0 else {
      usleep(1000)
      return nil
    }
    var yes: Int32 = 1
    setsockopt(
      connection, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
    return connection
  }

  /// Refuses connections, or accepts them again; the port stays ours.
  func refuse(_ refusing: Bool) throws {
    try lock.withLock {
      if refusing {
        close(descriptor)
        (descriptor, _) = try Self.bound(port: port)
      } else {
        guard listen(descriptor, 512) == 0 else {
          throw Failed(reason: String(cString: strerror(errno)))
        }
      }
    }
  }

  func end() {
    lock.withLock {
      if descriptor >= 0 { close(descriptor) }
      descriptor = -1
    }
  }
}

/// One connection's bytes.
final class Connection: @unchecked Sendable {
  let descriptor: Int32
  private var buffer: [UInt8] = []
  private var position = 0

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  /// Whether more bytes were had.
  private func fill() -> Bool {
    if position > 0 {
      buffer.removeFirst(position)
      position = 0
    }
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(descriptor, &chunk, chunk.count, 0)
    guard count > 0 else { return false }
    buffer += chunk[..<count]
    return true
  }

  /// A line without its end; nil at the end of the connection.
  func line(limit: Int = 1 << 16) -> String? {
    var searched = position
    while true {
      if let end = buffer[searched...].firstIndex(of: 10) {
        var line = buffer[position..<end]
        if line.last == 13 { line.removeLast() }
        position = end + 1
        return String(decoding: line, as: UTF8.self)
      }
      let known = buffer.count - position
      guard known < limit, fill() else { return nil }
      searched = known
    }
  }

  /// Hands on so many bytes as they come; false if the connection ends before.
  func take(_ count: Int, _ sink: (ArraySlice<UInt8>) -> Void) -> Bool {
    var left = count
    while left > 0 {
      if position == buffer.count {
        guard fill() else { return false }
      }
      let piece = buffer[position..<min(buffer.count, position + left)]
      sink(piece)
      position += piece.count
      left -= piece.count
    }
    return true
  }

  /// Sends all of it, or says that the other side is gone.
  func send(_ bytes: some Collection<UInt8>) -> Bool {
    let whole = Array(bytes)
    var sent = 0
    while sent < whole.count {
      let count = whole.withUnsafeBytes { buffer -> Int in
        let rest = UnsafeRawBufferPointer(rebasing: buffer[sent...])
        return Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// Sends a stretch of a file without looking at it; the bytes that went.
  func send(_ file: DescribedFile, _ range: Range<Int>) -> Int {
    var place = off_t(range.lowerBound)
    while place < range.upperBound {
      let count = sendfile(descriptor, file.descriptor, &place, range.upperBound - Int(place))
      guard count > 0 else { break }
    }
    return Int(place) - range.lowerBound
  }

  /// Waits until the other side is gone, or as long as this says.
  func waitForEnd(while waiting: () -> Bool) {
    while waiting() {
      var watched = pollfd(fd: descriptor, events: Int16(POLLIN | 0x2000), revents: 0)
      guard poll(&watched, 1, 50) > 0 else { continue }
      var byte: UInt8 = 0
      let count = recv(
        descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
      if count == 0 || (count < 0 && errno != EAGAIN) || watched.revents & 0x2000 != 0 { return }
      usleep(20_000)
    }
  }

  /// Ends in a way that the other side sees as an error.
  func reset() {
    var now = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
  }
}
