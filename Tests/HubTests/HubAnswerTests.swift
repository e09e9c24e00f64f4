import Foundation
import Hub
import HubStandIn
import Support
import Testing

/// What the hub tells, refuses, or lies about.
@Suite struct HubAnswerTests {
  private func put(_ bench: Bench) throws -> String {
    try bench.standIn.put(
      "org/name",
      files: ["config.json": "{}", "model.safetensors": .bytes(bytes(9000), large: true)])
  }

  private func error(_ bench: Bench, _ reference: HubReference = model) -> HubError? {
    failure { () throws(HubError) in try bench.hub().snapshot(reference, everything) }
  }

  // MARK: Listings

  @Test func aListingOfManyPagesIsReadToItsEnd() throws {
    var settings = HubStandIn.Settings()
    settings.pageSize = 3
    try Bench.with(settings) { bench in
      let files = (0..<20).map { ("f\($0)", HubStandIn.Contents.text("\($0)")) }
      try bench.standIn.put("org/name", files: Dictionary(uniqueKeysWithValues: files))
      let listing = try bench.hub().listing(HubRepository("org/name"))
      #expect(listing.files.map(\.path) == files.map(\.0).sorted())
    }
  }

  @Test func aNextPageElsewhereIsNotAskedFor() throws {
    try Bench.with { bench in
      _ = try put(bench)
      for address in [
        bench.standIn.storage + "/page", "https://elsewhere.example/x", "//elsewhere.example/y",
      ] {
        bench.standIn.forgetFaults()
        bench.standIn.fail(
          .path("/tree/"), with: .header("Link", "<\(address)>; rel=\"next\""), times: .max)
        guard case .badAnswer = error(bench) else {
          Issue.record("followed \(address)")
          return
        }
      }
      #expect(!bench.standIn.requests.contains { $0.server == .storage })
    }
  }

  @Test func pagesThatGoRoundInACircleEnd() throws {
    try Bench.with { bench in
      let commit = try put(bench)
      bench.standIn.fail(
        .path("/tree/"),
        with: .header(
          "Link", "</api/models/org/name/tree/\(commit)?recursive=true&expand=false>; rel=\"next\""),
        times: .max)
      guard case .badAnswer = error(bench) else {
        Issue.record("no end")
        return
      }
    }
  }

  @Test func pathsThatLeadOutOfTheFolderAreRefused() throws {
    for path in ["../../evil", "/etc/evil", "a/../../../evil", "..\\evil"] {
      try Bench.with { bench in
        let commit = try put(bench)
        try bench.answerTree(
          commit,
          [
            [
              "type": "file", "path": path, "size": 1, "oid": String(repeating: "a", count: 40),
            ]
          ])
        guard case .badAnswer(_, let reason) = error(bench) else {
          Issue.record("took \(path)")
          return
        }
        #expect(reason.contains("evil"))
        let found = try FileManager.default.subpathsOfDirectory(atPath: bench.folder.path)
        #expect(!found.contains { $0.contains("evil") })
      }
    }
  }

  @Test func namesThatNotEverySystemHasAreLeftOutWithANote() throws {
    try Bench.with { bench in
      let commit = try put(bench)
      let config = try bench.hub().listing(HubRepository("org/name")).files[0]
      try FileManager.default.removeItem(at: bench.repository)
      try bench.answerTree(
        commit,
        [
          ["type": "file", "path": "config.json", "size": config.size, "oid": config.blob],
          ["type": "file", "path": "C:evil", "size": 1, "oid": config.blob],
          ["type": "file", "path": "a\\b", "size": 1, "oid": config.blob],
          ["type": "directory", "path": "sub", "size": 0, "oid": config.blob],
        ])
      let snapshot = try bench.hub().snapshot(model, everything)
      #expect(snapshot.files.map(\.path) == ["config.json"])
      #expect(snapshot.notes.count == 1)
      #expect(snapshot.notes.first?.contains("C:evil") == true)
      // Python would take the listing for whole.
      #expect(names(in: bench.repository.appending(path: "trees")) == [])
    }
  }

