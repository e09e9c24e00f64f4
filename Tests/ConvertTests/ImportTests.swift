import Foundation
import Support
import Testing

@Test func roundtripOfTheDemoIsEqual() throws {
  try Support.withTemporaryFolder { folder in
    let outcome = try program.run([
      "roundtrip", "--hf-model", demo.path, "--work-dir", folder.path, "--json",
    ])
    #expect(outcome.status == 0)
    let object = try outcome.object
    #expect(object["status"] as? String == "equal")
    let index = try JSONSerialization.jsonObject(
      with: Data(contentsOf: demo.appending(path: "model.safetensors.index.json")))
    let map = try #require((index as? [String: Any])?["weight_map"] as? [String: String])
    #expect(object["tensors"] as? Int == map.count)
    #expect(object["files"] as? Int == names(in: demo).count)
    #expect(names(in: folder).isEmpty)
  }
}

@Test func importAndExportGiveEveryFileBack() throws {
  try Support.withTemporaryFolder { folder in
    let megatron = folder.appending(path: "a model's checkpoint")
    let imported = try program.run([
      "import", "--hf-model", demo.path, "--megatron-path", megatron.path, "--tp", "2",
    ])
    #expect(imported.status == 0)
    #expect(imported.error.isEmpty)
    // The next command is printed as a shell takes it.
    let next = try #require(
      imported.output.split(separator: "\n").first { $0.hasPrefix("  convert inspect") })
    #expect(next.hasSuffix(#"'\''s checkpoint'"#))
    let back = folder.appending(path: "back")
    let exported = try program.run([
      "export", "--hf-model", demo.path, "--megatron-path", megatron.path, "--hf-path", back.path,
      "--json",
    ])
    #expect(exported.status == 0)
    #expect(try exported.object["status"] as? String == "done")
    #expect(names(in: back) == names(in: demo))
    for name in names(in: demo) {
      let same = FileManager.default.contentsEqual(
        atPath: demo.appending(path: name).path, andPath: back.appending(path: name).path)
      #expect(same, "\(name)")
    }
  }
}

@Test func missingModelSaysHowToGetIt() throws {
  try Support.withTemporaryFolder { folder in
    let outcome = try program.run(
      ["import", "--hf-model", "no-such/model", "--megatron-path", folder.path + "/m"],
      environment: ["HF_HOME": folder.path])
    #expect(outcome.status == 1)
    #expect(outcome.error.hasPrefix("error: "))
    #expect(outcome.error.contains("convert download no-such/model"))
    #expect(names(in: folder).isEmpty)
  }
}

@Test func destinationThatIsNotEmptyIsLeftAlone() throws {
  try Support.withTemporaryFolder { folder in
    let target = folder.appending(path: "m")
    try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
    try Data("mine".utf8).write(to: target.appending(path: "precious.txt"))
    let arguments = ["import", "--hf-model", demo.path, "--megatron-path", target.path]
    let outcome = try program.run(arguments)
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("--overwrite"))
    #expect(names(in: target) == ["precious.txt"])
    #expect(names(in: folder) == ["m"])

    #expect(try program.run(arguments + ["--overwrite"]).status == 0)
    #expect(names(in: target).contains("latest_checkpointed_iteration.txt"))
    #expect(!names(in: target).contains("precious.txt"))
    #expect(names(in: folder) == ["m"])
  }
}

@Test func destinationThatHoldsTheSourceIsRefused() throws {
  try Support.withTemporaryFolder { folder in
    let model = folder.appending(path: "models/demo")
    try FileManager.default.createDirectory(
      at: model.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: demo, to: model)
    for target in ["models", "models/demo"] {
      let outcome = try program.run([
        "import", "--hf-model", model.path, "--megatron-path", folder.appending(path: target).path,
        "--overwrite",
      ])
      #expect(outcome.status == 1)
      #expect(outcome.error.contains("holds the source"))
      #expect(names(in: model) == names(in: demo))
    }
  }
}

@Test func destinationThatCannotBeWrittenIsAnError() throws {
  // Nobody, root included, creates anything there.
  let outcome = try program.run([
    "import", "--hf-model", demo.path, "--megatron-path", "/proc/isthmus/m",
  ])
  #expect(outcome.status == 1)
  #expect(outcome.error.contains("/proc/isthmus"))
}

@Test func dryRunsWriteNothing() throws {
  try Support.withTemporaryFolder { folder in
    let target = folder.appending(path: "a/b/m")
    let arguments = [
      "import", "--hf-model", demo.path, "--megatron-path", target.path, "--dry-run",
    ]
    let text = try program.run(arguments)
    #expect(text.status == 0)
    #expect(text.output.contains("nothing was written"))
    let object = try program.run(arguments + ["--json"]).object
    #expect(object["status"] as? String == "planned")
    #expect((object["bytes"] as? Int ?? 0) > 1_000_000)
    #expect((object["diskFree"] as? Int ?? 0) > 0)
    let round = try program.run([
      "roundtrip", "--hf-model", demo.path, "--work-dir", folder.path, "--dry-run",
    ])
    #expect(round.status == 0)
    #expect(names(in: folder).isEmpty)
  }
}

