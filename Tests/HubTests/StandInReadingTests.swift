import HubStandIn
import Testing

/// Hashes are those of `git hash-object` and `sha256sum`.
@Suite struct StandInReadingTests {
  private let hello = "ce013625030ba8dba906f756967f9e9ca394464a"
  private let helloSHA256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
  private let helloPointer = "fa61e1ef71c9908c0926776a4aa3504b3a27f159"

  @Test func aSmallFileIsAnsweredWithItsCommitAndItsGitHash() throws {
    let hub = try HubStandIn()
    let commit = try hub.put("org/model", files: ["a b/c.txt": "hello\n"])
    let url = "\(hub.endpoint)/org/model/resolve/main/a%20b/c.txt"
    for method in ["GET", "HEAD"] {
      let reply = try StandInClient.ask(method, url)
      #expect(reply.status == 200)
      #expect(reply.headers["x-repo-commit"] == commit)
      #expect(reply.headers["etag"] == "\"\(hello)\"")
      #expect(reply.headers["content-length"] == "6")
      #expect(reply.text == (method == "GET" ? "hello\n" : ""))
    }
    #expect(hub.requests.map(\.sent) == [6, 0])
  }

  @Test func aLargeFileIsRedirectedToTheStorage() throws {
    let hub = try HubStandIn()
    try hub.put("org/model", files: ["model.bin": .text("hello\n", large: true)])
    let reply = try StandInClient.ask("HEAD", "\(hub.endpoint)/org/model/resolve/main/model.bin")
    #expect(reply.status == 302)
    #expect(reply.headers["x-linked-etag"] == "\"\(helloSHA256)\"")
    #expect(reply.headers["x-linked-size"] == "6")
    let place = try #require(reply.headers["location"])
    #expect(place.hasPrefix("\(hub.storage)/"))
    #expect(try StandInClient.ask("GET", place).text == "hello\n")
    let part = try StandInClient.ask("GET", place, ["Range": "bytes=2-"])
    #expect(part.status == 206)
    #expect(part.headers["content-range"] == "bytes 2-5/6")
    #expect(part.text == "llo\n")
    let behind = try StandInClient.ask("GET", place, ["Range": "bytes=6-"])
    #expect(behind.status == 416)
    #expect(behind.headers["content-range"] == "bytes */6")
    #expect(try StandInClient.ask("GET", place + "0").status == 403)
  }

  @Test func aTokenAtTheStorageIsRefusedAndSeen() throws {
    let hub = try HubStandIn()
    hub.know("secret", as: .init("me"))
    try hub.put("org/model", files: ["model.bin": .text("hello\n", large: true)])
    let reply = try StandInClient.ask("HEAD", "\(hub.endpoint)/org/model/resolve/main/model.bin")
    let place = try #require(reply.headers["location"])
    #expect(try StandInClient.ask("GET", place, ["Authorization": "Bearer secret"]).status == 400)
    #expect(hub.requests.last?.server == .storage)
    #expect(hub.requests.last?.authorization == "Bearer secret")
  }

  @Test func anAddressOfTheStorageGrowsOld() throws {
    let hub = try HubStandIn()
    hub.set { $0.signatureLifetime = -1 }
    try hub.put("org/model", files: ["model.bin": .text("hello\n", large: true)])
    let reply = try StandInClient.ask("HEAD", "\(hub.endpoint)/org/model/resolve/main/model.bin")
    let old = try StandInClient.ask("GET", try #require(reply.headers["location"]))
    #expect(old.status == 403)
    #expect(old.text.contains("Request has expired"))
  }

  @Test func listingsComeInPages() throws {
    let hub = try HubStandIn()
    hub.set { $0.pageSize = 2 }
    try hub.put(
      "org/model",
      files: ["a": "1", "b": "2", "c/d": "3", "c/e/f": .text("hello\n", large: true)])
    var next: String? = "\(hub.endpoint)/api/models/org/model/tree/main?recursive=True"
    var pages: [[[String: Any]]] = []
    while let url = next {
      let reply = try StandInClient.ask("GET", url)
      pages.append(try #require(reply.json as? [[String: Any]]))
      next = reply.headers["link"].map { String($0.dropFirst().prefix { $0 != ">" }) }
    }
    #expect(
      pages.map { $0.map { $0["path"] as? String } } == [
        ["a", "b"], ["c", "c/d"], ["c/e", "c/e/f"],
      ]
    )
    let large = try #require(pages.last?.last)
    #expect(large["oid"] as? String == helloPointer)
    #expect(large["size"] as? Int == 6)
    #expect((large["lfs"] as? [String: Any])?["oid"] as? String == helloSHA256)
    #expect((large["lfs"] as? [String: Any])?["pointerSize"] as? Int == 126)
    let inside = try StandInClient.ask("GET", "\(hub.endpoint)/api/models/org/model/tree/main/c")
    let entries = try #require(inside.json as? [[String: Any]])
    #expect(entries.map { $0["type"] as? String } == ["file", "directory"])
  }

  @Test func aRepositoryIsFoundByBranchTagAndCommit() throws {
    let hub = try HubStandIn()
    let first = try hub.put("org/data", kind: .dataset, files: ["a": "1"])
    let second = try hub.put("org/data", kind: .dataset, files: ["b": "2"], keeping: true)
    hub.tag("org/data", kind: .dataset, "v1", at: first)
    try hub.put("org/data", kind: .dataset, files: ["c": "3"], revision: "refs/pr/1")
    let api = "\(hub.endpoint)/api/datasets/org/data"
    for (revision, sha) in [("main", second), ("v1", first), (first, first)] {
      let facts = try StandInClient.ask("GET", "\(api)/revision/\(revision)?blobs=true").object
      #expect(facts["sha"] as? String == sha)
    }
    let files = try #require(
      try StandInClient.ask("GET", "\(api)?blobs=true").object["siblings"] as? [[String: Any]])
    #expect(files.map { $0["rfilename"] as? String } == ["a", "b"])
    #expect(files.map { $0["size"] as? Int } == [1, 1])
    for place in ["refs%2Fpr%2F1/c", "refs/pr/1/c"] {
      let reply = try StandInClient.ask("GET", "\(hub.endpoint)/datasets/org/data/resolve/\(place)")
      #expect(reply.text == "3")
    }
  }

