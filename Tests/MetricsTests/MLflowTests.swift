import Foundation
import JSON
import Support
import Testing

@testable import Metrics

@Suite("MLflow's file store")
struct MLflowTests {
  private func options(_ folder: URL) -> MLflowOptions {
    var options = MLflowOptions(experiment: "exp: one", place: "file://\(folder.path)/ml runs")
    options.tags = ["team": "a/b"]
    return options
  }

  /// Every file below a folder with its text.
  private func texts(_ folder: URL) throws -> [String: String] {
    var texts: [String: String] = [:]
    for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path) {
      var isFolder: ObjCBool = false
      let full = folder.path + "/" + path
      _ = FileManager.default.fileExists(atPath: full, isDirectory: &isFolder)
      if !isFolder.boolValue { texts[path] = try String(contentsOfFile: full, encoding: .utf8) }
    }
    return texts
  }

  @Test("holds what MLflow's own client writes of the same run")
  func sameFiles() throws {
    try Support.withTemporaryFolder { folder in
      let run = try ExampleRun(in: folder)
      let writer = try MLflowWriter(
        options(folder), names: .megatron(.standard), run.description)
      try run.tell(writer, 1...4)
      try writer.finish(.finished)
      let root = folder.appending(path: "ml runs")
      let experiment = try #require(names(in: root).first { $0 != "0" })
      let made = try #require(
        names(in: root.appending(path: experiment)).first { $0 != "meta.yaml" })
      let theirs = try ExampleRun.json("mlruns.json")
      let ours = try texts(root.appending(path: "\(experiment)/\(made)"))
      for (name, value) in theirs.members where name.hasPrefix("run/") && name != "run/meta.yaml" {
        #expect(ours[String(name.dropFirst(4))] == value.string, "\(name)")
      }
      let named = { (text: String) in
        var lines: [String: String] = [:]
        for line in text.split(separator: "\n") {
          let parts = line.split(separator: ":", maxSplits: 1)
          lines[String(parts[0])] = parts[1].trimmingCharacters(in: [" ", "'"])
            .replacingOccurrences(
              of: root.path.replacingOccurrences(of: " ", with: "%20"), with: "ROOT"
            )
            .replacingOccurrences(of: experiment, with: "EXPERIMENT")
            .replacingOccurrences(of: made, with: "RUN")
        }
        return lines
      }
      var meta = named(try #require(ours["meta.yaml"]))
      var expected = named(try #require(theirs["run/meta.yaml"]?.string))
      meta["user_id"] = nil
      expected["user_id"] = nil
      #expect(meta == expected)
      let experimentMeta = named(
        try String(contentsOf: root.appending(path: "\(experiment)/meta.yaml"), encoding: .utf8))
      let theirMeta = named(try #require(theirs["meta.yaml"]?.string))
      for key in ["artifact_location", "experiment_id", "lifecycle_stage", "name"] {
        #expect(experimentMeta[key] == theirMeta[key])
      }
    }
  }

  @Test("a process that goes on goes on with the run", arguments: 1...3)
  func goingOn(step: Int) throws {
    try Support.withTemporaryFolder { folder in
      let run = try ExampleRun(in: folder)
      let root = folder.appending(path: "ml runs")
      let first = try MLflowWriter(options(folder), names: .automodel, run.description)
      try run.tell(first, 1...4)
      try first.finish(.stopped)
      let before = try texts(root)
      let second = try MLflowWriter(options(folder), names: .automodel, run.goingOn(after: step))
      try run.tell(second, (step + 1)...4)
      try second.finish(.stopped)
      #expect(try texts(root) == before)
    }
  }

  @Test("two runs share an experiment by its name")
  func sharing() throws {
    try Support.withTemporaryFolder { folder in
      var run = try ExampleRun(in: folder)
      _ = try MLflowWriter(options(folder), names: .automodel, run.description)
      run.description.folder = folder.appending(path: "other").path
      _ = try MLflowWriter(options(folder), names: .automodel, run.description)
      let root = folder.appending(path: "ml runs")
      let experiments = names(in: root)
      #expect(experiments.count == 2 && experiments[0] == "0")
      #expect(names(in: root.appending(path: experiments[1])).count == 3)
    }
  }

  @Test(
    "servers and databases are refused",
    arguments: ["http://host:5000", "sqlite:///a.db", "databricks", ""])
  func refused(place: String) {
    #expect(throws: MLflowError.notAFolder(place: place)) { _ = try FileStore(place) }
  }

  @Test("names are read as MLflow and YAML spell them")
  func metaFiles() throws {
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "meta.yaml")
      let text = """
        name: 'it''s: one'
        other: "a \\"b\\""
        plain: words that are long
          and go on
        empty: ''
        """
      try Data(text.utf8).write(to: path)
      let meta = try MetaFile(path.path)
      #expect(meta["name"] == "it's: one")
      #expect(meta["other"] == "a \"b\"")
      #expect(meta["plain"] == "words that are long and go on")
      #expect(meta["empty"] == "")
      #expect(meta["none"] == nil)
    }
  }
}
