import Foundation
import Support
import Testing

/// `convert cache`, on caches that huggingface_hub made (`fixtures/hub`).
private func withCache(_ body: (URL, [String: String]) throws -> Void) throws {
  try Support.withTemporaryFolder { folder in
    let fixture = try JSONSerialization.jsonObject(
      with: Data(contentsOf: Support.fixtures.appending(path: "hub/cache.json")))
    let entries = (fixture as? [String: Any])?["links"] as? [String: [String: Any]] ?? [:]
    let hub = folder.appending(path: "hub")
    let files = FileManager.default
    for (path, entry) in entries {
      let place = hub.appending(path: path)
      try files.createDirectory(
        at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
      if let target = entry["link"] as? String {
        try files.createSymbolicLink(atPath: place.path, withDestinationPath: target)
      } else if let text = entry["text"] as? String {
        try Data(text.utf8).write(to: place)
      }
    }
    try body(hub, ["HF_HOME": folder.path])
  }
}

private let commit = String(repeating: "1", count: 40)

@Test func theCacheIsListed() throws {
  try withCache { hub, environment in
    let outcome = try program.run(["cache", "list"], environment: environment)
    #expect(outcome.status == 0)
    #expect(outcome.output.hasPrefix("\(hub.path): 3 repositories, 808 bytes\n"))
    #expect(outcome.output.contains("datasets/org/data"))
    #expect(outcome.output.contains("main, refs/pr/1, v1.0"))
    let detailed = try program.run(["cache", "list", "--revisions"], environment: environment)
    #expect(detailed.output.contains("111111111111"))
    let object = try program.run(["cache", "ls", "--json"], environment: environment).object
    let repositories = try #require(object["repositories"] as? [[String: Any]])
    #expect(repositories.map { $0["name"] as? String } == ["org/data", "org/tiny", "single"])
    let elsewhere = try program.run(
      ["cache", "list", "--cache-dir", hub.path + "/none"], environment: environment)
    #expect(elsewhere.status == 0 && elsewhere.output.contains("holds no repository"))
  }
}

@Test func aWholeCacheIsVerified() throws {
  try withCache { hub, environment in
    let outcome = try program.run(["cache", "verify"], environment: environment)
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("all as it should be; 9 files read"))
    let object = try program.run(
      ["cache", "verify", "org/tiny", "--json"], environment: environment
    ).object
    #expect(object["status"] as? String == "whole")
    #expect(object["files"] as? Int == 7)
  }
}

@Test func aWrongByteIsFoundWithTheCommandThatRepairsIt() throws {
  try withCache { hub, environment in
    let place = hub.appending(path: "models--org--tiny/snapshots/\(commit)/model.safetensors")
    var bytes = try Data(contentsOf: place)
    bytes[5] ^= 0x20
    try bytes.write(to: place.resolvingSymlinksInPath())
    let outcome = try program.run(["cache", "verify"], environment: environment)
    #expect(outcome.status == 3)
    #expect(outcome.output.contains("corrupt"))
    #expect(
      outcome.output.contains(
        "convert download org/tiny@\(commit) model.safetensors --force-download"))
    let json = try program.run(["cache", "verify", "--json"], environment: environment)
    #expect(json.status == 3)
    #expect(try json.object["status"] as? String == "different")
    // Another repository is as it was.
    let other = try program.run(["cache", "verify", "single"], environment: environment)
    #expect(other.status == 0)
  }
}

@Test func whatWasFetchedInPartIsAFaultOnlyWhereItIsAskedFor() throws {
  try withCache { hub, environment in
    try FileManager.default.removeItem(
      at: hub.appending(path: "models--org--tiny/snapshots/\(commit)/README.md"))
    let usual = try program.run(["cache", "verify"], environment: environment)
    #expect(usual.status == 0 && usual.output.contains("was not fetched"))
    let strict = try program.run(
      ["cache", "verify", "--fail-on-missing-files"], environment: environment)
    #expect(strict.status == 3 && strict.output.contains("README.md"))
  }
}

@Test func whatIsNotInTheCacheCannotBeVerified() throws {
  try withCache { hub, environment in
    let outcome = try program.run(["cache", "verify", "org/none"], environment: environment)
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("models--org--none"))
  }
}
