import Hub
import JSON
import Support
import Testing

/// What a text names on the hub, held against huggingface_hub's own parser.
@Suite struct ReferenceFormsTests {
  static let fixture = HubFixtures.object("references")

  /// What huggingface_hub reads and is refused here: these hold no models.
  static let refused = [
    "hf://kernels/org/name", "hf://buckets/org/name/x", "https://huggingface.co/buckets/org/name",
  ]

  /// What is read here besides: the oldest repositories have one name.
  static let besides = [
    "hf://org@main/x": HubReference(HubRepository("org"), revision: "main", path: "x")
  ]

  @Test func everyFormMeansWhatItMeansToPython() throws {
    let cases = Self.fixture["cases"]?.array ?? []
    let endpoint = Self.fixture["endpoint"]?.string ?? ""
    #expect(cases.count > 70)
    for sample in cases {
      let text = sample.object?["text"]?.string ?? ""
      var wanted: HubReference?
      if let said = sample.object?["reference"]?.object,
        let kind = said["kind"]?.string.flatMap(HubRepository.Kind.init(rawValue:))
      {
        wanted = HubReference(
          HubRepository(said["name"]?.string ?? "", kind: kind), revision: said["revision"]?.string,
          path: said["path"]?.string ?? "")
      }
      if let ours = Self.besides[text] { wanted = ours }
      if Self.refused.contains(text) { wanted = nil }
      let found = try? HubReference(parsing: text, endpoint: endpoint)
      #expect(found == wanted, "\(text)")
    }
  }

  @Test func aNameNeedsNoScheme() throws {
    let plain = try HubReference(parsing: "org/name")
    #expect(plain == HubReference(HubRepository("org/name")))
    #expect(try HubReference(parsing: "gpt2") == HubReference(HubRepository("gpt2")))
    #expect(try HubReference(parsing: "hf://gpt2") == HubReference(HubRepository("gpt2")))
    let tagged = try HubReference(parsing: "org/name@v1.0")
    #expect(tagged.revision == "v1.0" && tagged.repository.name == "org/name")
    #expect(try HubReference(parsing: "org/name@refs/pr/1").revision == "refs/pr/1")
    #expect(try HubReference(parsing: "org/name@feature%2Fx").revision == "feature/x")
    #expect(try HubReference(parsing: "org/name@v1/sub").path == "sub")
  }

  @Test func anOptionNamesTheRevisionWhereTheTextDoesNot() throws {
    #expect(try HubReference(parsing: "org/name", revision: "v1").revision == "v1")
    #expect(try HubReference(parsing: "org/name@v1", revision: "v1").revision == "v1")
    #expect(try HubReference(parsing: "org/name", revision: "feature/x").revision == "feature/x")
    #expect(throws: HubError.self) { try HubReference(parsing: "org/name@v1", revision: "v2") }
    for revision in ["", "..", "../x", "a/../b", "/etc", ".", "a\\b", "a\nb"] {
      #expect(throws: HubError.self) { try HubReference(parsing: "org/name", revision: revision) }
    }
  }

  @Test(arguments: [
    "", " ", "a/b/c", "a//b", "/a", "a/", "hf://../x", "hf://a/..", "hf:///x", "org/na me",
    "org/tiny@",
    "org/tiny@../x", "org/tiny@a//b", "org/tiny@/etc", "org/tiny@.", "org/tiny@v1/../../x",
    "hf://org/name@v1/../x", "hf://org/name/..", "hf://org/name/a\\b", "hf://org/name/C:x",
    "hf://org/name@%2e%2e", "hf://org/name@%2Fetc", "hf://org/name@a%00b", "org/\u{E9}t\u{E9}",
    "https://huggingface.co/org/name/blob/main/../../x",
    "https://huggingface.co/org/name/blob/main/%2e%2e/x",
    "https://", "http://[::1", "@", "hf://@", "-/-",
  ]) func whatIsNoReferenceIsRefused(_ text: String) {
    #expect {
      try HubReference(parsing: text)
    } throws: {
      guard case HubError.badReference(text, let reason)? = $0 as? HubError else { return false }
      return !reason.isEmpty
    }
  }

  @Test(arguments: [
    "org/name", "gpt2", "org/name@v1.0", "org/name@refs/pr/3", "org/name@feature%2Fx",
    "hf://datasets/org/name", "hf://datasets/org/name@v1/a.txt", "hf://org/name/sub/dir",
    "hf://spaces/org/name@refs/convert/parquet/x",
  ]) func aReferenceIsReadBackFromItsText(_ text: String) throws {
    let reference = try HubReference(parsing: text)
    #expect("\(reference)" == text)
    #expect(try HubReference(parsing: "\(reference)") == reference)
  }

  @Test func pathsThatLeaveTheirFolderAreRefused() {
    for path in [
      "..", "../x", "a/../x", "/etc/passwd", "a//b", "a/", "./a", "", "a\0b", "a\\b", "C:/x",
      "a/c:x",
      "a\nb", String(repeating: "x", count: 256),
    ] {
      #expect(!HubPath.isSafe(path), "\(path)")
    }
    for path in [
      "a", "a/b/c.txt", ".gitattributes", "a..b", "überall.txt", "a b", "...", "aa:b/cc:d",
    ] {
      #expect(HubPath.isSafe(path), "\(path)")
    }
  }
}
