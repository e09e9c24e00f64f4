import Foundation

/// What is asked about repositories, and their files.
extension Core {
  private func commit(
    _ subject: Subject, _ revision: String
  ) -> (HubStandIn.Commit?, missing: Answer) {
    (
      subject.repository.commit(revision),
      .error(404, code: "RevisionNotFound", "Invalid rev id: \(revision)")
    )
  }

  func information(_ subject: Subject) -> Answer {
    let (found, missing) = commit(subject, subject.revision.name)
    guard let commit = found else { return missing }
    let withBlobs = ["1", "true"].contains(subject.question.query["blobs"]?.lowercased() ?? "")
    let siblings = commit.files.sorted { $0.key < $1.key }.map { path, blob in
      var sibling: [String: Any] = ["rfilename": path]
      guard withBlobs else { return sibling }
      sibling["size"] = blob.size
      sibling["blobId"] = blob.oid
      if let sha256 = blob.sha256 {
        sibling["lfs"] = ["sha256": sha256, "size": blob.size, "pointerSize": blob.pointerSize]
      }
      return sibling
    }
    let key = subject.key
    let date = Self.date(commit.date)
    return .json([
      "_id": String(Digest.of(Array(key.name.utf8), .sha1).prefix(24)), "id": key.name,
      "modelId": key.name, "author": key.name.split(separator: "/").first.map(String.init) ?? "",
      "sha": commit.oid, "lastModified": date, "createdAt": date,
      "private": subject.repository.access == .private,
      "gated": subject.repository.access == .gated ? "manual" : false as Any,
      "disabled": false, "downloads": 0, "likes": 0, "tags": [String](), "siblings": siblings,
      "spaces": [String](), "usedStorage": commit.files.values.reduce(0) { $0 + $1.size },
    ])
  }

  private static func date(_ date: Date) -> String {
    date.formatted(.iso8601.year().month().day().time(includingFractionalSeconds: true)) + "Z"
  }

  // MARK: Listings

