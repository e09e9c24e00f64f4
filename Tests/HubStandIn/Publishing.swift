import Foundation

/// What changes repositories.
extension Core {
  func create(_ question: Question) -> Answer {
    guard let account = question.account else {
      return .error(401, "Invalid username or password.")
    }
    let object = question.object
    let kind = (object["type"] as? String).flatMap { HubStandIn.Kind(rawValue: $0) } ?? .model
    guard let name = object["name"] as? String else { return .error(400, "name is missing") }
    let owner = object["organization"] as? String ?? account.name
    let key = Repository.Key(kind: kind, name: "\(owner)/\(name)")
    guard account.role == .write, account.owns(key.name) else {
      return .error(
        403,
        "You don't have the rights to create a \(kind.rawValue) under the namespace \"\(owner)\"")
    }
    let isPrivate =
      object["private"] as? Bool ?? (object["visibility"] as? String == "private")
    let url = "\(hub)/\(kind.prefix)\(key.name)"
    let facts: [String: Any] = ["url": url, "name": key.name, "id": key.name]
    let isNew = state.with { state in
      guard state.repositories[key] == nil else { return false }
      var repository = Repository(key: key, access: isPrivate ? .private : .open)
      let bytes = Array(Blob.gitAttributes.utf8)
      if let blob = try? Blob.small(.bytes(bytes), size: bytes.count) {
        _ = repository.add([".gitattributes": blob], title: "initial commit", on: "main")
      }
      state.repositories[key] = repository
      return true
    }
    guard isNew else {
      let message = "You already created this \(kind.rawValue) repo: \(key.name)"
      return .json(
        ["error": message, "url": url], status: 409, headers: [("X-Error-Message", message)])
    }
    return .json(facts)
  }

  /// Whether the front matter of a card can be read; here everything can that has an end.
  func validate(_ question: Question) -> Answer {
    let text = question.object["content"] as? String ?? ""
    let opens = text.hasPrefix("---\n")
    guard !opens || text.dropFirst(4).contains("\n---") else {
      return .json(
        ["errors": [["message": "The metadata has no end"]], "warnings": [String]()], status: 400)
    }
    let warnings = opens ? [] : [["message": "empty or missing yaml metadata in repo card"]]
    return .json(["errors": [String](), "warnings": warnings])
  }

  func branch(_ subject: Subject) -> Answer {
    let name = subject.rest.dropFirst().map(Question.decoded).joined(separator: "/")
    let from = subject.question.object["startingPoint"] as? String ?? "main"
    guard let start = subject.repository.commit(from) else {
      return .error(404, code: "RevisionNotFound", "Invalid rev id: \(from)")
    }
    let key = subject.key
    let isNew = state.with { state in
      guard state.repositories[key]?.branches[name] == nil else { return false }
      state.repositories[key]?.branches[name] = start.oid
      return true
    }
    return isNew
      ? .json(["success": true])
      : .error(409, "Reference already exists: refs/heads/\(name)")
  }

  /// Which files go into the commit, and which to the storage.
  func prepare(_ subject: Subject) -> Answer {
    let revision = subject.revision.name
    guard let commit = subject.repository.commit(revision) else {
      return .error(404, code: "RevisionNotFound", "Invalid rev id: \(revision)")
    }
    guard let files = subject.question.object["files"] as? [[String: Any]] else {
      return .error(400, "files is missing")
    }
    let largeFrom = settings.largeFrom
    var answers: [[String: Any]] = []
    for file in files {
      guard let path = file["path"] as? String, let size = file["size"] as? Int,
        let sample = (file["sample"] as? String).flatMap({ Data(base64Encoded: $0) })
      else { return .error(400, "A file lacks its path, size or sample") }
      let isLarge =
        Blob.isLarge(path, size: size, largeFrom: largeFrom)
        || (size > 0 && sample.contains(0))
      var answer: [String: Any] = [
        "path": path, "uploadMode": isLarge ? "lfs" : "regular", "shouldIgnore": false,
      ]
      if let blob = commit.files[path] { answer["oid"] = blob.etag }
      answers.append(answer)
    }
    return .json(["files": answers, "commitOid": commit.oid])
  }

  /// Where large files are to be brought: nowhere, if they are there.
  func batch(_ subject: Subject) -> Answer {
    let object = subject.question.object
    guard object["operation"] as? String == "upload",
      let wanted = object["objects"] as? [[String: Any]]
    else { return .error(400, "Not an upload") }
    let isMultipart = (object["transfers"] as? [String])?.contains("multipart") ?? false
    var answers: [[String: Any]] = []
    var usesParts = false
    for one in wanted {
      guard let oid = one["oid"] as? String, let size = one["size"] as? Int, oid.count == 64 else {
        return .error(400, "An object lacks its oid or size")
      }
      var answer: [String: Any] = ["oid": oid, "size": size]
      if state.with({ $0.objects[oid] }) == nil {
        let inParts = isMultipart && size >= settings.multipartFrom
        usesParts = usesParts || inParts
        answer["actions"] = [
          "upload": inParts ? parts(oid, size, subject) : whole(oid, size, subject),
          "verify": ["href": "\(hub)/api/verify", "header": [String: String]()],
        ]
      }
      answers.append(answer)
    }
    return .json(["transfer": usesParts ? "multipart" : "basic", "objects": answers])
  }

