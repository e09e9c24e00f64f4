import Foundation
import Hub
import HubStandIn
import Testing

/// What is refused, when, and that nothing is committed then.
@Suite struct PushRefusalTests {
  @Test func withoutATokenNothingIsAsked() throws {
    let ground = try PushGround()
    let error = failure { _ = try ground.hub(token: nil).target("org/new") }
    guard case HubError.noToken(let what, let looked) = try #require(error) else {
      return #expect(Bool(false), "\(error as Any)")
    }
    #expect(what == "push to org/new")
    #expect(looked.first == "HF_TOKEN")
    #expect(ground.standIn.requests.isEmpty)
  }

  @Test func offlineNothingIsAsked() throws {
    let ground = try PushGround()
    let hub = ground.hub { $0.offline = .init(variable: "HF_HUB_OFFLINE") }
    let error = failure { _ = try hub.target("org/new") }
    #expect("\(try #require(error))".hasPrefix("HF_HUB_OFFLINE forbids connections"))
    #expect(ground.standIn.connectionCount == 0)
  }

  @Test func aTokenThatTheHubDoesNotKnowIsNamedByItsPlace() throws {
    let ground = try PushGround()
    let error = failure { _ = try ground.hub(token: "hf_wrong").target("org/new") }
    guard case HubError.badToken(source: "HF_TOKEN", endpoint: _) = try #require(error) else {
      return #expect(Bool(false), "\(error as Any)")
    }
    #expect(!"\(error as Any)".contains("hf_wrong"))
  }

  @Test func aTokenThatOnlyReadsIsRefused() throws {
    let ground = try PushGround()
    ground.standIn.know("hf_read", as: .init("someone", organizations: ["org"], role: .read))
    #expect(
      publishing { _ = try ground.hub(token: "hf_read").target("org/new") }
        == .readOnlyToken(source: "HF_TOKEN", user: "someone", .init("org/new")))
    #expect(ground.requests == ["GET /api/whoami-v2"])
  }

  @Test func anOrganisationOfOthersIsRefused() throws {
    let ground = try PushGround()
    #expect(
      publishing { _ = try ground.hub().target("others/new") }
        == .notAMember(of: "others", user: "someone", organisations: ["org"]))
  }

  @Test func aMemberWhoOnlyReadsIsRefused() throws {
    let ground = try PushGround()
    ground.answer(
      "/api/whoami-v2",
      #"{"name":"someone","orgs":[{"name":"Org","roleInOrg":"read"}],"auth":{"accessToken":{"role":"write"}}}"#
    )
    #expect(
      publishing { _ = try ground.hub().target("org/new") }
        == .readOnlyMember(of: "Org", user: "someone"))
  }

  /// As the hub describes fine-grained tokens.
  private func scoped(_ kind: String, _ name: String, _ permissions: String) -> String {
    #"{"name":"someone","orgs":[{"name":"org","roleInOrg":"admin"}],"auth":{"accessToken":{"role":"#
      + #""fineGrained","fineGrained":{"global":[],"scoped":[{"entity":{"_id":"1","type":"\#(kind)","#
      + #""name":"\#(name)"},"permissions":[\#(permissions)]}]}}}}"#
  }

  @Test(arguments: [
    ("org", "org", #""repo.content.read","repo.write""#, true),
    ("model", "org/new", #""repo.write""#, true),
    // A group may hold any repository of its organisation: the hub decides.
    ("resource-group", "team", #""repo.write""#, true),
    ("user", "someone", #""repo.write""#, false),
    ("model", "org/other", #""repo.write""#, false),
    ("org", "org", #""repo.content.read","discussion.write""#, false),
  ])
  func aFineGrainedTokenMustWriteThere(
    kind: String, name: String, permissions: String, isEnough: Bool
  ) throws {
    let ground = try PushGround()
    ground.answer("/api/whoami-v2", scoped(kind, name, permissions))
    let error = publishing { _ = try ground.hub().target("org/new") }
    let writes = permissions.contains("repo.write") ? [name] : []
    #expect(
      error
        == (isEnough
          ? nil : .outOfScope(source: "HF_TOKEN", writes: writes, .init("org/new"))))
  }

  @Test func aModelThatIsThereIsNotOverwrittenUnasked() throws {
    let ground = try PushGround()
    try ground.standIn.put("org/new", files: ["config.json": "{}", "README.md": "# Theirs"])
    let error = failure { try ground.push(ground.folder()) }
    guard case HubError.notEmpty(_, files: let files) = try #require(error) else {
      return #expect(Bool(false), "\(error as Any)")
    }
    #expect(files == ["config.json"])
    #expect(ground.standIn.commits(of: "org/new").count == 1)
  }

  @Test func aCardAndALicenceWrittenBeforehandAreNotInTheWayAndStay() throws {
    let ground = try PushGround()
    try ground.standIn.put(
      "org/new", files: [".gitattributes": "", "README.md": "# Theirs", "LICENSE": "Free"])
    let pushed = try ground.push(ground.folder())
    #expect(pushed.keptCard)
    var expected = PushGround.model
    expected["README.md"] = Array("# Theirs".utf8)
    expected["LICENSE"] = Array("Free".utf8)
    #expect(ground.files() == expected)
  }

  @Test func anOverwriteTakesTheOldModelsFilesAwayAndLeavesOthers() throws {
    let ground = try PushGround()
    try ground.standIn.put(
      "org/new",
      files: [
        "README.md": "# Theirs", "LICENSE": "Free", "config.json": "{}",
        "model-00003-of-00003.safetensors": "old", "pytorch_model.bin": "old",
        "tokenizer.model": "old", "modeling_old.py": "old", "adapter_config.json": "{}",
        "picture.png": "p", "small.gguf": "g", "onnx/model.onnx": "o",
      ])
    let pushed = try ground.push(ground.folder(), overwrites: true)
    #expect(
      pushed.deleted.sorted() == [
        "adapter_config.json", "model-00003-of-00003.safetensors", "modeling_old.py",
        "pytorch_model.bin", "tokenizer.model",
      ])
    #expect(
      Set(ground.files().keys)
        == Set(PushGround.model.keys).union([
          "LICENSE", "picture.png", "small.gguf", "onnx/model.onnx",
        ]))
    #expect(ground.files()["README.md"] == PushGround.model["README.md"])
    #expect(ground.standIn.commits(of: "org/new").count == 2)
  }

  @Test func aPublicRepositoryIsRefusedWherePrivateWasAskedFor() throws {
    let ground = try PushGround()
    try ground.standIn.put("org/new", files: ["README.md": "# Open"])
    #expect(
      publishing { try ground.push(ground.folder(), isPrivate: true) }
        == .isPublic(.init("org/new")))
  }

  @Test func aHubThatMakesAPublicOneOfAPrivateOneGetsNothing() throws {
    let ground = try PushGround()
    let hub = ground.hub()
    let target = try hub.target("org/new", isPrivate: true)
    // Somebody makes it, open, before the push does.
    try ground.standIn.put("org/new", files: ["README.md": "# Open"])
    let folder = try HubFolder(try ground.folder())
    #expect(
      publishing { _ = try hub.push(folder, to: target, summary: "Upload") }
        == .isPublic(.init("org/new")))
    #expect(!ground.requests.contains { $0.contains("preupload") })
  }

  @Test(arguments: ["hf://datasets/org/new", "hf://spaces/org/new", "hf://org/new/sub"])
  func whatIsNoModelRepositoryIsRefused(text: String) throws {
    let ground = try PushGround()
    #expect(publishing { _ = try ground.hub().target(text) } == .notAModel(text))
    #expect(ground.standIn.requests.isEmpty)
  }

  @Test func aCommitOrATagIsNoPlaceForACommit() throws {
    let ground = try PushGround()
    let commit = try ground.standIn.put("org/new", files: ["README.md": "# Open"])
    ground.standIn.tag("org/new", "v1", at: commit)
    for revision in [commit, "v1"] {
      #expect(
        publishing { _ = try ground.hub().target("org/new@\(revision)") }
          == .notABranch(revision, .init("org/new")))
    }
  }

  @Test func aCommitOfSomebodyElseMeanwhileIsNotOverwritten() throws {
    let ground = try PushGround()
    let old = try ground.standIn.put("org/new", files: ["README.md": "# One"])
    let hub = ground.hub()
    let target = try hub.target("org/new")
    let new = try ground.standIn.put("org/new", files: ["README.md": "# Two"])
    let folder = try HubFolder(try ground.folder())
    #expect(
      publishing { _ = try hub.push(folder, to: target, summary: "Upload") }
        == .movedOn(.init("org/new"), branch: "main", from: old, to: new))
    #expect(ground.files() == ["README.md": Array("# Two".utf8)])
  }

  @Test func aCommitRefusedAtTheLastMomentSaysWhoCameBetween() throws {
    let ground = try PushGround()
    ground.standIn.fail(
      .init(method: "POST", path: "/commit/"),
      with: .status(412, message: "A commit has happened since."))
    let error = publishing { try ground.push(ground.folder()) }
    guard case .movedOn(_, branch: "main", from: _, to: _) = error else {
      return #expect(Bool(false), "\(error as Any)")
    }
    #expect(ground.files() == [:])
  }

  @Test func whatTheHubSaysToARefusalIsRepeated() throws {
    let ground = try PushGround()
    ground.standIn.fail(
      .path("/api/repos/create"),
      with: .status(403, message: "You have reached your private storage limit"))
    let error = failure { try ground.push(ground.folder()) }
    #expect("\(try #require(error))".contains("You have reached your private storage limit"))
    #expect(!ground.standIn.exists("org/new"))
  }
}

/// The error of publishing that work ends with.
func publishing(_ work: () throws -> Void) -> HubPublishingError? {
  guard case HubError.publishing(let error)? = failure(work) else { return nil }
  return error
}

extension PushGround {
  /// Makes the next answer another one.
  func answer(_ path: String, _ text: String, times: Int = 1) {
    standIn.fail(
      .path(path),
      with: .answer(200, headers: ["Content-Type": "application/json"], body: Array(text.utf8)),
      times: times)
  }
}