  /// A file or a folder as listings show it.
  private func entry(
    _ path: String, _ commit: HubStandIn.Commit, expand: Bool
  ) -> [String: Any]? {
    var entry: [String: Any]
    if let blob = commit.files[path] {
      entry = ["type": "file", "oid": blob.oid, "size": blob.size, "path": path]
      if let sha256 = blob.sha256 {
        entry["lfs"] = ["oid": sha256, "size": blob.size, "pointerSize": blob.pointerSize]
        if settings.namesSharedStore, let hash = blob.xetHash { entry["xetHash"] = hash }
      }
    } else {
      let inside = commit.files.filter { $0.key.hasPrefix("\(path)/") }
      guard !inside.isEmpty else { return nil }
      let names = inside.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.oid)" }
      let oid = Digest.of(Array(names.joined(separator: "\n").utf8), .sha1)
      entry = ["type": "directory", "oid": oid, "size": 0, "path": path]
    }
    if expand {
      entry["lastCommit"] = [
        "id": commit.oid, "title": commit.title, "date": Self.date(commit.date),
      ]
    }
    return entry
  }

  func tree(_ subject: Subject) -> Answer {
    let (revision, rest) = subject.revision
    let (found, missing) = commit(subject, revision)
    guard let commit = found else { return missing }
    let query = subject.question.query
    let isTrue = { ["1", "true"].contains(query[$0]?.lowercased() ?? "") }
    let folder = rest.joined(separator: "/")
    let start = folder.isEmpty ? "" : "\(folder)/"
    var paths: Set<String> = []
    for path in commit.files.keys where path.hasPrefix(start) {
      let parts = path.dropFirst(start.count).split(separator: "/").map(String.init)
      let depth = isTrue("recursive") ? parts.count : 1
      for count in 1...depth { paths.insert(start + parts[..<count].joined(separator: "/")) }
    }
    guard !paths.isEmpty || folder.isEmpty else {
      return .error(
        404, code: "EntryNotFound", "\(folder) does not exist on \"\(revision)\"")
    }
    let expand = isTrue("expand")
    let limit = min(
      query["limit"].flatMap { Int($0) } ?? .max, expand ? 50 : .max, settings.pageSize)
    let from = query["cursor"].flatMap { Data(base64Encoded: $0) }.map {
      String(decoding: $0, as: UTF8.self)
    }
    let rest2 = paths.sorted().filter { path in from.map { path > $0 } ?? true }
    let page = rest2.prefix(max(limit, 1))
    var headers = [("X-Repo-Commit", commit.oid)]
    if page.count < rest2.count, let last = page.last {
      var next = query
      next["cursor"] = Data(last.utf8).base64EncodedString()
      let text = next.sorted { $0.key < $1.key }.map {
        "\($0)=\(Question.encoded($1))"
      }
      let path = subject.question.target.prefix { $0 != "?" }
      let address = "\(subject.question.origin)\(path)?\(text.joined(separator: "&"))"
      headers.append(("Link", "<\(address)>; rel=\"next\""))
    }
    return .json(page.compactMap { entry($0, commit, expand: expand) }, headers: headers)
  }

  func pathsInformation(_ subject: Subject) -> Answer {
    let (found, missing) = commit(subject, subject.revision.name)
    guard let commit = found else { return missing }
    let question = subject.question
    let isJSON = question.headers["content-type"]?.contains("json") ?? false
    let form = isJSON ? [] : Question.form(String(decoding: question.bytes, as: UTF8.self))
    let paths =
      isJSON
      ? question.object["paths"] as? [String] ?? []
      : form.filter { $0.0 == "paths" }.map { $0.1 }
    let expand = form.contains { $0.0 == "expand" && $0.1.lowercased() == "true" }
    return .json(paths.compactMap { entry($0, commit, expand: expand) })
  }

  func references(_ subject: Subject) -> Answer {
    func list(_ names: [String: String], _ prefix: String) -> [[String: String]] {
      names.sorted { $0.key < $1.key }.map {
        [
          "name": $0, "ref": $0.hasPrefix("refs/") ? $0 : "refs/\(prefix)/\($0)",
          "targetCommit": $1,
        ]
      }
    }
    let branches = subject.repository.branches
    return .json([
      "branches": list(branches.filter { !$0.key.hasPrefix("refs/") }, "heads"),
      "tags": list(subject.repository.tags, "tags"), "converts": [String](),
      "pullRequests": list(branches.filter { $0.key.hasPrefix("refs/pr/") }, "pr"),
    ])
  }

  func log(_ subject: Subject) -> Answer {
    let (found, missing) = commit(subject, subject.revision.name)
    guard found != nil else { return missing }
    return .json(
      subject.repository.log(subject.revision.name).map {
        [
          "id": $0.oid, "title": $0.title, "message": $0.description, "date": Self.date($0.date),
          "authors": [["user": "user"]],
        ] as [String: Any]
      })
  }

  // MARK: Files

  /// A file: its bytes, or where they lie.
  func file(_ subject: Subject) -> Answer {
    let question = subject.question
    let name = subject.key.name
    if subject.repository.access == .gated {
      guard let account = question.account else {
        return .error(
          401, code: "GatedRepo",
          "Access to \(subject.key.kind.rawValue) \(name) is restricted. You must have access to it and be authenticated"
            + " to access it. Please log in.")
      }
      guard account.owns(name) || account.agreed.contains(name) else {
        return .error(
          403, code: "GatedRepo",
          "Access to \(subject.key.kind.rawValue) \(name) is restricted and you are not in the authorized list. Visit"
            + " \(hub)/\(subject.key.kind.prefix)\(name) to ask for access.")
      }
    }
    let (revision, rest) = subject.revision
    let (found, missing) = commit(subject, revision)
    guard let commit = found else { return missing }
    let path = rest.joined(separator: "/")
    let facts = [("X-Repo-Commit", commit.oid)]
    guard let blob = commit.files[path] else {
      return .error(404, code: "EntryNotFound", "Entry not found", headers: facts)
    }
    if subject.rest.first == "raw", blob.sha256 != nil {
      return Answer(
        200, headers: facts, body: .bytes(Blob.pointer(blob.etag, blob.size)))
    }
    if let sha256 = blob.sha256 { return linked(sha256, blob, path, facts) }
    if settings.redirectsSmallFiles, subject.rest.first == "resolve" {
      let place =
        "/api/resolve-cache/\(subject.key.kind.rawValue)s/\(name)/\(commit.oid)/\(Question.encoded(path, slashes: true))"
      let linked = [("X-Linked-Size", "\(blob.size)"), ("X-Linked-Etag", "\"\(blob.oid)\"")]
      let asked = Question.encoded(question.path)
      return .redirect(
        307, to: "\(place)?\(asked)=&etag=%22\(blob.oid)%22", headers: facts + linked)
    }
    return Self.part(
      of: blob, question,
      headers: facts + [
        ("ETag", "\"\(blob.oid)\""), ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Disposition", "inline; filename=\"\(path.split(separator: "/").last ?? "")\""),
      ])
  }

  private func linked(
    _ sha256: String, _ blob: Blob, _ path: String, _ facts: [(String, String)]
  ) -> Answer {
    var headers =
      facts + [("X-Linked-Size", "\(blob.size)"), ("X-Linked-Etag", "\"\(sha256)\"")]
    if settings.namesSharedStore, let hash = blob.xetHash {
      headers.append(("X-Xet-Hash", hash))
    }
    let place = signed(
      "/\(sha256)", ["response-content-disposition": "inline; filename=\"\(path)\""])
    return .redirect(302, to: place, headers: headers)
  }

  /// All of a file or the range of it that is asked for.
  static func part(of blob: Blob, _ question: Question, headers: [(String, String)]) -> Answer {
    func body(_ range: Range<Int>) -> Answer.Body {
      switch blob.source {
      case .bytes(let bytes): .bytes(Array(bytes[range]))
      case .file(let path): .file(path, range)
      }
    }
    let headers = headers + [("Accept-Ranges", "bytes")]
    guard let text = question.headers["range"], text.hasPrefix("bytes=") else {
      return Answer(200, headers: headers, body: body(0..<blob.size))
    }
    let parts = text.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2 else { return Answer(200, headers: headers, body: body(0..<blob.size)) }
    let first = Int(parts[0]) ?? max(blob.size - (Int(parts[1]) ?? 0), 0)
    let last = parts[0].isEmpty ? blob.size - 1 : min(Int(parts[1]) ?? .max, blob.size - 1)
    guard first < blob.size, first <= last else {
      return Answer(
        416, headers: headers + [("Content-Range", "bytes */\(blob.size)")], body: .bytes([]))
    }
    return Answer(
      206, headers: headers + [("Content-Range", "bytes \(first)-\(last)/\(blob.size)")],
      body: body(first..<last + 1))
  }
}
