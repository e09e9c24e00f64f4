import Foundation
import HubStandIn
import Testing

@Suite struct StandInPublishingTests {
  private let hub: HubStandIn
  private let api: String

  init() throws {
    hub = try HubStandIn()
    hub.know("write", as: .init("me", organizations: ["org"]))
    hub.know("read", as: .init("me", organizations: ["org"], role: .read))
    api = "\(hub.endpoint)/api/models/org/new"
  }

  private func create(_ name: String = "new", token: String? = "write") throws -> Int {
    try StandInClient.post(
      "\(hub.endpoint)/api/repos/create", ["name": name, "organization": "org", "type": "model"],
      token: token
    ).status
  }

  private func commit(_ lines: [[String: Any]], token: String = "write") throws
    -> StandInClient.Reply
  {
    var body: [UInt8] = []
    for line in lines { body += [UInt8](try JSONSerialization.data(withJSONObject: line)) + [10] }
    let headers = ["Authorization": "Bearer \(token)", "Content-Type": "application/x-ndjson"]
    return try StandInClient.ask("POST", "\(api)/commit/main", headers, body: body)
  }

  /// What the storage wants for a file of these bytes.
  private func batch(_ oid: String, _ size: Int) throws -> [String: Any] {
    let reply = try StandInClient.post(
      "\(hub.endpoint)/org/new.git/info/lfs/objects/batch",
      [
        "operation": "upload", "transfers": ["basic", "multipart"], "hash_algo": "sha256",
        "objects": [["oid": oid, "size": size]],
      ], token: "write")
    let objects = try #require(reply.object["objects"] as? [[String: Any]])
    return try #require(objects.first)
  }

  private func upload(_ object: [String: Any]) throws -> [String: Any] {
    let actions = try #require(object["actions"] as? [String: Any])
    return try #require(actions["upload"] as? [String: Any])
  }

  private let hello = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

  @Test func aRepositoryIsCreatedOnceAndByThoseWhoMay() throws {
    #expect(try create(token: nil) == 401)
    #expect(try create(token: "read") == 403)
    #expect(try create() == 200)
    #expect(try create() == 409)
    #expect(hub.commits(of: "org/new").map(\.title) == ["initial commit"])
    let foreign = try StandInClient.post(
      "\(hub.endpoint)/api/repos/create", ["name": "a", "organization": "others"], token: "write")
    #expect(foreign.status == 403)
  }

  @Test func theHubSaysWhichFilesAreLarge() throws {
    #expect(try create() == 200)
    let sample = Data("text".utf8).base64EncodedString()
    let binary = Data([0, 1]).base64EncodedString()
    let files: [[String: Any]] = [
      ["path": "config.json", "size": 4, "sample": sample],
      ["path": "model.safetensors", "size": 4, "sample": sample],
      ["path": "tokenizer.json", "size": 20 << 20, "sample": sample],
      ["path": "thing", "size": 2, "sample": binary],
      ["path": "empty.bin", "size": 0, "sample": ""],
    ]
    let reply = try StandInClient.post("\(api)/preupload/main", ["files": files], token: "write")
    let answers = try #require(reply.object["files"] as? [[String: Any]])
    #expect(
      answers.map { $0["uploadMode"] as? String } == ["regular", "lfs", "lfs", "lfs", "regular"])
  }

  @Test func whatIsUploadedAndCommittedCanBeDownloaded() throws {
    #expect(try create() == 200)
    let wanted = try batch(hello, 6)
    let href = try #require(try upload(wanted)["href"] as? String)
    #expect(try StandInClient.ask("PUT", href, body: Array("jello\n".utf8)).status == 400)
    let lines: [[String: Any]] = [
      ["key": "header", "value": ["summary": "Say hello", "description": "twice"]],
      [
        "key": "file",
        "value": [
          "path": "a/small.txt", "encoding": "base64",
          "content": Data("small".utf8).base64EncodedString(),
        ],
      ],
      ["key": "lfsFile", "value": ["path": "m.bin", "algo": "sha256", "oid": hello, "size": 6]],
    ]
    #expect(try commit(lines).status == 400)
    #expect(try StandInClient.ask("PUT", href, body: Array("hello\n".utf8)).status == 200)
    #expect(try batch(hello, 6)["actions"] == nil)
    #expect(try commit(lines, token: "read").status == 403)
    let done = try commit(lines)
    #expect(done.status == 200)
    let newest = try #require(hub.commits(of: "org/new").first)
    #expect(newest.oid == done.object["commitOid"] as? String)
    #expect(newest.title == "Say hello")
    #expect(newest.description == "twice")
    #expect(newest.paths == [".gitattributes", "a/small.txt", "m.bin"])
    #expect(newest.contents("m.bin") == Array("hello\n".utf8))
    let files = hub.files(of: "org/new")
    #expect(files["a/small.txt"] == Array("small".utf8))
  }

  @Test func aLargeUploadComesInParts() throws {
    #expect(try create() == 200)
    hub.set {
      $0.multipartFrom = 5
      $0.partSize = 4
    }
    let action = try upload(try batch(hello, 6))
    let header = try #require(action["header"] as? [String: String])
    #expect(header["chunk_size"] == "4")
    var parts: [[String: Any]] = []
    for (number, text) in [(1, "hell"), (2, "o\n")] {
      let place = try #require(header["0000\(number)"])
      let reply = try StandInClient.ask("PUT", place, body: Array(text.utf8))
      parts.append(["partNumber": number, "etag": try #require(reply.headers["etag"])])
    }
    let href = try #require(action["href"] as? String)
    let half = try StandInClient.post(href, ["oid": hello, "parts": Array(parts.prefix(1))])
    #expect(half.status == 400)
    #expect(try StandInClient.post(href, ["oid": hello, "parts": parts]).status == 200)
    let facts: [String: Any] = ["oid": hello, "size": 6]
    let checked = try StandInClient.post("\(hub.endpoint)/api/verify", facts, token: "write")
    #expect(checked.status == 200)
  }

  @Test func aCommitThatAnotherPrecededIsRefused() throws {
    #expect(try create() == 200)
    let parent = try #require(hub.commits(of: "org/new").first?.oid)
    let header: [String: Any] = ["summary": "One", "description": "", "parentCommit": parent]
    let delete: [String: Any] = ["key": "deletedFile", "value": ["path": ".gitattributes"]]
    #expect(try commit([["key": "header", "value": header], delete]).status == 200)
    #expect(hub.files(of: "org/new").isEmpty)
    #expect(try commit([["key": "header", "value": header]]).status == 412)
  }

  @Test func aBranchIsMadeOnceAndTakesCommits() throws {
    #expect(try create() == 200)
    #expect(try StandInClient.post("\(api)/branch/side", [:], token: "write").status == 200)
    #expect(try StandInClient.post("\(api)/branch/side", [:], token: "write").status == 409)
    #expect(hub.commits(of: "org/new", revision: "side").count == 1)
    let lines: [[String: Any]] = [["key": "header", "value": ["summary": "One"]]]
    let missing = try StandInClient.ask(
      "POST", "\(api)/commit/none",
      ["Authorization": "Bearer write", "Content-Type": "application/x-ndjson"],
      body: [UInt8](try JSONSerialization.data(withJSONObject: lines[0])))
    #expect(missing.status == 404)
    #expect(missing.headers["x-error-code"] == "RevisionNotFound")
  }
}
