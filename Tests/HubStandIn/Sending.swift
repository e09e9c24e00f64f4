import Foundation

/// Answers on their way, and what goes wrong there.
extension Core {
  /// What the faults of one answer come to.
  private struct Trouble {
    var cut: Int?
    var stall: Int?
    var corrupt: Int?
    var bytesPerSecond: Int?
    var isChunked = false
    var isGzip = false
  }

  /// Answers, and says whether the connection goes on.
  func answer(_ question: Question, _ connection: Connection) -> Bool {
    var question = question
    let number = question.index
    defer { note(number) { $0.isFinished = true } }
    var trouble = Trouble()
    var given: Answer?
    var changed: [(String, String?)] = []
    for fault in faults(question) {
      switch fault {
      case .answer(let status, let headers, let body):
        given = Answer(
          status, headers: headers.sorted { $0.key < $1.key }.map { ($0, $1) }, body: .bytes(body))
      case .silence:
        note(number) { $0.isSettled = true }
        connection.waitForEnd { !isStopped }
        return false
      case .reset:
        connection.reset()
        return false
      case .wait(let seconds): usleep(UInt32(seconds * 1e6))
      case .stall(let count): trouble.stall = count
      case .cut(let count): trouble.cut = count
      case .corrupt(let place): trouble.corrupt = place
      case .slow(let speed): trouble.bytesPerSecond = speed
      case .ignoreRange: question.headers["range"] = nil
      case .otherRange(let first): question.headers["range"] = "bytes=\(first)-"
      case .chunked: trouble.isChunked = true
      case .gzip:
        let accepted = question.headers["accept-encoding"]?.contains("gzip") ?? false
        if accepted { trouble.isGzip = true }
      case .header(let name, let value): changed.append((name, value))
      }
    }
    var answer = given ?? self.answer(question)
    for (name, value) in changed {
      answer.headers.removeAll { $0.0.lowercased() == name.lowercased() }
      if let value { answer.headers.append((name, value)) }
    }
    let status = answer.status
    note(number) { $0.status = status }
    return send(answer, to: question, connection, trouble)
      && question.headers["connection"]?.lowercased() != "close" && !isStopped
  }

  /// The faults that meet this request, used up by it.
  private func faults(_ question: Question) -> [HubStandIn.Fault] {
    state.with { state in
      var met: [HubStandIn.Fault] = []
      for index in state.rules.indices {
        guard state.rules[index].times > 0, state.rules[index].match.holds(question) else {
          continue
        }
        let fault = state.rules[index].fault
        guard !met.contains(where: { $0.spoils == fault.spoils }) else { continue }
        state.rules[index].times -= 1
        met.append(fault)
      }
      return met
    }
  }

  private func send(
    _ answer: Answer, to question: Question, _ connection: Connection, _ trouble: Trouble
  ) -> Bool {
    var body = answer.body
    var headers = answer.headers
    if trouble.isGzip, case .bytes(let bytes) = body {
      body = .bytes(Gzip.stored(bytes))
      headers.append(("Content-Encoding", "gzip"))
    }
    let isChunked = trouble.isChunked || trouble.isGzip
    if isChunked {
      headers.append(("Transfer-Encoding", "chunked"))
    } else if !headers.contains(where: { $0.0.lowercased() == "content-length" }) {
      headers.append(("Content-Length", "\(body.count)"))
    }
    if question.server == .hub, !headers.contains(where: { $0.0.lowercased() == "ratelimit" }) {
      // The hub says with every answer how much is left.
      headers.append(("RateLimit", "\"resolvers\";r=2998;t=172"))
      headers.append(("RateLimit-Policy", "\"fixed window\";\"resolvers\";q=3000;w=300"))
    }
    headers.append(("X-Request-Id", "Root=1-\(question.index)"))
    let head =
      ["HTTP/1.1 \(answer.status) \(Answer.reason(answer.status))"]
      + headers.map { "\($0): \($1)" } + ["", ""]
    guard connection.send(Array(head.joined(separator: "\r\n").utf8)) else { return false }
    guard question.method != "HEAD" else { return true }
    if isChunked { return sendChunked(body, question.index, connection) }
    return sendBody(body, question.index, connection, trouble)
  }

