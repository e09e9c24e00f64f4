import Foundation
import Hub
import HubStandIn
import Support
import Testing

/// What the hub refuses, and what becomes of it when it cannot be asked.
@Suite struct HubAnswerTests {
  // MARK: Without the hub

  @Test func aHubThatCannotBeReachedIsReplacedByTheCacheWithANote() throws {
    try Bench.with { bench in
      let commit = try bench.putModel()
      _ = try bench.hub().snapshot(model, everything)
      try bench.standIn.refuse()
      let snapshot = try bench.hub().snapshot(model, everything)
      #expect(snapshot.commit == commit)
      #expect(snapshot.notes.count == 1)
      #expect(snapshot.notes.first?.contains("cannot be reached") == true)
    }
  }

  @Test func whatTheCacheHasInPartReplacesNothing() throws {
    try Bench.with { bench in
      _ = try bench.putModel()
      _ = try bench.hub().snapshot(model, .files(include: ["config.json"], exclude: []))
      try bench.standIn.refuse()
      guard case .http(.unreachable) = bench.error() else {
        Issue.record("took a part for the whole")
        return
      }
    }
  }

  @Test func aRefusedUserIsGivenWhatIsThereAndToldOfTheRefusal() throws {
    try Bench.with { bench in
      _ = try bench.putModel()
      _ = try bench.hub().snapshot(model, everything)
      bench.standIn.set("org/name", access: .private)
      let snapshot = try bench.hub { $0.token = nil }.snapshot(model, everything)
      #expect(snapshot.notes.first?.contains("has no model org/name") == true)
    }
  }

  @Test func aRevisionThatIsGoneIsNotReplacedByTheCache() throws {
    try Bench.with { bench in
      let commit = try bench.putModel()
      bench.standIn.tag("org/name", "v1", at: commit)
      let tagged = HubReference(HubRepository("org/name"), revision: "v1")
      _ = try bench.hub().snapshot(tagged, everything)
      bench.standIn.delete("org/name")
      _ = try bench.putModel()
      guard case .noRevision(_, "v1", let known) = bench.error(tagged) else {
        Issue.record("took the cache")
        return
      }
      #expect(known == ["main"])
    }
  }

  @Test func offlineNoConnectionIsMade() throws {
    try Bench.with { bench in
      _ = try bench.putModel()
      _ = try bench.hub().snapshot(model, everything)
      let before = bench.standIn.connectionCount
      let hub = bench.hub { $0.offline = HubSettings.Offline(variable: "HF_HUB_OFFLINE") }
      #expect(try hub.snapshot(model, everything).files.count == 2)
      let other = HubReference(HubRepository("org/other"))
      let error = try #require(
        failure { () throws(HubError) in try hub.snapshot(other, everything) })
      guard case .offline("HF_HUB_OFFLINE", _, _, _) = error else {
        Issue.record("\(error)")
        return
      }
      #expect("\(error)".contains("HF_HUB_OFFLINE"))
      let listing = failure { () throws(HubError) in try hub.listing(HubRepository("org/other")) }
      guard case .offline = listing else {
        Issue.record("\(String(describing: listing))")
        return
      }
      #expect(bench.standIn.connectionCount == before)
    }
  }

  // MARK: Refusals

  @Test func aGatedModelSaysHowToGetIn() throws {
    try Bench.with { bench in
      _ = try bench.putModel()
      bench.standIn.set("org/name", access: .gated)
      let stranger = try #require(
        failure { () throws(HubError) in
          try bench.hub { $0.token = nil }.snapshot(model, everything)
        })
      #expect("\(stranger)".contains("\(bench.standIn.endpoint)/org/name"))
      #expect("\(stranger)".contains("hf auth login"))
      #expect("\(stranger)".contains("HF_TOKEN"))
      let known = try #require(bench.error())
      guard case .gated(_, _, "HF_TOKEN") = known else {
        Issue.record("\(known)")
        return
      }
      #expect("\(known)".contains("the token in HF_TOKEN"))
    }
  }

  @Test func anUnknownTokenIsNamedByWhereItLies() throws {
    try Bench.with { bench in
      _ = try bench.putModel()
      let hub = bench.hub {
        $0.token = HubToken(value: "hf_wrongwrongwrong", source: "/home/me/token")
      }
      let error = try #require(
        failure { () throws(HubError) in try hub.snapshot(model, everything) })
      guard case .badToken("/home/me/token", _) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(!"\(error)".contains("hf_wrong"))
    }
  }

  @Test func repositoryRevisionAndFileAreToldApart() throws {
    try Bench.with { bench in
      let commit = try bench.putModel()
      guard case .noRepository = bench.error(HubReference(HubRepository("org/nothing"))) else {
        Issue.record("a repository")
        return
      }
      let branch = HubReference(HubRepository("org/name"), revision: "mian")
      guard case .noRevision(_, "mian", ["main"]) = bench.error(branch) else {
        Issue.record("a revision")
        return
      }
      let file = failure { () throws(HubError) in
        try bench.hub().snapshot(model, .files(include: ["cofig.json"], exclude: []))
      }
      guard case .noFile(_, "main", "cofig.json", let known) = file else {
        Issue.record("a file")
        return
      }
      #expect(known.contains("config.json"))
      let mark = bench.repository.appending(path: ".no_exist/\(commit)/cofig.json")
      #expect(FileManager.default.fileExists(atPath: mark.path))
      let folder = HubReference(HubRepository("org/name"), path: "no/such")
      guard case .noFile(_, _, "no/such", _) = bench.error(folder) else {
        Issue.record("a folder")
        return
      }
    }
  }

  @Test(arguments: [403, 418, 429, 500, 503])
  func anyOtherRefusalIsGivenWithItsStatusAndWords(_ status: Int) throws {
    try Bench.with { bench in
      _ = try bench.putModel()
      bench.standIn.fail(
        .path("/revision/"), with: .status(status, message: "The words of the hub"), times: .max)
      let text = "\(try #require(bench.error()))"
      #expect(text.contains("The words of the hub"))
      if status != 403 { #expect(text.contains("\(status)")) }
    }
  }

  @Test func noErrorShowsTheToken() throws {
    try Bench.with { bench in
      let commit = try bench.putModel()
      let faults: [(String, HubStandIn.Fault)] = [
        ("/revision/", .status(418, message: "Your token is \(Bench.token)!")),
        ("/revision/", .answer(500, body: Array(#"{"error":"\#(Bench.token)"}"#.utf8))),
        ("/revision/", .status(403, message: "Not with \(Bench.token)")),
        ("/tree/", .answer(302, headers: ["Location": "ftp://\(Bench.token)@x/"])),
        (
          "/resolve/",
          .answer(302, headers: ["Location": "\(bench.standIn.storage)/x?token=\(Bench.token)"])
        ),
      ]
      for (path, fault) in faults {
        bench.standIn.forgetFaults()
        bench.standIn.fail(.path(path), with: fault, times: .max)
        let text = "\(try #require(bench.error()))"
        #expect(!text.contains(Bench.token), "\(text) \(commit)")
      }
      for request in bench.standIn.requests where request.server == .storage {
        #expect(request.authorization == nil)
      }
    }
  }

  @Test func aRenamedRepositoryIsFollowed() throws {
    try Bench.with { bench in
      _ = try bench.putModel()
      bench.standIn.rename("org/name", to: "org/new")
      let snapshot = try bench.hub().snapshot(model, everything)
      #expect(snapshot.files.count == 2)
    }
  }
}
