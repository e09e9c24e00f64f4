import HTTP
import Synchronization
import Tensors

/// The bytes of a file: from the hub, or from the storage that the hub sends its callers to.
extension HubFetch {
  /// Brings what is missing of the file.
  ///
  /// What the file is, the listing says: its size and checksum, which everything is checked against in the end. So
  /// nothing is asked about it (`HEAD`) before its bytes are, which halves the questions that a hub counts.
  ///
  /// - Parameters:
  ///   - anew: whether what is there is thrown away.
  ///   - until: the number of bytes to stop at.
  /// - Returns: the checksum of the whole file; `nil` where none is known to compare it with.
  /// - Throws: `HubError`; `isWrongContent` tells whether fetching anew may help.
  func arrive(anew: Bool, until: Int?) throws(HubError) -> String? {
    try hub.requireConnections(subject)
    let (path, digest) = (try spot.incomplete(file), until == nil ? digest : nil)
    let arriving = try HubError.files { () throws(FileError) in
      try HTTPFile(path, size: file.size, digest: digest, keeping: !anew)
    }
    begin(arriving)
    defer { progress.follow(index, nil) }
    var way = Way(fetch: self, file: arriving, until: until)
    if arriving.received < until ?? file.size {
      let response = try patiently(arriving) { () throws(HTTPError) in try way.ask() }
      try require(response, isFromStorage: way.isAtStorage)
    }
    guard until == nil else { return nil }
    progress.update(index) { $0.state = .checking }
    do throws(HTTPError) { try arriving.catchUp(stop: progress.stop) } catch {
      throw HubError(error)
    }
    return try HubError.files { () throws(FileError) in try arriving.finish() }
  }

  private func begin(_ arriving: HTTPFile) {
    arrives(arriving)
    let before = arriving.received
    progress.update(index) {
      $0.before = before
      $0.done = before
    }
    progress.follow(index) { arriving.received }
  }

  /// Asks again as long as that may help; what brought bytes does not count.
  private func patiently(
    _ arriving: HTTPFile, _ request: () throws(HTTPError) -> HTTPResponse
  ) throws(HubError) -> HTTPResponse {
    do throws(HTTPError) {
      return try hub.retries.run(
        stop: progress.stop, progress: { arriving.received },
        waiting: { [progress, index] wait in
          progress.update(index) {
            $0.state = .retrying(
              wait.attempt, of: wait.attempts, wait: wait.seconds, reason: wait.cause.words)
          }
        },
        { () throws(HTTPError) in
          defer { progress.update(index) { $0.state = .moving } }
          progress.update(index) { $0.state = .moving }
          return try request()
        })
    } catch {
      if case .tooLong(let url, _) = error {
        throw .tooLong(path: file.path, url: HubAddress.shown(url), expected: file.size)
      }
      throw HubError(error)
    }
  }

  /// Refuses an answer that brought no bytes.
  private func require(_ response: HTTPResponse, isFromStorage: Bool) throws(HubError) {
    if response.isSuccess { return }
    if response.status == 416 {
      throw .tooShort(
        path: file.path, url: HubAddress.shown(response.url), expected: file.size,
        found: available)
    }
    if isFromStorage {
      throw .refused(url: HubAddress.shown(response.url), status: response.status, message: nil)
    }
    throw hub.refusal(response, about: subject)
  }

  private var subject: HubSubject {
    HubSubject(listing.repository, revision: listing.revision, path: file.path)
  }

  /// The name that a server knows a file by, without what HTTP puts around it.
  static func etag(_ field: String?) -> String? {
    guard var text = field else { return nil }
    if text.hasPrefix("W/") { text.removeFirst(2) }
    text = text.filter { $0 != "\"" }
    return HubPath.isBlobName(text) ? text : nil
  }
}

/// Where a file's bytes are asked for.
private struct Way {
  let fetch: HubFetch
  let file: HTTPFile
  let until: Int?
  /// Where the hub has sent us: an address that is signed, and ends.
  private var storage: String?

  init(fetch: HubFetch, file: HTTPFile, until: Int?) {
    (self.fetch, self.file, self.until) = (fetch, file, until)
  }

  var isAtStorage: Bool { storage != nil }

  /// Asks once: the storage if its address is known, else the hub.
  mutating func ask() throws(HTTPError) -> HTTPResponse {
    if let storage {
      let response = try receive(storage)
      // The signature has ended: the hub makes another.
      guard (400..<500).contains(response.status), ![408, 416, 429].contains(response.status) else {
        return response
      }
      self.storage = nil
    }
    var response = try receive(fetch.url)
    for _ in 0..<5 {
      guard (300..<400).contains(response.status), let location = response.headers["Location"],
        let next = HubAddress.resolve(location, from: response.url)
      else { break }
      guard
        response.url.lowercased().hasPrefix("http:") || next.lowercased().hasPrefix("https:")
      else { throw .badRedirect(url: response.url, to: next, .toPlainText) }
      storage = next
      response = try receive(next)
    }
    return response
  }

  private func receive(_ url: String) throws(HTTPError) -> HTTPResponse {
    let settings = fetch.hub.settings
    // Whoever has another address than the hub learns nothing of the user.
    let isHub = HubAddress.isSameServer(url, settings.endpoint)
    let request = HTTPRequest(
      .get, url, token: isHub ? settings.token?.value : nil, redirects: .sameOrigin,
      patience: fetch.hub.filePatience)
    return try fetch.hub.client.receive(
      request, into: file, until: until, stop: fetch.progress.stop)
  }
}

extension HubError {
  /// Whether something arrived that is not what was promised, so that fetching it anew may help.
  var isWrongContent: Bool {
    switch self {
    case .corrupt, .tooShort, .tooLong: true
    default: false
    }
  }
}