  private func sendBody(
    _ body: Answer.Body, _ number: Int, _ connection: Connection, _ trouble: Trouble
  ) -> Bool {
    let end = min(body.count, trouble.cut ?? .max, trouble.stall ?? .max)
    let first: Int
    let file: DescribedFile?
    switch body {
    case .none: return true
    case .bytes: (first, file) = (0, nil)
    case .file(let path, let range): (first, file) = (range.lowerBound, try? DescribedFile(path))
    }
    let wrong = trouble.corrupt.map { $0 - first }
    var done = 0
    let start = Date()
    while done < end {
      if isStopped { return false }
      var count = min(end - done, trouble.bytesPerSecond.map { max($0 / 50, 1) } ?? (4 << 20))
      if let wrong, wrong > done { count = min(count, wrong - done) }
      if let wrong, wrong == done { count = 1 }
      let piece = done..<done + count
      let sent = send(body, file, piece, isWrong: wrong == done, connection)
      done += sent
      note(number) { $0.sent += sent }
      guard sent == count else { return false }
      if let speed = trouble.bytesPerSecond {
        let ahead = Double(done) / Double(speed) + start.timeIntervalSinceNow
        if ahead > 0 { usleep(UInt32(min(ahead, 60) * 1e6)) }
      }
    }
    if trouble.stall != nil, done < body.count {
      note(number) { $0.isSettled = true }
      connection.waitForEnd { !isStopped }
      return false
    }
    return done == body.count
  }

  /// Sends a piece of a body, its bytes inverted where they are to be wrong; how many went.
  private func send(
    _ body: Answer.Body, _ file: DescribedFile?, _ piece: Range<Int>, isWrong: Bool,
    _ connection: Connection
  ) -> Int {
    switch body {
    case .none: return 0
    case .bytes(let bytes):
      let slice = bytes[piece]
      return connection.send(isWrong ? slice.map { ~$0 } : Array(slice)) ? piece.count : 0
    case .file(_, let range):
      guard let file else { return 0 }
      let place = range.lowerBound + piece.lowerBound
      guard isWrong else { return connection.send(file, place..<place + piece.count) }
      var bytes = [UInt8](repeating: 0, count: piece.count)
      guard pread(file.descriptor, &bytes, bytes.count, off_t(place)) == bytes.count else {
        return 0
      }
      return connection.send(bytes.map { ~$0 }) ? piece.count : 0
    }
  }

  private func sendChunked(_ body: Answer.Body, _ number: Int, _ connection: Connection) -> Bool {
    let bytes: [UInt8] =
      switch body {
      case .none: []
      case .bytes(let bytes): bytes
      case .file(let path, let range):
        Array((FileManager.default.contents(atPath: path) ?? Data())[range])
      }
    for start in stride(from: 0, to: bytes.count, by: 1000) {
      let piece = bytes[start..<min(start + 1000, bytes.count)]
      let head = Array("\(String(piece.count, radix: 16))\r\n".utf8)
      guard connection.send(head + piece + [13, 10]) else { return false }
      let count = piece.count
      note(number) { $0.sent += count }
    }
    return connection.send(Array("0\r\n\r\n".utf8))
  }
}

/// gzip without compression, which every reader takes for compression.
enum Gzip {
  static func stored(_ bytes: [UInt8]) -> [UInt8] {
    var out: [UInt8] = [31, 139, 8, 0, 0, 0, 0, 0, 0, 255]
    var start = 0
    repeat {
      let end = min(start + 0xffff, bytes.count)
      let count = UInt16(end - start)
      out.append(end == bytes.count ? 1 : 0)
      out += little(UInt32(count)).prefix(2) + little(UInt32(~count)).prefix(2)
      out += bytes[start..<end]
      start = end
    } while start < bytes.count
    return out + little(checksum(bytes)) + little(UInt32(truncatingIfNeeded: bytes.count))
  }

  private static func little(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  private static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var value: UInt32 = ~0
    for byte in bytes {
      value ^= UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ 0xEDB8_8320 : value >> 1 }
    }
    return ~value
  }
}
