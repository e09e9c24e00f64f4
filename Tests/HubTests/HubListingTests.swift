import Foundation
import Hub
import HubStandIn
import Support
import Testing

/// What the hub lists, and what of it cannot be so.
@Suite struct HubListingTests {
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
      _ = try bench.putModel()
      for address in [
        bench.standIn.storage + "/page", "https://elsewhere.example/x", "//elsewhere.example/y",
      ] {
        bench.standIn.forgetFaults()
        bench.standIn.fail(
          .path("/tree/"), with: .header("Link", "<\(address)>; rel=\"next\""), times: .max)
        guard case .badAnswer = bench.error() else {
          Issue.record("followed \(address)")
          return
        }
      }
      #expect(!bench.standIn.requests.contains { $0.server == .storage })
    }
  }

  @Test func pagesThatGoRoundInACircleEnd() throws {
    try Bench.with { bench in
      let commit = try bench.putModel()
      bench.standIn.fail(
        .path("/tree/"),
        with: .header(
          "Link", "</api/models/org/name/tree/\(commit)?recursive=true&expand=false>; rel=\"next\""),
        times: .max)
      guard case .badAnswer = bench.error() else {
        Issue.record("no end")
        return
      }
    }
  }

  @Test func pathsThatLeadOutOfTheFolderAreRefused() throws {
    for path in ["../../evil", "/etc/evil", "a/../../../evil", "..\\evil"] {
      try Bench.with { bench in
        let commit = try bench.putModel()
        try bench.answerTree(
          commit,
          [
            [
              "type": "file", "path": path, "size": 1, "oid": String(repeating: "a", count: 40),
            ]
          ])
        guard case .badAnswer(_, let reason) = bench.error() else {
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
      let commit = try bench.putModel()
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
      _ = try bench.putModel()
      bench.standIn.fail(.path("/tree/"), with: .answer(200, body: Array(text.utf8)), times: .max)
      guard case .badAnswer(let url, _) = bench.error() else {
        Issue.record("took \(text)")
        return
      }
      #expect(url.hasPrefix(bench.standIn.endpoint))
    }
  }

  @Test func aDescriptionWithoutACommitIsRefused() throws {
    try Bench.with { bench in
      _ = try bench.putModel()
      for text in [#"{"sha": "../../x"}"#, "{}", "[]", #"{"sha": 7}"#] {
        bench.standIn.forgetFaults()
        bench.standIn.fail(
          .path("/revision/"), with: .answer(200, body: Array(text.utf8)), times: .max)
        guard case .badAnswer = bench.error() else {
          Issue.record("took \(text)")
          return
        }
      }
    }
  }

  // MARK: Hubs that know less

  @Test func aMirrorWithoutTreesTellsTheFilesOtherwise() throws {
    try Bench.with { bench in
      _ = try bench.putModel()
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
      let commit = try bench.putModel()
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
  enum Liar: CaseIterable { case listing, head, body, listingAndBody, headAndBody }

  @Test(arguments: Liar.allCases, [8999, 9001, 0])
  func aSizeThatIsNotSoIsFoundOut(_ liar: Liar, _ size: Int) throws {
    try Bench.with { bench in
      let commit = try bench.putModel()
      let oid = String(repeating: "b", count: 40)
      if [.body, .listingAndBody, .headAndBody].contains(liar) {
        bench.standIn.fail(.storage, with: .answer(200, body: bytes(size, 5)), times: .max)
      }
      if [.head, .headAndBody].contains(liar) {
        bench.standIn.fail(.path("/tree/"), with: .answer(404), times: .max)
        let text = #"{"sha":"\#(commit)","siblings":[{"rfilename":"model.safetensors"}]}"#
        bench.standIn.fail(
          .path("/revision/"), with: .answer(200, body: Array(text.utf8)), times: .max)
        bench.standIn.fail(
          .init(server: .hub, method: "HEAD"), with: .header("X-Linked-Size", "\(size)"),
          times: .max)
      } else {
        let listed = liar == .body ? 9000 : size
        try bench.answerTree(
          commit,
          [
            [
              "type": "file", "path": "model.safetensors", "size": listed, "oid": oid,
              "lfs": ["oid": sha256(bytes(9000)), "size": listed],
            ]
          ])
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
}
