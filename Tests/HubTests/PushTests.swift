import Foundation
import Hub
import HubStandIn
import Testing

@Suite struct PushTests {
  @Test func whatArrivesIsWhatLiesInTheFolderByteForByteInOneCommit() throws {
    let ground = try PushGround()
    let pushed = try ground.push(ground.folder())
    #expect(ground.files() == PushGround.model)
    let commits = ground.standIn.commits(of: "org/new")
    // The hub's own first one, and this one.
    #expect(commits.count == 2)
    #expect(commits.first?.oid == pushed.commit)
    #expect(commits.first?.title == "Upload")
    #expect(commits.first?.description == "With Isthmus")
    #expect(pushed.address == "\(ground.standIn.endpoint)/org/new/commit/\(pushed.commit)")
    #expect(commits.first?.isLarge("model-00001-of-00002.safetensors") == true)
    #expect(commits.first?.isLarge("config.json") == false)
    #expect(pushed.sentBytes == 100_001)
    #expect(pushed.isNew)
  }

  @Test func largeFilesComeInPartsWhereTheHubWantsParts() throws {
    let ground = try PushGround {
      $0.multipartFrom = 40_000
      $0.partSize = 16_384
    }
    try ground.push(ground.folder())
    #expect(ground.files() == PushGround.model)
    let puts = ground.standIn.requests.filter { $0.method == "PUT" }
    // 70,000 bytes in five parts, and 30,001 as they are.
    #expect(puts.map(\.received).sorted() == [4464, 16384, 16384, 16384, 16384, 30001])
  }

  @Test func theOrderIsWhoThenWhatThenTheStorageThenOneCommit() throws {
    let ground = try PushGround()
    try ground.push(ground.folder())
    let all = ground.requests
    let steps = [
      "GET /api/whoami-v2", "GET /api/models/org/new", "POST /api/repos/create",
      "POST /api/models/org/new/preupload/main", "POST /org/new.git/info/lfs/objects/batch",
      "PUT ", "POST /api/verify", "POST /api/models/org/new/commit/main",
    ]
    let places = steps.map { step in all.firstIndex { $0.hasPrefix(step) } ?? -1 }
    #expect(!places.contains(-1), "\(all)")
    #expect(places == places.sorted(), "\(all)")
    #expect(all.filter { $0.contains("/commit/") && $0.hasPrefix("POST") }.count == 1)
    #expect(all.last.map { $0.hasPrefix("GET") } == true, "the hub is asked what it has then")
  }

  @Test func theTokenGoesToTheHubAndNeverToTheStorage() throws {
    let ground = try PushGround { $0.multipartFrom = 40_000 }
    try ground.push(ground.folder())
    let (hub, storage) = (
      ground.standIn.requests.filter { $0.server == .hub },
      ground.standIn.requests.filter { $0.server == .storage }
    )
    #expect(!storage.isEmpty)
    #expect(storage.allSatisfy { $0.authorization == nil && !$0.target.contains(PushGround.token) })
    // The address that ends an upload in parts is signed, as those of the storage are.
    let asked = hub.filter { !$0.path.contains("complete_multipart") }
    #expect(asked.allSatisfy { $0.authorization == "Bearer \(PushGround.token)" })
  }

  @Test func pushingTheSameAgainCommitsNothing() throws {
    let ground = try PushGround()
    let folder = try ground.folder()
    let first = try ground.push(folder)
    ground.standIn.forgetRequests()
    let again = try ground.push(folder, overwrites: true)
    #expect(!again.isNew)
    #expect(again.commit == first.commit)
    #expect(again.unchanged == PushGround.model.count)
    #expect(!ground.requests.contains { $0.hasPrefix("PUT") || $0.contains("/commit/main") })
    let target = try ground.hub().target("org/new", refusesModels: false)
    #expect(try ground.hub().holds(HubFolder(folder), target))
  }

