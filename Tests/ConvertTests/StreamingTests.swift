import Foundation
import HubStandIn
import Support
import Testing

/// `convert import --hf-model hf://…` as a user runs it.
@Suite struct StreamingTests {
  /// A hub with a model whose weights, one file of tens of megabytes, take a while.
  private func withHub(
    speed: Int = 40_000_000,
    _ body: (HubStandIn, _ folder: URL, _ model: URL, _ environment: [String: String]) throws ->
      Void
  ) throws {
    try Support.withTemporaryFolder { folder in
      let model = folder.appending(path: "model")
      try writeLargeModel(to: model, layers: 4)
      let hub = try HubStandIn()
      defer { hub.stop() }
      var files: [String: HubStandIn.Contents] = [:]
      for name in names(in: model) {
        files[name] = .file(
          model.appending(path: name).path, large: name.hasSuffix(".safetensors"))
      }
      try hub.put("org/name", files: files)
      hub.fail(.storage, with: .slow(bytesPerSecond: speed), times: .max)
      try body(
        hub, folder, model,
        [
          "HF_ENDPOINT": hub.endpoint, "HF_HOME": folder.path, "HF_HUB_OFFLINE": "0",
          "HF_TOKEN": "", "HF_HUB_CACHE": folder.appending(path: "hub").path,
          "no_proxy": "127.0.0.1", "HF_TOKEN_PATH": folder.appending(path: "none").path,
        ])
    }
  }

  private func sent(_ hub: HubStandIn) -> Int {
    hub.requests.filter { $0.server == .storage }.reduce(0) { $0 + $1.sent }
  }

  private func weightBytes(_ model: URL) throws -> Int {
    try names(in: model).filter { $0.hasSuffix(".safetensors") }.reduce(0) {
      let path = model.appending(path: $1).path
      let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
      return $0 + (size ?? 0)
    }
  }

  @Test func plansAndInspectionsFetchHeadersAlone() throws {
    try withHub { hub, folder, model, environment in
      let found = try program.run(
        ["inspect", "hf://org/name", "--json"], environment: environment)
      #expect(found.status == 0, "\(found.error)")
      let expected = try program.run(["inspect", model.path, "--json"]).object
      for key in ["parameters", "tensors", "tensorBytes"] {
        #expect(try found.object[key] as? Int == expected[key] as? Int)
      }
      let planned = try program.run(
        [
          "import", "--hf-model", "org/name", "--megatron-path", folder.path + "/m", "--dry-run",
          "--json",
        ], environment: environment)
      #expect(planned.status == 0, "\(planned.error)")
      let download = try #require(try planned.object["download"] as? [String: Any])
      let whole = try weightBytes(model)
      #expect((download["bytes"] as? Int ?? 0) > whole - (2 << 20))
      #expect((try planned.object["diskNeeded"] as? Int ?? 0) > 2 * whole - (4 << 20))
      #expect(!names(in: folder).contains("m"))
      // A server does not notice at once that nobody listens any more.
      #expect(sent(hub) < whole / 2)
    }
  }

  @Test func theReportSaysWhatWasFetchedAndWhatWasDoneMeanwhile() throws {
    try withHub { hub, folder, model, environment in
      let arguments = [
        "import", "--hf-model", "hf://org/name", "--megatron-path", folder.path + "/m", "--json",
      ]
      let outcome = try program.run(arguments, environment: environment)
      #expect(outcome.status == 0, "\(outcome.error)")
      let download = try #require(try outcome.object["download"] as? [String: Any])
      #expect(download["repeated"] as? Bool == false)
      #expect((download["convertedMeanwhile"] as? Int ?? 0) > 0)
      let all = (download["bytes"] as? Int ?? 0) + (download["foundBytes"] as? Int ?? 0)
      #expect(try abs(all - weightBytes(model)) <= 2 << 20)
      // Now all is there, and nothing is fetched.
      let before = sent(hub)
      let again = try program.run(arguments + ["--overwrite"], environment: environment)
      #expect(try again.object["download"] == nil)
      #expect(sent(hub) == before)
      let compared = try program.run(["compare", folder.path + "/m", model.path])
      #expect(compared.status == 0, "\(compared.output)")
    }
  }

  @Test func endedAtAnyMomentItGoesOnWithWhatHasArrived() throws {
    try withHub(speed: 16_000_000) { hub, folder, model, environment in
      let place = folder.appending(path: "place")
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      let arguments = [
        "import", "--hf-model", "org/name", "--megatron-path", place.path + "/m",
      ]
      let whole = try weightBytes(model)
      let signals = [SIGKILL, SIGINT, SIGKILL]
      let kills = signals.count
      for (kill, signal) in zip(1..., signals) {
        let running = try program.start(arguments, environment: environment)
        // Killed when so much of it is in the cache.
        let blobs = folder.appending(path: "hub/models--org--name/blobs")
        while running.process.isRunning {
          let arrived = names(in: blobs).filter { $0.hasSuffix(".incomplete") }.compactMap {
            let path = blobs.appending(path: $0).path
            return try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
          }
          if arrived.reduce(0, +) > whole * kill / (kills + 1) { break }
          usleep(1_000)
        }
        running.send(signal)
        let outcome = try running.wait()
        #expect(!names(in: place).contains("m"))
        guard signal == SIGINT else { continue }
        #expect(outcome.status == 130)
        #expect(outcome.error.contains("stays in the cache"))
        #expect(names(in: place) == [])
      }
      let outcome = try program.run(arguments, environment: environment)
      #expect(outcome.status == 0, "\(outcome.error)")
      #expect(names(in: place) == ["m"])
      let compared = try program.run(["compare", place.path + "/m", model.path])
      #expect(compared.status == 0, "\(compared.output)")
      // What was in the pipe when the program ended was sent in vain.
      #expect(sent(hub) < whole + (kills + 1) * (6 << 20))
    }
  }
}