  @Test(arguments: [
    #"[{"type":"file","path":"a","size":-1,"oid":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]"#,
    #"[{"type":"file","path":"a","size":"1","oid":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]"#,
    #"[{"type":"file","path":"a","size":99999999999999999999,"oid":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]"#,
    #"[{"type":"file","path":"a","size":1,"oid":"../../../../../../../../../etc/passwdxx"}]"#,
    #"[{"type":"file","path":"a","size":1,"oid":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","lfs":{"oid":"short","size":1}}]"#,
    #"[{"type":"file","size":1,"oid":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]"#,
    #"{"files":[]}"#, "[[[[", "<html>Please log in</html>", "", "[1, 2]",
    #"[{"type":"file","path":"a","size":1,"oid":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},{"type":"file","path":"a","size":1,"oid":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]"#,
  ])
  func aListingThatCannotBeIsRefusedWithItsReason(_ text: String) throws {
    try Bench.with { bench in
      _ = try put(bench)
      bench.standIn.fail(.path("/tree/"), with: .answer(200, body: Array(text.utf8)), times: .max)
      guard case .badAnswer(let url, _) = error(bench) else {
        Issue.record("took \(text)")
        return
      }
      #expect(url.hasPrefix(bench.standIn.endpoint))
    }
  }

  @Test func aDescriptionWithoutACommitIsRefused() throws {
    try Bench.with { bench in
      _ = try put(bench)
      for text in [#"{"sha": "../../x"}"#, "{}", "[]", #"{"sha": 7}"#] {
        bench.standIn.forgetFaults()
        bench.standIn.fail(
          .path("/revision/"), with: .answer(200, body: Array(text.utf8)), times: .max)
        guard case .badAnswer = error(bench) else {
          Issue.record("took \(text)")
          return
        }
      }
    }
  }

  // MARK: Hubs that know less

