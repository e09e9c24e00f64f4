import HTTP
import JSON
import Synchronization
import Tensors

/// Large files on their way into the hub's storage, several at once, in parts where the hub wants parts.
///
/// Each is read from the disk as it is sent. The token goes to the hub alone; the storage's addresses are signed.
struct HubUpload: Sendable {
  let hub: Hub
  let target: HubTarget
  let folder: HubFolder
  let progress: HubProgress

  /// Files of one question, as many as huggingface_hub asks for at once.
  private static let batch = 256

  /// What a piece of work is: an object, or one part of it.
  private struct Piece: Sendable {
    var object: Int
    var part: Int
    var url: String
    var headers: HTTPHeaders
    var range: Range<Int>
    let sent = HTTPCount()
  }

  /// What is known of an object that is being sent.
  private struct Sending: Sendable {
    var way: HubObject.Way
    /// Where it stands in `progress`.
    var shown: Int
    var left: Int
    /// What the storage calls each part that arrived.
    var etags: [Int: String] = [:]
    /// Its addresses are good no more.
    var isExpired = false
    var isDone = false
  }

  /// Sends what is not there yet.
  ///
  /// - Returns: how many bytes were sent; those that were there already are none of them.
  /// - Throws: `HubError`; nothing is lost then, since what arrived is found there the next time.
  func send(_ objects: [HubObject]) throws(HubError) -> Int {
    let first = progress.add(
      objects.map { .init(path: $0.file.path, size: $0.file.size, state: .waiting) })
    var pending = Array(objects.indices)
    var sent = 0
    // Signatures may run out while others are sent: those that did are asked for again, as long as that helps.
    for round in 0... {
      let before = pending.count
      let results = try sendOnce(objects, pending, first: first)
      for (index, object) in pending.enumerated() where results[index]?.isDone == true {
        sent += objects[object].file.size
      }
      pending = pending.enumerated().filter { results[$0.offset]?.isExpired == true }
        .map(\.element)
      guard let stuck = pending.first else { return sent }
      guard pending.count < before || round == 0 else {
        throw .publishing(
          .storage(
            path: objects[stuck].file.path, url: HubAddress.shown(hub.settings.endpoint),
            status: 403, message: "its addresses are refused as soon as they are given out"))
      }
    }
    return sent
  }

  private func sendOnce(
    _ objects: [HubObject], _ pending: [Int], first: Int
  ) throws(HubError) -> HubResults<Sending> {
    let results = HubResults<Sending>(count: pending.count)
    var pieces: [Piece] = []
    let ways = try ways(pending.map { objects[$0] })
    for (index, way) in ways.enumerated() {
      let object = objects[pending[index]]
      let shown = first + pending[index]
      let own = self.pieces(way, object, index)
      results[index] = Sending(way: way, shown: shown, left: own.count)
      pieces += own
      progress.update(shown) { file in
        if way == .there { file.before = file.size }
        file.done = file.before
        file.state = way == .there ? .done : .waiting
      }
      let counts = own.map(\.sent)
      let count: @Sendable () -> Int = { counts.reduce(0) { $0 + $1.bytes } }
      progress.follow(shown, counts.isEmpty ? nil : count)
    }
    let all = pending.map { objects[$0] }
    try hub.inParallel(pieces, progress: progress) { piece throws(HubError) in
      try send(piece, of: all[piece.object], results)
    }
    return results
  }

  /// Asks how each object is to come.
  private func ways(_ objects: [HubObject]) throws(HubError) -> [HubObject.Way] {
    var ways: [HubObject.Way] = []
    let url = "\(hub.settings.page(target.repository)).git/info/lfs/objects/batch"
    for start in stride(from: 0, to: objects.count, by: Self.batch) {
      let some = Array(objects[start..<min(start + Self.batch, objects.count)])
      let answer = try hub.post(
        url, about: target.subject, type: HubObject.mediaType,
        body: HubObject.question(some, branch: target.branch), progress: progress)
      let batch = try HubBatch(answer, from: url, endpoint: hub.settings.endpoint)
      for object in some { ways.append(try batch.way(of: object)) }
    }
    return ways
  }

  private func pieces(_ way: HubObject.Way, _ object: HubObject, _ index: Int) -> [Piece] {
    switch way {
    case .there: []
    case .whole(let place, verify: _):
      [
        Piece(
          object: index, part: 1, url: place.url, headers: place.fields, range: 0..<object.file.size
        )
      ]
    case .parts(let urls, let size, complete: _, verify: _):
      urls.enumerated().map { number, url in
        let start = number * size
        return Piece(
          object: index, part: number + 1, url: url, headers: HTTPHeaders(),
          range: start..<min(start + size, object.file.size))
      }
    }
  }