  @Test(arguments: [
    ("org/gated/resolve/main/a", nil, 401, "GatedRepo"),
    ("org/gated/resolve/main/a", "stranger", 403, "GatedRepo"),
    ("org/gated/resolve/main/a", "friend", 200, nil),
    ("org/gated/resolve/main/a", "member", 200, nil),
    ("org/hidden/resolve/main/a", nil, 401, "RepoNotFound"),
    ("org/hidden/resolve/main/a", "stranger", 404, "RepoNotFound"),
    ("org/hidden/resolve/main/a", "member", 200, nil),
    ("org/none/resolve/main/a", "member", 404, "RepoNotFound"),
    ("org/open/resolve/none/a", nil, 404, "RevisionNotFound"),
    ("org/open/resolve/main/none", nil, 404, "EntryNotFound"),
    ("org/open/resolve/main/a", "unknown", 401, nil),
    ("api/models/org/hidden/tree/main", "stranger", 404, "RepoNotFound"),
    ("api/models/org/gated/tree/main", nil, 200, nil),
  ]) func eachRefusalHasItsStatusAndCode(
    path: String, token: String?, status: Int, code: String?
  ) throws {
    let hub = try HubStandIn()
    hub.know("stranger", as: .init("stranger"))
    hub.know("friend", as: .init("friend", agreed: ["org/gated"]))
    hub.know("member", as: .init("member", organizations: ["org"], role: .read))
    for (name, access) in [
      ("gated", HubStandIn.Access.gated), ("hidden", .private), ("open", .open),
    ] {
      try hub.put("org/\(name)", files: ["a": "1"], access: access)
    }
    let headers = token.map { ["Authorization": "Bearer \($0)"] } ?? [:]
    let reply = try StandInClient.ask("GET", "\(hub.endpoint)/\(path)", headers)
    #expect(reply.status == status)
    #expect(reply.headers["x-error-code"] == code)
    if token == "unknown" {
      #expect(reply.headers["x-error-message"] == "Invalid credentials in Authorization header")
    }
  }

  @Test func aRenamedRepositoryLeadsToItsNewName() throws {
    let hub = try HubStandIn()
    try hub.put("org/old", files: ["a": "1"])
    hub.rename("org/old", to: "other/new")
    let file = try StandInClient.ask("HEAD", "\(hub.endpoint)/org/old/resolve/main/a?x=1")
    #expect(file.status == 307)
    #expect(file.headers["location"] == "/other/new/resolve/main/a?x=1")
    let facts = try StandInClient.ask("GET", "\(hub.endpoint)/api/models/org/old/tree/main")
    #expect(facts.headers["location"] == "/api/models/other/new/tree/main")
  }

  @Test func itAnswersAsAProxy() throws {
    let hub = try HubStandIn()
    try hub.put("org/model", files: ["a": "1", "b.bin": .text("hello\n", large: true)])
    let reply = try StandInClient.ask(
      "GET", "http://hub.example/org/model/resolve/main/a", proxy: hub.endpoint)
    #expect(reply.text == "1")
    #expect(hub.requests.last?.isProxied == true)
    #expect(hub.requests.last?.host == "hub.example")
    let large = try StandInClient.ask(
      "HEAD", "http://hub.example/org/model/resolve/main/b.bin", proxy: hub.endpoint)
    let place = try #require(large.headers["location"])
    #expect(try StandInClient.ask("GET", place, proxy: hub.endpoint).text == "hello\n")
  }
}