  @Test func aMirrorWithoutTreesTellsTheFilesOtherwise() throws {
    try Bench.with { bench in
      _ = try put(bench)
      bench.standIn.fail(
        .path("/tree/"), with: .answer(404, body: Array("Not Found".utf8)), times: .max)
      let snapshot = try bench.hub().snapshot(model, everything)
      #expect(snapshot.files.map(\.path) == ["config.json", "model.safetensors"])
      #expect(
        FileManager.default.contents(atPath: "\(snapshot.folder)/model.safetensors")
          == Data(bytes(9000)))
    }
  }

  @Test func aMirrorThatTellsOnlyNamesIsAskedForEachFilesHead() throws {
    try Bench.with { bench in
      let commit = try put(bench)
      bench.standIn.fail(.path("/tree/"), with: .answer(404), times: .max)
      let text =
        #"{"sha":"\#(commit)","siblings":[{"rfilename":"config.json"},{"rfilename":"model.safetensors"}]}"#
      bench.standIn.fail(
        .path("/revision/"), with: .answer(200, body: Array(text.utf8)), times: .max)
      let snapshot = try bench.hub().snapshot(model, everything)
      #expect(snapshot.files.map(\.size) == [2, 9000])
      #expect(snapshot.files[1].sha256 == sha256(bytes(9000)))
      let heads = bench.standIn.requests.filter { $0.method == "HEAD" }
      #expect(heads.count == 2)
      #expect(heads.allSatisfy { $0.server == .hub })
    }
  }

  /// Where a wrong size may stand.
  enum Liar: CaseIterable { case listing, head, body }

  @Test(arguments: Liar.allCases, [8999, 9001, 0])
  func aSizeThatIsNotSoIsFoundOut(_ liar: Liar, _ size: Int) throws {
    try Bench.with { bench in
      let commit = try put(bench)
      let oid = String(repeating: "b", count: 40)
      switch liar {
      case .listing:
        try bench.answerTree(
          commit,
          [
            [
              "type": "file", "path": "model.safetensors", "size": size, "oid": oid,
              "lfs": ["oid": sha256(bytes(9000)), "size": size],
            ]
          ])
      case .head:
        bench.standIn.fail(.path("/tree/"), with: .answer(404), times: .max)
        let text = #"{"sha":"\#(commit)","siblings":[{"rfilename":"model.safetensors"}]}"#
        bench.standIn.fail(
          .path("/revision/"), with: .answer(200, body: Array(text.utf8)), times: .max)
        bench.standIn.fail(
          .init(server: .hub, method: "HEAD"), with: .header("X-Linked-Size", "\(size)"),
          times: .max)
      case .body:
        try bench.answerTree(
          commit,
          [
            [
              "type": "file", "path": "model.safetensors", "size": 9000, "oid": oid,
              "lfs": ["oid": sha256(bytes(9000)), "size": 9000],
            ]
          ])
        bench.standIn.fail(
          .storage, with: .answer(200, body: bytes(size, 5)), times: .max)
      }
      let error = try #require(
        failure { () throws(HubError) in
          try bench.hub { $0.attempts = 2 }.snapshot(model, everything)
        })
      switch error {
      case .corrupt, .tooShort, .tooLong, .http(.brokenOff): break
      default: Issue.record("\(error)")
      }
      // Nothing that is wrong has got a name.
      #expect(names(in: bench.repository.appending(path: "snapshots")) == [])
      #expect(names(in: bench.repository.appending(path: "refs")) == [])
    }
  }

  // MARK: Without the hub

  @Test func aHubThatCannotBeReachedIsReplacedByTheCacheWithANote() throws {
    try Bench.with { bench in
      let commit = try put(bench)
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
      _ = try put(bench)
      _ = try bench.hub().snapshot(model, .files(include: ["config.json"], exclude: []))
      try bench.standIn.refuse()
      guard case .http(.unreachable) = error(bench) else {
        Issue.record("took a part for the whole")
        return
      }
    }
  }

  @Test func aRefusedUserIsGivenWhatIsThereAndToldOfTheRefusal() throws {
    try Bench.with { bench in
      _ = try put(bench)
      _ = try bench.hub().snapshot(model, everything)
      bench.standIn.set("org/name", access: .private)
      let snapshot = try bench.hub { $0.token = nil }.snapshot(model, everything)
      #expect(snapshot.notes.first?.contains("has no model org/name") == true)
    }
  }

  @Test func aRevisionThatIsGoneIsNotReplacedByTheCache() throws {
    try Bench.with { bench in
      let commit = try put(bench)
      bench.standIn.tag("org/name", "v1", at: commit)
      let tagged = HubReference(HubRepository("org/name"), revision: "v1")
      _ = try bench.hub().snapshot(tagged, everything)
      bench.standIn.delete("org/name")
      _ = try put(bench)
      guard case .noRevision(_, "v1", let known) = error(bench, tagged) else {
        Issue.record("took the cache")
        return
      }
      #expect(known == ["main"])
    }
  }

  @Test func offlineNoConnectionIsMade() throws {
    try Bench.with { bench in
      _ = try put(bench)
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
      _ = try put(bench)
      bench.standIn.set("org/name", access: .gated)
      let stranger = try #require(
        failure { () throws(HubError) in
          try bench.hub { $0.token = nil }.snapshot(model, everything)
        })
      #expect("\(stranger)".contains("\(bench.standIn.endpoint)/org/name"))
      #expect("\(stranger)".contains("hf auth login"))
      #expect("\(stranger)".contains("HF_TOKEN"))
      let known = try #require(error(bench))
      guard case .gated(_, _, "HF_TOKEN") = known else {
        Issue.record("\(known)")
        return
      }
      #expect("\(known)".contains("the token in HF_TOKEN"))
    }
  }

  @Test func anUnknownTokenIsNamedByWhereItLies() throws {
    try Bench.with { bench in
      _ = try put(bench)
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
      let commit = try put(bench)
      guard case .noRepository = error(bench, HubReference(HubRepository("org/nothing"))) else {
        Issue.record("a repository")
        return
      }
      let branch = HubReference(HubRepository("org/name"), revision: "mian")
      guard case .noRevision(_, "mian", ["main"]) = error(bench, branch) else {
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
      guard case .noFile(_, _, "no/such", _) = error(bench, folder) else {
        Issue.record("a folder")
        return
      }
    }
  }

  @Test(arguments: [403, 418, 429, 500, 503])
  func anyOtherRefusalIsGivenWithItsStatusAndWords(_ status: Int) throws {
    try Bench.with { bench in
      _ = try put(bench)
      bench.standIn.fail(
        .path("/revision/"), with: .status(status, message: "The words of the hub"), times: .max)
      let text = "\(try #require(error(bench)))"
      #expect(text.contains("The words of the hub"))
      if status != 403 { #expect(text.contains("\(status)")) }
    }
  }

  @Test func noErrorShowsTheToken() throws {
    try Bench.with { bench in
      let commit = try put(bench)
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
        let text = "\(try #require(error(bench)))"
        #expect(!text.contains(Bench.token), "\(text) \(commit)")
      }
      for request in bench.standIn.requests where request.server == .storage {
        #expect(request.authorization == nil)
      }
    }
  }

  @Test func aRenamedRepositoryIsFollowed() throws {
    try Bench.with { bench in
      _ = try put(bench)
      bench.standIn.rename("org/name", to: "org/new")
      let snapshot = try bench.hub().snapshot(model, everything)
      #expect(snapshot.files.count == 2)
    }
  }
}
