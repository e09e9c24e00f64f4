import HTTP
import JSON
import Tensors

/// What was pushed, and where it lies now.
public struct HubPushed: Sendable {
  public var repository: HubRepository
  public var branch: String
  /// 40 hexadecimal digits.
  public var commit: String
  /// The page of the commit.
  public var address: String
  /// Everything that the branch holds of the folder, whether it was there before or not.
  public var files: [HubFolder.File]
  /// Files that were there already as they are.
  public var unchanged: Int
  public var deleted: [String]
  /// Bytes that went into the storage; what it had already is none of them.
  public var sentBytes: Int
  /// Whether there was a commit to make at all.
  public var isNew: Bool
  /// Whether the card that lay in the repository stays, in place of the folder's own.
  public var keptCard: Bool
}

/// The way of a folder to the hub: what it holds there, what is large, the large into the storage, one commit.
extension Hub {
  /// Brings a folder to where it may go, in one commit.
  ///
  /// Nothing can be seen on the hub before everything has arrived and is what it was when it was looked at.
  ///
  /// - Parameters:
  ///   - summary: the first line of what people read of the commit; `details` are the rest.
  /// - Throws: `HubError`; then nothing is committed, and pushing again sends only what did not arrive.
  public func push(
    _ folder: HubFolder, to target: HubTarget, summary: String, details: String = ""
  ) throws(HubError) -> HubPushed {
    try HubPush(hub: self, folder: folder, target: target, summary: summary, details: details).run()
  }

  /// Brings a folder to a place that may hold it already, which is no error: a push is safe to repeat.
  ///
  /// - Throws: `HubError.notEmpty` if the place holds another model, and it may not be replaced.
  public func pushAgain(
    _ folder: HubFolder, to target: HubTarget, summary: String, details: String = ""
  ) throws(HubError) -> HubPushed {
    if try !holds(folder, target) { try requireRoom(target) }
    return try push(folder, to: target, summary: summary, details: details)
  }

  /// Whether a branch holds a folder already, file for file; other files than the folder's do not count.
  public func holds(_ folder: HubFolder, _ target: HubTarget) throws(HubError) -> Bool {
    guard case .present(let listing) = target.state else { return false }
    let there = Dictionary(uniqueKeysWithValues: listing.files.map { ($0.path, $0) })
    let counts = { (path: String) in !target.keepsCard || path != HubTarget.card }
    let files = folder.files.filter { counts($0.path) }
    guard files.allSatisfy({ there[$0.path]?.size == $0.size }) else { return false }
    let summed = try summed(folder) { counts($0.path) && there[$0.path]?.sha256 != nil }
    for file in summed.files where counts(file.path) {
      guard try summed.isSame(file, as: there[file.path]) else { return false }
    }
    return true
  }

  /// Asks the hub with a body, and reads its answer.
  func post(
    _ url: String, about subject: HubSubject, type: String = "application/json", body: [UInt8],
    progress: HubProgress
  ) throws(HubError) -> JSON {
    var headers: HTTPHeaders = ["Content-Type": type]
    if type != "application/json" { headers.add("Accept", type) }
    let response = try ask(
      .post, url, about: subject, headers: headers, body: .bytes(body), progress: progress)
    return try json(response, url)
  }

  func json(_ response: HTTPResponse, _ url: String) throws(HubError) -> JSON {
    do throws(JSONError) { return try JSON(parsing: response.body, maximumDepth: 64) } catch {
      throw .badAnswer(url: HubAddress.shown(url), reason: "\(error)")
    }
  }

  /// How long the storage may be silent: it looks at what it took before it answers.
  var publishingPatience: HTTPPatience {
    HTTPPatience(seconds: settings.downloadTimeout * 6, setting: "HF_HUB_DOWNLOAD_TIMEOUT")
  }
}

extension HubFolder {
  /// Whether a file is what a repository holds under its name; a large one's SHA-256 has to be known.
  func isSame(_ file: File, as there: HubFile?) throws(HubError) -> Bool {
    guard let there, there.size == file.size else { return false }
    if let sum = there.sha256 { return sum == file.sha256 }
    do throws(HTTPError) {
      return try Digest.of(file: place(file.path), .gitBlob(size: file.size)) == there.blob
    } catch { throw HubError(error) }
  }
}

extension HubTarget {
  /// For sentences about what the hub refuses.
  var subject: HubSubject {
    HubSubject(repository, revision: branch, action: "push to \(repository.name)")
  }
}
