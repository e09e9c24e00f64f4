import Foundation
import Support
import Testing

/// Lays the demo model out as huggingface_hub does: blobs, snapshots of links, refs.
private func fillCache(_ hub: URL) throws {
  let manager = FileManager.default
  let repository = hub.appending(path: "models--org--demo")
  let commit = "0123456789abcdef0123456789abcdef01234567"
  let snapshot = repository.appending(path: "snapshots/\(commit)")
  for folder in [snapshot, repository.appending(path: "blobs"), repository.appending(path: "refs")]
  {
    try manager.createDirectory(at: folder, withIntermediateDirectories: true)
  }
  for (number, name) in names(in: demo).enumerated() {
    try manager.copyItem(
      at: demo.appending(path: name), to: repository.appending(path: "blobs/\(number)"))
    try manager.createSymbolicLink(
      atPath: snapshot.appending(path: name).path,
      withDestinationPath: "../../blobs/\(number)")
  }
  for name in ["main", "v1.0"] {
    try Data(commit.utf8).write(to: repository.appending(path: "refs/\(name)"))
  }
}

@Test(arguments: ["org/demo", "hf://org/demo", "hf://org/demo@v1.0"])
func modelsAreFoundInTheHubCache(_ reference: String) throws {
  try Support.withTemporaryFolder { folder in
    try fillCache(folder.appending(path: "hub"))
    for variables in [
      ["HF_HOME": folder.path],
      ["HF_HOME": "/nowhere", "HF_HUB_CACHE": folder.path + "/hub"],
    ] {
      let outcome = try program.run(
        ["roundtrip", "--hf-model", reference, "--work-dir", folder.path, "--json"],
        environment: variables)
      #expect(outcome.status == 0)
      #expect(try outcome.object["files"] as? Int == names(in: demo).count)
    }
  }
}

@Test func aCheckpointNamesItsModelAsOtherMachinesKnowIt() throws {
  try Support.withTemporaryFolder { folder in
    try fillCache(folder.appending(path: "hub"))
    let refs = folder.appending(path: "hub/models--org--demo/refs/main")
    func recorded(_ name: String) throws -> String {
      let outcome = try program.run(
        ["import", "--hf-model", "org/demo@v1.0", "--megatron-path", folder.path + "/" + name],
        environment: ["HF_HOME": folder.path])
      #expect(outcome.status == 0)
      let file = folder.appending(path: "\(name)/iter_0000000/run_config.yaml")
      let lines = String(decoding: try Data(contentsOf: file), as: UTF8.self).split(separator: "\n")
      let line = lines.first { $0.contains("hf_model_id:") } ?? ""
      return String(line.drop { $0 != ":" }.dropFirst(2))
    }
    #expect(try recorded("same") == "org/demo")
    // A name alone would lead to another commit.
    try Data(String(repeating: "f", count: 40).utf8).write(to: refs)
    let pinned = try recorded("pinned")
    #expect(
      pinned.hasSuffix("/hub/models--org--demo/snapshots/0123456789abcdef0123456789abcdef01234567"))
  }
}

@Test func revisionsThatAreNotCachedAreNotReplacedByOthers() throws {
  try Support.withTemporaryFolder { folder in
    try fillCache(folder.appending(path: "hub"))
    let environment = ["HF_HOME": folder.path]
    let known = try program.run(
      ["inspect", "org/demo", "--json"], environment: environment)
    #expect(known.status == 0)
    for words in [["hf://org/demo@v2.0"], ["org/demo", "--hf-revision", "v2.0"]] {
      let outcome = try program.run(
        ["import", "--hf-model"] + words + ["--megatron-path", folder.path + "/m"],
        environment: environment)
      #expect(outcome.status == 1)
      #expect(outcome.error.contains("v2.0"))
    }
  }
}

@Test(arguments: ["a/b/c", "../x", "org/..", "hf://", "hf://a b/c"])
func referencesThatAreNoneAreRefused(_ reference: String) throws {
  let outcome = try program.run(["inspect", reference])
  #expect(outcome.status == 1)
  #expect(outcome.error.hasPrefix("error: "))
}
