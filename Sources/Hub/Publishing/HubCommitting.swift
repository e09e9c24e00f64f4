import HTTP
import JSON
import Synchronization
import Tensors

/// A commit that everything it names has arrived for: made once, whatever happens to its answer, and looked at after.
struct HubCommitting: Sendable {
  let hub: Hub
  let target: HubTarget
  let commit: HubCommit
  /// All that the folder holds, to compare with what the hub has then.
  let files: [HubFolder.File]

  /// Makes the commit.
  ///
  /// - Returns: its name.
  func run(_ progress: HubProgress) throws(HubError) -> String {
    let name = try send(progress)
    let different = try differences(at: name, progress)
    guard different.isEmpty else {
      throw .publishing(.different(target.repository, commit: name, files: different))
    }
    return name
  }

  private func send(_ progress: HubProgress) throws(HubError) -> String {
    let url =
      hub.settings.questions(target.repository) + "/commit/"
      + HubAddress.quote(target.branch, slashes: false)
    let request = HTTPRequest(
      .post, url, headers: ["Content-Type": "application/x-ndjson"], body: .bytes(commit.payload),
      token: hub.settings.token?.value, patience: hub.publishingPatience)
    // A commit whose answer was lost is there; asked for again, it would be refused, since its parent is no
    // longer the last one.
    let attempts = Attempts()
    let response: HTTPResponse
    do throws(HubError) {
      response = try hub.persistently(progress) { () throws(HTTPError) in
        if attempts.next() > 1, let head = landed(progress) {
          return HTTPResponse(
            status: 200, headers: HTTPHeaders(),
            body: JSON.object(["commitOid": .string(head)]).serializedBytes(), url: url)
        }
        return try hub.client.send(request, limit: Hub.answerLimit, stop: progress.stop)
      }
    } catch {
      guard case .http = error, let head = landed(progress) else { throw error }
      return head
    }
    if response.status == 412 || response.status == 409 {
      if let head = landed(progress) { return head }
      throw .publishing(
        .movedOn(
          target.repository, branch: target.branch, from: commit.parent, to: head(progress)))
    }
    guard response.isSuccess else { throw hub.refusal(response, about: target.subject) }
    let answer = try hub.json(response, url)
    guard let name = answer.object?["commitOid"]?.string, HubPath.isCommit(name) else {
      throw .badAnswer(
        url: HubAddress.shown(url), reason: "it names no commit (\"commitOid\")")
    }
    return name
  }

  private func head(_ progress: HubProgress) -> String? {
    try? hub.commit(
      of: target.repository, revision: target.branch, progress: progress, isPatient: false)
  }

  /// The commit at the branch's head if it is this one: another than its parent, with just these files.
  private func landed(_ progress: HubProgress) -> String? {
    guard let head = head(progress), head != commit.parent,
      let different = try? differences(at: head, progress), different.isEmpty
    else { return nil }
    return head
  }

  /// The files that are not there as they were sent, or still there.
  private func differences(
    at name: String, _ progress: HubProgress
  ) throws(HubError) -> [String] {
    let listing = try hub.head(of: target.repository, branch: name, progress)
    let there = Dictionary(uniqueKeysWithValues: listing.files.map { ($0.path, $0) })
    var different = commit.deleted.filter { there[$0] != nil }
    for file in commit.large {
      let found = there[file.path]
      if found?.size != file.size || found?.sha256 != file.sha256 { different.append(file.path) }
    }
    for (path, bytes) in commit.small {
      let sum: String
      do throws(FileError) {
        let digest = try Digest(.gitBlob(size: bytes.count))
        digest.add(bytes)
        sum = digest.finish()
      } catch { throw .file(error) }
      if there[path]?.blob != sum || there[path]?.sha256 != nil { different.append(path) }
    }
    for file in files where there[file.path]?.size != file.size { different.append(file.path) }
    var seen: Set<String> = []
    return different.filter { seen.insert($0).inserted }
  }

  /// How often the request was made; the waits between lie elsewhere.
  private final class Attempts: Sendable {
    private let count = Atomic<Int>(0)
    func next() -> Int { count.add(1, ordering: .relaxed).newValue }
  }
}
