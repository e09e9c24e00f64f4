import Foundation

/// What the threads of a stand-in work with; it does not keep the stand-in itself.
final class Core: Sendable {
  let state: HubStandIn.StateBox
  let folder: String
  let hub: String
  let storage: String
  let storagePort: Int

  init(
    state: HubStandIn.StateBox, folder: String, hub: String, storage: String, storagePort: Int
  ) {
    self.state = state
    self.folder = folder
    self.hub = hub
    self.storage = storage
    self.storagePort = storagePort
  }

  var settings: HubStandIn.Settings { state.with { $0.settings } }
  var isStopped: Bool { state.with { $0.isStopped } }

  /// A number that was not given before.
  func number() -> Int {
    state.with { state in
      state.numbers += 1
      return state.numbers
    }
  }

  /// Takes connections until the end, each with a thread of its own.
  func accept(_ listener: Listener, _ server: HubStandIn.Server) {
    while !isStopped {
      guard let descriptor = listener.accepted() else { continue }
      let thread = Thread { self.serve(Connection(descriptor), server) }
      thread.stackSize = 1 << 20
      thread.start()
    }
  }

  private func serve(_ connection: Connection, _ server: HubStandIn.Server) {
    // sendfile has no flag against the signal that a closed connection raises.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    state.with { state in
      state.connectionCount += 1
      state.connections.insert(connection.descriptor)
      if state.isStopped { shutdown(connection.descriptor, Int32(SHUT_RDWR)) }
    }
    while let question = question(connection, server) {
      guard answer(question, connection) else { break }
    }
    state.with { _ = $0.connections.remove(connection.descriptor) }
    close(connection.descriptor)
  }

  // MARK: One request

  /// The next request with its body; nil at the end of the connection.
  private func question(_ connection: Connection, _ server: HubStandIn.Server) -> Question? {
    guard let line = connection.line() else { return nil }
    let words = line.split(separator: " ").map(String.init)
    guard words.count == 3, words[2].hasPrefix("HTTP/1.") else { return nil }
    var headers: [String: String] = [:]
    while let field = connection.line(), !field.isEmpty {
      guard let colon = field.firstIndex(of: ":") else { return nil }
      headers[field[..<colon].lowercased()] =
        field[field.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    var question = Question(
      server: server, method: words[0], target: words[1],
      origin: "http://\(headers["host"] ?? "127.0.0.1")", headers: headers)
    if let (origin, target) = Self.absolute(words[1]) {
      question.origin = origin
      question.target = target
      question.isProxied = true
      question.server = origin.hasSuffix(":\(storagePort)") ? .storage : .hub
    }
    record(&question)
    guard receive(&question, connection) else { return nil }
    if let token = question.token { question.account = state.with { $0.accounts[token] } }
    return question
  }

  /// Scheme with host, and path, of a whole address.
  private static func absolute(_ target: String) -> (String, String)? {
    guard target.lowercased().hasPrefix("http://") else { return nil }
    let rest = target.dropFirst(7)
    let host = rest.prefix { $0 != "/" && $0 != "?" }
    let path = rest.dropFirst(host.count)
    return ("http://\(host)", path.isEmpty ? "/" : String(path))
  }

  private func record(_ question: inout Question) {
    let number = number()
    let request = HubStandIn.Request(
      number: number, server: question.server, method: question.method, target: question.target,
      path: question.path, host: String(question.origin.dropFirst(7)),
      isProxied: question.isProxied, headers: question.headers)
    state.with { $0.requests.append(request) }
    question.index = number
  }

  /// Changes what is recorded of a request.
  func note(_ number: Int, _ change: @Sendable (inout HubStandIn.Request) -> Void) {
    state.with { state in
      guard let index = state.requests.lastIndex(where: { $0.number == number }) else { return }
      change(&state.requests[index])
    }
  }

  // MARK: Bodies

  /// Receives the body: to a file at the storage, else to memory.
  private func receive(_ question: inout Question, _ connection: Connection) -> Bool {
    let isChunked = question.headers["transfer-encoding"]?.lowercased() == "chunked"
    let length = question.headers["content-length"].flatMap { Int($0) } ?? 0
    guard isChunked || length > 0 else { return true }
    if question.headers["expect"]?.lowercased() == "100-continue" {
      guard connection.send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) else { return false }
    }
    let sink = Sink(question.server == .storage ? "\(folder)/upload-\(question.index)" : nil)
    let number = question.index
    let whole =
      isChunked
      ? chunks(connection, sink, number)
      : connection.take(length) { piece in
        sink.add(piece)
        let count = piece.count
        note(number) { $0.received += count }
      }
    question.body = sink.finish()
    return whole
  }

  private func chunks(_ connection: Connection, _ sink: Sink, _ number: Int) -> Bool {
    while let line = connection.line() {
      guard let count = Int(line.prefix { $0 != ";" }, radix: 16) else { return false }
      guard count > 0 else {
        while let trailer = connection.line() {
          if trailer.isEmpty { return true }
        }
        return false
      }
      guard connection.take(count, sink.add), connection.line() == "" else { return false }
      note(number) { $0.received += count }
    }
    return false
  }

  /// Where a body goes.
  private final class Sink {
    private let path: String?
    private var descriptor: Int32 = -1
    private var bytes: [UInt8] = []
    private var size = 0

    init(_ path: String?) {
      self.path = path
      if let path { descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) }
    }

    func add(_ piece: ArraySlice<UInt8>) {
      size += piece.count
      guard path != nil else {
        bytes += piece
        return
      }
      piece.withUnsafeBytes { piece in
        var done = 0
        while done < piece.count {
          let rest = UnsafeRawBufferPointer(rebasing: piece[done...])
          let count = write(descriptor, rest.baseAddress, rest.count)
          guard count > 0 else { return }
          done += count
        }
      }
    }

    func finish() -> Question.Body {
      guard let path else { return .bytes(bytes) }
      close(descriptor)
      return .file(path: path, size: size)
    }
  }
}
