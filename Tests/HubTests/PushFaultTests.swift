import Foundation
import Hub
import HubStandIn
import Testing

/// Servers and folders that are not as they should be: nothing is committed, and the sentence says what it was.
@Suite struct PushFaultTests {
  private static func batch(_ object: String) -> String {
    #"{"transfer":"basic","objects":[\#(object)]}"#
  }

  /// One large file, and its SHA-256 (computed by Python's hashlib).
  private static let one = ["one.safetensors": Array("hello".utf8)]
  private static let sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

  @Test(arguments: [
    (
      batch(#"{"oid":"\#(sum)","size":5,"error":{"code":422,"message":"Too many\nobjects"}}"#),
      "does not take one.safetensors: Too many objects (422)"
    ),
    (batch(""), "it says nothing of one.safetensors"),
    (batch(#"{"oid":"\#(sum)","size":6}"#), "another size for one.safetensors"),
    (#"{"objects":7}"#, "it lists no objects"),
    (#"{"transfer":"carrier-pigeon","objects":[]}"#, "carrier-pigeon"),
    (batch(#"{"oid":"\#(sum)","size":5,"actions":{"upload":{"href":"ftp://a/b"}}}"#), "ftp://a/b"),
    (
      batch(#"{"oid":"\#(sum)","size":5,"actions":{"upload":{"header":{}}}}"#),
      "an address is missing"
    ),
    (
      batch(
        #"{"oid":"\#(sum)","size":5,"actions":{"upload":{"href":"http://a","header":{"chunk_size":"0"}}}}"#
      ),
      "the size of parts is none"
    ),
    (
      batch(
        #"{"oid":"\#(sum)","size":5,"actions":{"upload":{"href":"http://a","header":"#
          + #"{"chunk_size":"2","1":"http://a/1","2":"http://a/2"}}}}"#),
      "takes 3 parts, and it has places for 2"
    ),
    ("no JSON", "cannot be"),
  ])
  func anAnswerOfTheStoragesOfficeThatIsNoneIsSaidSo(answer: String, words: String) throws {
    let ground = try PushGround()
    ground.answer("/objects/batch", answer)
    let error = failure { try ground.push(ground.folder(Self.one)) }
    #expect("\(try #require(error))".contains(words), "\(error as Any)")
    #expect(ground.standIn.commits(of: "org/new").count == 1)
  }

  @Test(arguments: [
    (#"{"files":[]}"#, "it does not say how one.safetensors is to come"),
    (#"{"files":[{"path":"one.safetensors","uploadMode":"pigeon"}]}"#, "no mode that is known"),
    (
      #"{"files":[{"path":"one.safetensors","uploadMode":"lfs","shouldIgnore":true}]}"#,
      "keeps out one.safetensors"
    ),
    ("[]", "it lists no files"),
  ])
  func anAnswerThatDoesNotSayHowFilesAreToComeIsNone(answer: String, words: String) throws {
    let ground = try PushGround()
    ground.answer("/preupload/", answer)
    let error = failure { try ground.push(ground.folder(Self.one)) }
    #expect("\(try #require(error))".contains(words), "\(error as Any)")
    #expect(ground.standIn.commits(of: "org/new").count == 1)
  }

  @Test func aCommitWithoutANameIsNone() throws {
    let ground = try PushGround()
    ground.answer("/commit/", #"{"success":true,"commitOid":"../../etc"}"#)
    let error = failure { try ground.push(ground.folder(Self.one)) }
    #expect("\(try #require(error))".contains("it names no commit"))
  }

  @Test func aHubThatSaysItCommittedAndDidNotIsFoundOut() throws {
    let ground = try PushGround()
    let other = try ground.standIn.put("org/other", files: ["README.md": "# Another"])
    ground.answer("/commit/", #"{"success":true,"commitOid":"\#(other)"}"#)
    #expect(failure { try ground.push(ground.folder(Self.one)) } != nil)
  }

  @Test func aStorageThatRefusesIsNamedWithoutItsSignature() throws {
    let ground = try PushGround()
    ground.standIn.fail(
      .init(server: .storage, method: "PUT"),
      with: .answer(400, body: Array("<Code>EntityTooLarge</Code>".utf8)))
    let error = failure { try ground.push(ground.folder(Self.one)) }
    let text = "\(try #require(error))"
    #expect(text.contains("one.safetensors") && text.contains("answered 400"), "\(text)")
    #expect(text.contains("EntityTooLarge"))
    #expect(!text.contains("Signature"))
    #expect(ground.standIn.commits(of: "org/new").count == 1)
  }

  @Test func aStorageThatRefusesEveryAddressIsGivenUp() throws {
    let ground = try PushGround()
    ground.standIn.fail(.init(server: .storage, method: "PUT"), with: .expired, times: 100)
    let error = failure { try ground.push(ground.folder(Self.one)) }
    #expect("\(try #require(error))".contains("refused as soon as they are given out"))
    #expect(ground.requests.filter { $0.hasPrefix("PUT") }.count == 2)
  }

  @Test func aFileThatTheHubDoesNotFindAfterwardsIsAnError() throws {
    let ground = try PushGround()
    ground.standIn.fail(.path("/api/verify"), with: .status(404, message: "Not there"))
    let error = failure { try ground.push(ground.folder(Self.one)) }
    #expect("\(try #require(error))".contains("one.safetensors"))
    #expect(ground.standIn.commits(of: "org/new").count == 1)
  }

  @Test func aStorageThatStallsNamesItsSetting() throws {
    let ground = try PushGround()
    ground.standIn.fail(.init(server: .storage, method: "PUT"), with: .silence, times: 2)
    let hub = ground.hub {
      $0.downloadTimeout = 0.05
      $0.attempts = 2
    }
    let error = failure { try ground.push(ground.folder(Self.one), hub: hub) }
    #expect("\(try #require(error))".contains("HF_HUB_DOWNLOAD_TIMEOUT"))
    #expect(ground.standIn.commits(of: "org/new").count == 1)
  }

  @Test func partsWithoutANameAreAnError() throws {
    let ground = try PushGround {
      $0.multipartFrom = 4
      $0.partSize = 3
    }
    ground.standIn.fail(
      .init(server: .storage, method: "PUT"), with: .header("ETag", nil), times: 2)
    let error = failure { try ground.push(ground.folder(Self.one)) }
    #expect("\(try #require(error))".contains("does not name what it took"))
  }

  @Test func aFileThatChangesBeforeItIsSentIsNotCommitted() throws {
    let ground = try PushGround()
    let folder = try ground.folder()
    let looked = try HubFolder(folder)
    try Data("other".utf8).write(to: URL(filePath: folder).appending(path: "config.json"))
    let hub = ground.hub()
    let target = try hub.target("org/new")
    #expect(
      publishing { _ = try hub.push(looked, to: target, summary: "Upload") }
        == .changed(path: "\(folder)/config.json"))
    #expect(ground.files() == [:])
  }

  @Test func aFileThatIsCutWhileItIsSentIsNotCommitted() throws {
    let ground = try PushGround()
    let folder = try ground.folder(["one.safetensors": PushGround.noise(3_000_000, 3)])
    ground.standIn.fail(.init(server: .storage, method: "PUT"), with: .wait(0.2))
    let looked = try HubFolder(folder)
    let hub = ground.hub()
    let target = try hub.target("org/new")
    // As soon as the storage is being asked, somebody writes the file anew.
    let standIn = ground.standIn
    let thread = Thread {
      while !standIn.requests.contains(where: { $0.method == "PUT" }) { usleep(1000) }
      try? Data("short".utf8).write(to: URL(filePath: folder).appending(path: "one.safetensors"))
    }
    thread.start()
    #expect(
      publishing { _ = try hub.push(looked, to: target, summary: "Upload") }
        == .changed(path: "\(folder)/one.safetensors"))
    #expect(ground.files() == [:])
  }

  @Test func aFolderWithoutFilesOrWithLinksToNowhereIsRefused() throws {
    let ground = try PushGround()
    let empty = try ground.folder([".git/config": [1]], "empty")
    #expect(publishing { _ = try HubFolder(empty) } == .emptyFolder(empty))
    let folder = try ground.folder()
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder)/broken", withDestinationPath: "nowhere")
    guard
      case .badFile(path: "\(folder)/broken", reason: _) = publishing({ _ = try HubFolder(folder) })
    else { return #expect(Bool(false)) }
  }

  @Test func whatAFolderHasForItselfIsLeftOutAndLinksAreFollowed() throws {
    let ground = try PushGround()
    let folder = try ground.folder([
      "config.json": [1], ".git/HEAD": [2], ".cache/huggingface/x": [3], "a.partial-123": [4],
      "b.partial-final": [5],
    ])
    let other = try ground.folder(["blob": [6]], "elsewhere")
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder)/linked.safetensors", withDestinationPath: "\(other)/blob")
    #expect(
      try HubFolder(folder).files.map(\.path)
        == ["b.partial-final", "config.json", "linked.safetensors"])
    #expect(
      try HubFolder(folder, include: ["*.safetensors", "b*"], exclude: ["b*"]).files.map(\.path)
        == ["linked.safetensors"])
  }

  @Test func aCardThatTheHubCannotReadIsRefusedBeforeAnythingIsSent() throws {
    let ground = try PushGround()
    var files = PushGround.model
    files["README.md"] = Array("---\nlicense: mit\n".utf8)
    let error = failure { try ground.push(ground.folder(files)) }
    #expect("\(try #require(error))".contains("README.md"))
    #expect(!ground.requests.contains { $0.hasPrefix("PUT") })
  }
}