@Test func tooLittleMemoryNamesTheLeastNeeded() throws {
  try Support.withTemporaryFolder { folder in
    func run(_ memory: String, _ more: [String] = []) throws -> BuiltProgram.Outcome {
      try program.run(
        [
          "import", "--hf-model", demo.path, "--megatron-path", folder.path + "/m", "--dry-run",
          "--json", "--max-memory", memory,
        ] + more)
    }
    let refused = try run("1k")
    #expect(refused.status == 1)
    let words = refused.error.split(whereSeparator: { " (),.".contains($0) })
    let least = try #require(words.compactMap { Int($0) }.max())
    #expect(try run("\(least - 1)").status == 1)
    let accepted = try run("\(least)")
    #expect(accepted.status == 0)
    #expect(try accepted.object["workers"] as? Int == 1)
    #expect(try run("\(least)", ["--workers", "2"]).status == 1)
  }
}

@Test func tensorsThatDoNotFitAreAllNamed() throws {
  try Support.withTemporaryFolder { folder in
    let model = folder.appending(path: "model")
    try writeLargeModel(to: model, layers: 2)
    // Another number of layers than the weights have: one too many is expected, all of it missing.
    let path = model.appending(path: "config.json")
    let text = try String(contentsOf: path, encoding: .utf8)
    try Data(
      text.replacingOccurrences(of: "\"num_hidden_layers\": 2", with: "\"num_hidden_layers\": 3")
        .utf8
    ).write(to: path)
    let arguments = ["import", "--hf-model", model.path, "--megatron-path", folder.path + "/m"]
    let outcome = try program.run(arguments)
    #expect(outcome.status == 1)
    for name in ["q_proj", "k_proj", "v_proj", "o_proj"] {
      #expect(outcome.error.contains("model.layers.2.self_attn.\(name).weight"))
    }
    let object = try program.run(arguments + ["--json"]).object
    #expect((object["missing"] as? [String])?.count == 9)
    #expect((object["unknown"] as? [String])?.isEmpty == true)
    #expect(names(in: folder) == ["model"])
  }
}

@Test func fullDiskPublishesNothingAndSaysWhatIsNeeded() throws {
  try Support.withTemporaryFolder { folder in
    let disk = folder.appending(path: "disk")
    try FileManager.default.createDirectory(at: disk, withIntermediateDirectories: true)
    guard mount(at: disk) else {
      // Only root may mount; then there is no small disk to fill.
      print("skipped: no tmpfs can be mounted here")
      return
    }
    defer { unmount(disk) }
    let model = folder.appending(path: "model")
    try writeLargeModel(to: model, layers: 2)
    let outcome = try program.run([
      "import", "--hf-model", model.path, "--megatron-path", disk.appending(path: "m").path,
    ])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("bytes are needed"))
    #expect(names(in: disk).isEmpty)
  }
}

private func mount(at folder: URL) -> Bool {
  call("/usr/bin/mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", folder.path])
}

private func unmount(_ folder: URL) { _ = call("/usr/bin/umount", [folder.path]) }

private func call(_ program: String, _ arguments: [String]) -> Bool {
  let process = Process()
  process.executableURL = URL(filePath: program)
  process.arguments = arguments
  process.standardError = FileHandle.nullDevice
  guard (try? process.run()) != nil else { return false }
  process.waitUntilExit()
  return process.terminationStatus == 0
}

@Test func derivedNamesAreSaidByTheReportAndTheCheckpoint() throws {
  for (path, origin) in [
    ("bridge/llama", "bridge"), ("hf/mixtral", "nemo"), ("hf/falcon_7b", "derived"),
  ] {
    try Support.withTemporaryFolder { folder in
      let model = Support.model(path).path
      let checkpoint = folder.appending(path: "megatron").path
      let imported = try program.run([
        "import", "--hf-model", model, "--megatron-path", checkpoint, "--json",
      ])
      let notes = try #require(try imported.object["notes"] as? [String])
      #expect(notes.contains { $0.contains("derived") } == (origin == "derived"))
      func names(_ path: String) throws -> String? {
        let layout = try program.run(["inspect", path, "--json"]).object["layout"]
        return (layout as? [String: Any])?["megatron_names"] as? String
      }
      #expect(try names(model) == origin)
      #expect(try names(checkpoint) == (origin == "bridge" ? nil : origin))
    }
  }
}