  @Test func whatArrivedBeforeAPushFailedIsNotSentAgain() throws {
    let ground = try PushGround()
    let folder = try ground.folder()
    ground.standIn.fail(.init(method: "POST", path: "/commit/"), with: .status(503), times: 3)
    #expect(failure { try ground.push(folder) } != nil)
    #expect(ground.standIn.commits(of: "org/new").count == 1)
    ground.standIn.forgetRequests()
    let pushed = try ground.push(folder)
    #expect(!ground.requests.contains { $0.hasPrefix("PUT") })
    #expect(pushed.sentBytes == 0)
    #expect(ground.files() == PushGround.model)
  }

  @Test func aCommitWhoseAnswerIsLostIsFoundAndNotMadeTwice() throws {
    let ground = try PushGround()
    ground.standIn.fail(.init(method: "POST", path: "/commit/"), with: .cut(after: 3))
    let pushed = try ground.push(ground.folder())
    #expect(ground.standIn.commits(of: "org/new").map(\.oid).first == pushed.commit)
    #expect(ground.standIn.commits(of: "org/new").count == 2)
    #expect(ground.files() == PushGround.model)
  }

  @Test func theHubsTroubleIsWaitedFor() throws {
    let ground = try PushGround()
    ground.standIn.fail(.storage, with: .status(500), times: 2)
    ground.standIn.fail(.path("preupload"), with: .tooMany(retryAfter: 0))
    ground.standIn.fail(.path("/objects/batch"), with: .status(503))
    ground.standIn.fail(.path("verify"), with: .reset)
    try ground.push(ground.folder())
    #expect(ground.files() == PushGround.model)
  }

  @Test func addressesThatRanOutAreAskedForAgain() throws {
    let ground = try PushGround {
      $0.multipartFrom = 40_000
      $0.partSize = 16_384
    }
    ground.standIn.fail(.init(server: .storage, method: "PUT"), with: .expired, times: 2)
    try ground.push(ground.folder())
    #expect(ground.files() == PushGround.model)
    #expect(ground.requests.filter { $0.hasSuffix("/objects/batch") }.count == 2)
  }

  @Test func theSameContentUnderTwoNamesIsSentOnce() throws {
    let ground = try PushGround()
    let bytes = PushGround.noise(5000, 9)
    let files = ["one.safetensors": bytes, "two.safetensors": bytes]
    try ground.push(ground.folder(files))
    #expect(ground.files() == files)
    #expect(ground.requests.filter { $0.hasPrefix("PUT") }.count == 1)
  }

  @Test func moreFilesThanOneQuestionHoldsAreAskedAboutInTwo() throws {
    let ground = try PushGround()
    var files: [String: [UInt8]] = [:]
    for number in 0..<300 { files["part-\(number).json"] = Array("\(number)".utf8) }
    try ground.push(ground.folder(files))
    #expect(ground.files() == files)
    #expect(ground.requests.filter { $0.contains("/preupload/") }.count == 2)
  }

  @Test func aNameAloneMeansOnesOwn() throws {
    let ground = try PushGround()
    let pushed = try ground.push(ground.folder(), to: "new")
    #expect(pushed.repository.name == "someone/new")
    #expect(ground.files(of: "someone/new") == PushGround.model)
  }

  @Test func aPrivateRepositoryIsMadePrivate() throws {
    let ground = try PushGround()
    try ground.push(ground.folder(), isPrivate: true)
    #expect(ground.standIn.access(of: "org/new") == .private)
    try ground.push(ground.folder(), to: "org/open")
    #expect(ground.standIn.access(of: "org/open") == .open)
  }

  @Test func aBranchThatIsNotThereIsMade() throws {
    let ground = try PushGround()
    try ground.standIn.put("org/new", files: ["config.json": "{}", "old.safetensors": "x"])
    let pushed = try ground.push(ground.folder(), to: "org/new@trial%2Fone")
    #expect(pushed.branch == "trial/one")
    #expect(ground.files(revision: "trial/one") == PushGround.model)
    #expect(ground.files().keys.sorted() == ["config.json", "old.safetensors"])
  }

  @Test func aNewRepositorysBranchIsMadeToo() throws {
    let ground = try PushGround()
    try ground.push(ground.folder(), to: "hf://org/new@trial")
    #expect(ground.files(revision: "trial") == PushGround.model)
    #expect(ground.files() == [:])
  }
}