  private func whole(_ oid: String, _ size: Int, _ subject: Subject) -> [String: Any] {
    let upload = Upload(oid: oid, size: size, repository: subject.key)
    state.with { $0.uploads[oid] = upload }
    return ["href": signed("/\(oid)"), "header": [String: String]()]
  }

  private func parts(_ oid: String, _ size: Int, _ subject: Subject) -> [String: Any] {
    let id = "u\(number())"
    let upload = Upload(oid: oid, size: size, repository: subject.key)
    state.with { $0.uploads[id] = upload }
    let partSize = settings.partSize
    var header = ["chunk_size": "\(partSize)"]
    let count = (size + partSize - 1) / partSize
    for part in 1...count {
      let text = String(part)
      let name = String(repeating: "0", count: max(5 - text.count, 0)) + text
      header[name] = signed("/\(oid)", ["uploadId": id, "partNumber": text])
    }
    return ["href": "\(hub)/api/complete_multipart?uploadId=\(id)", "header": header]
  }

  // MARK: Commits

  /// One line of a commit.
  private enum Change {
    case header(title: String, description: String, parent: String?)
    case put(String, Blob)
    case delete(String)
    case deleteFolder(String)
    case bad(String)
  }

  private func change(_ line: ArraySlice<UInt8>) -> Change {
    guard let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any],
      let key = object["key"] as? String, let value = object["value"] as? [String: Any]
    else { return .bad("A line is no operation") }
    if key == "header" {
      return .header(
        title: value["summary"] as? String ?? "",
        description: value["description"] as? String ?? "",
        parent: value["parentCommit"] as? String)
    }
    guard let path = value["path"] as? String, Self.isPlain(path) else { return .bad("Bad path") }
    switch key {
    case "file":
      let text = value["content"] as? String ?? ""
      let isText = value["encoding"] as? String == "utf-8"
      guard let data = isText ? Data(text.utf8) : Data(base64Encoded: text),
        let blob = try? Blob.small(.bytes([UInt8](data)), size: data.count)
      else { return .bad("The content of \(path) cannot be read") }
      return .put(path, blob)
    case "lfsFile":
      guard value["algo"] as? String == "sha256", let oid = value["oid"] as? String,
        let blob = state.with({ $0.objects[oid] })
      else {
        return .bad(
          "Your push was rejected because an LFS pointer pointed to a file that does not exist: \(path)"
        )
      }
      return .put(path, blob)
    case "deletedFile": return .delete(path)
    case "deletedFolder": return .deleteFolder(path)
    default: return .bad("Unknown operation \(key)")
    }
  }

  private static func isPlain(_ path: String) -> Bool {
    !path.isEmpty
      && path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
        !$0.isEmpty && $0 != "." && $0 != ".."
      } || path.hasSuffix("/")
  }

  func commit(_ subject: Subject) -> Answer {
    let branch = subject.revision.name
    guard subject.question.headers["content-type"]?.hasPrefix("application/x-ndjson") == true else {
      return .error(400, "Content-Type must be application/x-ndjson")
    }
    let asksForReview = subject.question.query["create_pr"] == "1"
    var title = ""
    var description = ""
    var parent: String?
    var changes: [Change] = []
    for line in subject.question.bytes.split(separator: 10) {
      switch change(line) {
      case .header(let summary, let more, let before):
        (title, description, parent) = (summary, more, before)
      case .bad(let message): return .error(400, message)
      case let other: changes.append(other)
      }
    }
    guard !title.isEmpty else { return .error(400, "The summary is missing") }
    let (words, before, todo) = ((title, description), parent, changes)
    let key = subject.key
    let hub = hub
    return state.with { state in
      guard var repository = state.repositories[key], let old = repository.commit(branch),
        asksForReview || repository.branches[branch] != nil
      else { return .error(404, code: "RevisionNotFound", "Invalid rev id: \(branch)") }
      if let before, before != old.oid {
        return .error(412, "A commit has happened since. Please refresh and try again.")
      }
      guard let files = Self.apply(todo, to: old.files) else {
        return .error(404, code: "EntryNotFound", "A deleted file is not there")
      }
      let number = repository.branches.keys.filter { $0.hasPrefix("refs/pr/") }.count + 1
      let place = asksForReview ? "refs/pr/\(number)" : branch
      if asksForReview { repository.branches[place] = old.oid }
      let commit = repository.add(files, title: words.0, description: words.1, on: place)
      state.repositories[key] = repository
      let page = "\(hub)/\(key.kind.prefix)\(key.name)"
      var facts: [String: Any] = [
        "success": true, "commitOid": commit.oid, "commitUrl": "\(page)/commit/\(commit.oid)",
        "hookOutput": "",
      ]
      if asksForReview { facts["pullRequestUrl"] = "\(page)/discussions/\(number)" }
      return .json(facts)
    }
  }

  private static func apply(_ changes: [Change], to old: [String: Blob]) -> [String: Blob]? {
    var files = old
    for change in changes {
      switch change {
      case .put(let path, let blob): files[path] = blob
      case .delete(let path):
        guard files.removeValue(forKey: path) != nil else { return nil }
      case .deleteFolder(let path):
        let start = path.hasSuffix("/") ? path : "\(path)/"
        files = files.filter { !$0.key.hasPrefix(start) }
      case .header, .bad: break
      }
    }
    return files
  }
}