  // MARK: One piece

  private func send(
    _ piece: Piece, of object: HubObject, _ results: HubResults<Sending>
  ) throws(HubError) {
    guard let before = results[piece.object], !before.isExpired else { return }
    let shown = before.shown
    try folder.requireUnchanged(object.file)
    progress.update(shown) { $0.state = .moving }
    let request = HTTPRequest(
      .put, piece.url, headers: piece.headers,
      body: .file(path: folder.place(object.file.path), range: piece.range, sent: piece.sent),
      redirects: .none,
      patience: hub.publishingPatience)
    let response: HTTPResponse
    do throws(HubError) {
      response = try hub.persistently(progress) { () throws(HTTPError) in
        try hub.client.send(request, limit: 1 << 20, stop: progress.stop)
      }
    } catch {
      // A file that became shorter ends as an error of reading it.
      try folder.requireUnchanged(object.file)
      throw error
    }
    try folder.requireUnchanged(object.file)
    if [401, 403].contains(response.status) {
      results.update(piece.object) { $0?.isExpired = true }
      return
    }
    guard response.isSuccess else { throw refusal(response, of: object) }
    let isLast = results.update(piece.object) { sending in
      sending?.etags[piece.part] = response.headers["ETag"] ?? ""
      sending?.left -= 1
      return sending?.left == 0 && sending?.isExpired == false
    }
    if isLast { try finish(object, results, piece.object) }
  }

  /// What the storage says to what it does not take.
  private func refusal(_ response: HTTPResponse, of object: HubObject) -> HubError {
    let text = String(decoding: response.body.prefix(300), as: UTF8.self)
    return .publishing(
      .storage(
        path: object.file.path, url: HubAddress.shown(response.url), status: response.status,
        message: text.isEmpty ? nil : HubBatch.line(text)))
  }

  /// Puts parts together, and lets the hub look whether all has arrived.
  private func finish(
    _ object: HubObject, _ results: HubResults<Sending>, _ index: Int
  ) throws(HubError) {
    guard let sending = results[index] else { return }
    progress.update(sending.shown) { $0.state = .checking }
    switch sending.way {
    case .there: break
    case .whole(_, let verify): try confirm(object, verify)
    case .parts(let urls, size: _, let complete, let verify):
      var parts: [JSON] = []
      for part in 1...urls.count {
        guard let etag = sending.etags[part], !etag.isEmpty else {
          throw .badAnswer(
            url: HubAddress.shown(urls[part - 1]), reason: "it does not name what it took (ETag)")
        }
        parts.append(.object(["partNumber": .integer(part), "etag": .string(etag)]))
      }
      let body = JSON.object(["oid": .string(object.sha256), "parts": .array(parts)])
      try tell(complete, body, of: object, isSigned: true)
      try confirm(object, verify)
    }
    results.update(index) { $0?.isDone = true }
    progress.follow(sending.shown, nil)
    progress.update(sending.shown) { file in
      file.done = file.size
      file.state = .done
    }
  }

  private func confirm(_ object: HubObject, _ place: HubObject.Place?) throws(HubError) {
    guard let place else { return }
    let body = JSON.object([
      "oid": .string(object.sha256), "size": .integer(object.file.size),
    ])
    try tell(place, body, of: object, isSigned: false)
  }

  /// Says something about an object to the hub; its token goes nowhere else.
  private func tell(
    _ place: HubObject.Place, _ body: JSON, of object: HubObject, isSigned: Bool
  ) throws(HubError) {
    let isHub = HubAddress.isSameServer(place.url, hub.settings.endpoint)
    var headers = place.fields
    for name in ["Accept", "Content-Type"] where headers[name] == nil {
      headers.add(name, HubObject.mediaType)
    }
    let request = HTTPRequest(
      .post, place.url, headers: headers, body: .bytes(body.serializedBytes()),
      token: isHub && !isSigned ? hub.settings.token?.value : nil, redirects: .none,
      patience: hub.publishingPatience)
    let response = try hub.persistently(progress) { () throws(HTTPError) in
      try hub.client.send(request, limit: 1 << 20, stop: progress.stop)
    }
    guard response.isSuccess else {
      if isHub, [401, 403, 429].contains(response.status) || response.status >= 500 {
        throw hub.refusal(response, about: target.subject)
      }
      throw refusal(response, of: object)
    }
  }
}
