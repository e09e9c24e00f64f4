import Foundation
import Hub
import HubStandIn
import Support
import Synchronization
import Testing

/// One file on its way, as whoever reads it while it arrives sees it.
@Suite struct HubFetchTests {
  private static let size = 3_000_000

  private func withFetch(_ body: (Bench, HubFetch) throws -> Void) throws {
    try Bench.with { bench in
      try bench.standIn.put(
        "org/name", files: ["model.safetensors": .bytes(bytes(Self.size), large: true)])
      let hub = bench.hub()
      let listing = try hub.listing(HubRepository("org/name"))
      try body(bench, HubFetch(hub, listing, listing.files[0]))
    }
  }

  @Test func theFirstBytesComeAloneAndTheRestBehindThem() throws {
    try withFetch { bench, fetch in
      #expect(fetch.available == 0)
      try fetch.run(atLeast: 8)
      #expect(fetch.available >= 8 && fetch.available < 1000)
      try fetch.run(atLeast: 100_000)
      #expect(fetch.available >= 100_000 && fetch.available < 200_000)
      let beginning = try Data(contentsOf: URL(filePath: fetch.place))
      #expect(beginning == Data(bytes(Self.size).prefix(fetch.available)))
      #expect(!fetch.isDone)
      // They are there.
      let none = try bench.asked { try fetch.run(atLeast: 50_000) }
      #expect(none == [])
      try fetch.run()
      #expect(fetch.isDone)
      #expect(fetch.available == Self.size)
      #expect(try Data(contentsOf: URL(filePath: fetch.place)) == Data(bytes(Self.size)))
      #expect(bench.stored == Self.size)
      #expect(fetch.restarts == 0)
    }
  }

  @Test func moreThanThereIsMeansAllOfIt() throws {
    try withFetch { _, fetch in
      try fetch.run(atLeast: .max)
      #expect(fetch.isDone)
    }
  }

  @Test func whatProvesWrongIsCountedForWhoHasReadIt() throws {
    try withFetch { bench, fetch in
      bench.standIn.fail(.storage, with: .corrupt(at: 5))
      try fetch.run()
      #expect(fetch.restarts == 1)
    }
  }

  @Test func bytesCanBeReadWhileTheyArrive() throws {
    try withFetch { bench, fetch in
      bench.standIn.fail(.storage, with: .slow(bytesPerSecond: 15_000_000))
      let group = DispatchGroup()
      DispatchQueue(label: "fetch").async(group: group) { try? fetch.run() }
      var seen: [Int] = []
      while !fetch.isDone {
        let count = fetch.available
        if let there = FileManager.default.contents(atPath: fetch.place) {
          #expect(there.count >= count)
          #expect(there.prefix(count) == Data(bytes(Self.size)).prefix(count))
        }
        if seen.last != count { seen.append(count) }
        usleep(5000)
      }
      group.wait()
      #expect(seen.count > 3)
      #expect(seen == seen.sorted())
    }
  }

  @Test func waitsAreShownWithTheirReason() throws {
    try Bench.with { bench in
      try bench.standIn.put(
        "org/name", files: ["model.safetensors": .bytes(bytes(1000), large: true)])
      bench.standIn.fail(.path("/revision/"), with: .status(503))
      bench.standIn.fail(.storage, with: .tooMany(retryAfter: 0))
      let seen = Mutex<(activities: Set<String>, states: [HubProgress.State])>(([], []))
      let watcher = Watcher { progress in
        while progress.files.first?.state != .done {
          let (activity, state) = (progress.activity, progress.files.first?.state)
          seen.withLock {
            if let activity { $0.activities.insert(activity) }
            if let state { $0.states.append(state) }
          }
          usleep(5000)
        }
      }
      _ = try bench.hub(watching: watcher) { $0.firstWait = 0.3 }.snapshot(model, everything)
      let (activities, states) = seen.withLock { ($0.activities, $0.states) }
      #expect(activities.contains { $0.hasSuffix("org/name: status 503; attempt 2 of 4 in 1 s") })
      #expect(
        states.contains { state in
          guard case .retrying(2, of: 4, _, "too many requests") = state else { return false }
          return true
        })
    }
  }

  @Test func addressesAreQuotedAsPythonQuotesThem() {
    // Made with urllib.parse.quote of Python 3.11.
    let wanted = [
      ("a b/c#d?e%f&g+h=i~j_k-l.m", "a%20b/c%23d%3Fe%25f%26g%2Bh%3Di~j_k-l.m"),
      (
        "é漢\u{1F600}\"'()*,:;<>@[]^`{|}",
        "%C3%A9%E6%BC%A2%F0%9F%98%80%22%27%28%29%2A%2C%3A%3B%3C%3E%40%5B%5D%5E%60%7B%7C%7D"
      ),
    ]
    for (text, quoted) in wanted { #expect(HubAddress.quote(text, slashes: true) == quoted) }
    #expect(HubAddress.quote("refs/pr/1", slashes: false) == "refs%2Fpr%2F1")
  }

  @Test func originsAreTheSameOnlyForTheSameServer() {
    let one = "https://huggingface.co/a?b"
    for same in ["https://HuggingFace.co:443/x", "https://user:pw@huggingface.co"] {
      #expect(HubAddress.isSameServer(same, one))
    }
    for other in [
      "http://huggingface.co/a", "https://huggingface.co:444/a", "https://huggingface.co.evil/a",
      "https://huggingface.co@evil/a", "https://cdn.huggingface.co/a",
      "https://evil@evil@huggingface.co/a", "huggingface.co/a",
      "https://huggingface.co\u{0}.evil/a",
    ] {
      #expect(!HubAddress.isSameServer(other, one))
    }
    #expect(HubAddress.shown("https://u:p@h/x?Signature=1#f") == "https://h/x")
    #expect(HubAddress.resolve("/b", from: "https://h:1/a?c") == "https://h:1/b")
    #expect(HubAddress.resolve("//i/b", from: "https://h/a") == "https://i/b")
    #expect(HubAddress.resolve("ftp://i/b", from: "https://h/a") == nil)
  }
}
