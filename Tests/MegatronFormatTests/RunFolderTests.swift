import Foundation
import Support
import Testing

@testable import MegatronFormat

/// Which checkpoint a path leads to, and the small files in it.
@Suite struct RunFolderTests {
  private func resolve(_ path: String) throws -> RunFolder {
    try RunFolder(resolving: Support.data(path).path)
  }

  private func expect(
    _ path: URL, _ isExpected: (MegatronError) -> Bool, _ comment: Comment? = nil
  ) {
    #expect(comment) {
      try RunFolder(resolving: path.path)
    } throws: {
      ($0 as? MegatronError).map(isExpected) ?? false
    }
  }

  /// Makes empty files (names ending in `/` are folders) in a fresh folder.
  private func withFiles(_ names: [String: String], _ body: (URL) throws -> Void) throws {
    try Support.withTemporaryFolder { folder in
      for (name, text) in names {
        let url = folder.appending(path: name)
        try FileManager.default.createDirectory(
          at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
      }
      try body(folder)
    }
  }

  private static let torchDist = #"{"sharded_backend": "torch_dist", "sharded_backend_version": 1}"#

  // MARK: Resolving

  @Test(
    arguments: [
      ("bridge/llama/megatron", RunFolder.Format.torchDist, 0),
      ("bridge/llama/megatron_v031", .torchDist, 0), ("bridge/llama/lora", .torchDist, 5),
      ("formats/td_gpt_tp1", .torchDist, 10), ("formats/td_v019_gpt_tp1", .torchDist, 10),
      ("formats/bridge_lora_tp2", .torchDist, 10), ("formats/zarr_gpt_tp1", .zarr, 10),
      ("formats/legacy_gpt_tp1", .legacyTorch, 10), ("formats/plain_dcp_2.13.0", .plainDCP, nil),
      ("formats/minimal_written", .torchDist, nil),
    ] as [(String, RunFolder.Format, Int?)])
  func everyFormatIsRecognised(path: String, format: RunFolder.Format, iteration: Int?) throws {
    let run = try resolve(path)
    #expect(run.format == format)
    #expect(run.iteration == iteration)
    // The iteration's own folder leads to the same place, with and without a slash behind it.
    let direct = try RunFolder(resolving: run.folder + "/")
    #expect(direct.weights == run.weights)
    #expect(direct.iteration == iteration)
    #expect(direct.format == format)
  }

  @Test func theTrackerOfMegatronLMIsFollowed() throws {
    try withFiles([
      "latest_checkpointed_iteration.txt": "20\n",
      "iter_0000010/metadata.json": Self.torchDist, "iter_0000010/.metadata": "",
      "iter_0000020/metadata.json": Self.torchDist, "iter_0000020/.metadata": "",
    ]) { folder in
      let run = try RunFolder(resolving: folder.path)
      #expect(run.iteration == 20)
      #expect(run.folder == folder.path + "/iter_0000020")
    }
  }

  @Test func theTrackerOfMegatronBridgeComesFirst() throws {
    try withFiles([
      "latest_checkpointed_iteration.txt": "20",
      "iter_0000010/metadata.json": Self.torchDist, "iter_0000010/.metadata": "",
      "iter_0000020/metadata.json": Self.torchDist, "iter_0000020/.metadata": "",
    ]) { folder in
      try Data(TrainState(step: 10).encoded())
        .write(to: folder.appending(path: "latest_train_state.pt"))
      #expect(try RunFolder(resolving: folder.path).iteration == 10)
    }
  }

  @Test func aReleaseIsFollowed() throws {
    try withFiles([
      "latest_checkpointed_iteration.txt": "release",
      "release/mp_rank_00/model_optim_rng.pt": "", "iter_0000001/mp_rank_00/model_optim_rng.pt": "",
    ]) { folder in
      let run = try RunFolder(resolving: folder.path)
      #expect(run.format == .legacyTorch)
      #expect(run.folder == folder.path + "/release")
      #expect(run.iteration == nil)
    }
  }

  @Test func aNeMo2CheckpointIsItsWeights() throws {
    try withFiles([
      "weights/metadata.json": Self.torchDist, "weights/.metadata": "", "context/io.json": "{}",
    ]) { folder in
      let run = try RunFolder(resolving: folder.path)
      #expect(run.format == .nemo2)
      #expect(run.weights == folder.path + "/weights")
      #expect(run.backend?.sharded == .torchDist)
    }
  }

  @Test func theOnlyIterationNeedsNoTracker() throws {
    try withFiles(["iter_0000003/mp_rank_00_001/model_optim_rng.pt": "", "logs/x": ""]) { folder in
      let run = try RunFolder(resolving: folder.path)
      #expect(run.iteration == 3)
    }
  }

  // MARK: Refusing

  @Test func anAbsentIterationIsReportedWithThosePresent() throws {
    try withFiles([
      "latest_checkpointed_iteration.txt": "30",
      "iter_0000010/.metadata": "", "iter_0000020/.metadata": "",
    ]) { folder in
      expect(folder) {
        guard case .missingIteration(_, "iter_0000030", ["iter_0000010", "iter_0000020"]) = $0
        else { return false }
        return "\($0)".contains("iter_0000020")
      }
    }
  }

  @Test func severalIterationsWithoutTrackerAreRefused() throws {
    try withFiles(["iter_0000010/.metadata": "", "iter_0000020/.metadata": ""]) { folder in
      expect(folder) {
        guard case .severalIterations(_, let names) = $0 else { return false }
        return names == ["iter_0000010", "iter_0000020"]
      }
    }
  }

  @Test(arguments: ["", "ten", "-1", "1 2", "99999999999999999999"])
  func aTrackerThatNamesNoIterationIsRefused(text: String) throws {
    try withFiles([
      "latest_checkpointed_iteration.txt": text, "iter_0000001/.metadata": "",
    ]) { folder in
      expect(folder) { if case .malformedTracker(_, text) = $0 { true } else { false } }
    }
  }

  @Test func aFolderOfOtherThingsIsRefused() throws {
    try withFiles(["notes.txt": "", "iter_x/.metadata": ""]) { folder in
      expect(folder) { if case .nothingFound = $0 { true } else { false } }
      expect(folder.appending(path: "notes.txt")) {
        if case .nothingFound = $0 { true } else { false }
      }
      expect(folder.appending(path: "absent")) {
        if case .nothingFound = $0 { true } else { false }
      }
    }
  }

  @Test func anIterationWithoutCheckpointIsRefused() throws {
    try withFiles(["latest_checkpointed_iteration.txt": "1", "iter_0000001/x": ""]) { folder in
      expect(folder) { if case .nothingFound = $0 { true } else { false } }
    }
  }

  @Test func anUnknownBackendIsRefusedByName() throws {
    try withFiles([
      "metadata.json": #"{"sharded_backend": "torch_dcp", "sharded_backend_version": 1}"#,
      ".metadata": "",
    ]) { folder in
      expect(folder) { if case .unknownBackend(_, "torch_dcp") = $0 { true } else { false } }
    }
  }

  @Test(arguments: ["", "{", "[]", "{}", #"{"sharded_backend": 1}"#])
  func malformedBackendMetadataIsRefused(text: String) throws {
    try withFiles(["metadata.json": text, ".metadata": ""]) { folder in
      expect(folder) { if case .malformedFile = $0 { true } else { false } }
    }
  }

  @Test func unknownMembersOfBackendMetadataAreIgnored() throws {
    try withFiles([
      "metadata.json": #"{"sharded_backend": "torch_dist", "future": {"a": [1]}}"#, ".metadata": "",
    ]) { folder in
      let run = try RunFolder(resolving: folder.path)
      #expect(run.format == .torchDist)
    }
  }

  @Test func oneMetadataFilePerRankIsRefusedAsSuch() throws {
    try withFiles(["__0.metadata": "", "__0_0.distcp": ""]) { folder in
      expect(folder) { if case .unsupportedFormat = $0 { true } else { false } }
    }
  }

  // MARK: The files beside the weights

  @Test(arguments: [
    ("bridge/llama/megatron", 0), ("bridge/llama/megatron_v031", 0),
    ("formats/td_v019_gpt_tp1", 10), ("formats/td_gpt_tp1", 10), ("formats/minimal_written", 10),
  ])
  func theCommonStateIsFoundWhereverItLies(path: String, iteration: Int) throws {
    let common = try #require(try resolve(path).commonState())
    #expect(common["iteration"]?.integer == iteration)
    guard case .float(3)? = common["checkpoint_version"] else {
      Issue.record("no version")
      return
    }
  }

  @Test func aPlainCheckpointHasNoCommonState() throws {
    #expect(try resolve("formats/plain_dcp_2.13.0").commonState() == nil)
  }

  /// PyTorch wrote the file under the same name; only the 40 digits that nobody checks may differ.
  @Test(arguments: ["bridge/llama/megatron", "bridge/llama/lora"])
  func theTrainStateIsWrittenAsMegatronBridgeDoes(path: String) throws {
    let run = try resolve(path)
    let file = run.folder + "/train_state.pt"
    let state = try TrainState(reading: file)
    #expect(state.step == run.iteration)
    let theirs = try TorchZip(path: file)
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "train_state.pt").path
      try Data(state.encoded()).write(to: URL(filePath: path))
      let ours = try TorchZip(path: path)
      #expect(Set(ours.records.keys) == Set(theirs.records.keys))
      for name in ours.records.keys where name != ".data/serialization_id" {
        let record = try ours.bytes(of: name)
        #expect(try record == theirs.bytes(of: name), "\(name)")
      }
      #expect(try TrainState(reading: path) == state)
    }
  }

  @Test func everyFieldOfATrainStateIsRead() throws {
    let state = try TrainState(
      reading: Support.data("formats/bridge_train_state/latest_train_state.pt").path)
    var expected = TrainState(step: 10)
    expected.consumedTrainSamples = 320
    expected.floatingPointOperations = 999_999_995_904
    expected.doTrain = true
    expected.doValid = true
    #expect(state == expected)
  }

  @Test func theCommonFileIsWrittenAsMegatronCoreDoes() throws {
    let run = try resolve("bridge/llama/megatron_v031")
    let theirs = try TorchZip(path: run.weights + "/common.pt").bytes(of: "data.pkl")
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "common.pt").path
      try Data(CommonState.encoded(iteration: 0)).write(to: URL(filePath: path))
      #expect(try TorchZip(path: path).bytes(of: "data.pkl") == theirs)
    }
    let metadata = try Data(contentsOf: URL(filePath: run.weights + "/metadata.json"))
    #expect(Array(metadata) == BackendMetadata.bytes)
  }

  @Test func theExtraStateIsWrittenAsMegatronBridgeDoes() throws {
    let run = try resolve("bridge/llama/megatron")
    let checkpoint = try DistributedCheckpoint(folder: run.weights)
    let key = "decoder.layers.self_attention.linear_qkv._extra_state/shard_0_2"
    let theirs = try checkpoint.objectArchive(key)
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "x").path
      try Data(CommonState.emptyExtraState()).write(to: URL(filePath: path))
      let ours = try TorchZip(path: path).bytes(of: "data.pkl")
      #expect(try ours == theirs.bytes(of: "data.pkl"))
    }
    let old = try DistributedCheckpoint(folder: resolve("formats/td_gpt_tp1").weights)
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "x").path
      try Data(CommonState.noExtraState()).write(to: URL(filePath: path))
      let ours = try TorchZip(path: path).bytes(of: "data.pkl")
      #expect(try ours == old.objectArchive(key).bytes(of: "data.pkl"))
    }
  }

  @Test func theTrackerIsWrittenWithoutLineBreak() throws {
    let theirs = try Data(
      contentsOf: Support.data("bridge/llama/lora/latest_checkpointed_iteration.txt"))
    #expect(RunFolder.trackerBytes(iteration: 5) == Array(theirs))
    #expect(RunFolder.folderName(iteration: 5) == "iter_0000005")
    #expect(RunFolder.folderName(iteration: 12_345_678) == "iter_12345678")
  }

  @Test func aRunConfigIsReadWithItsTargets() throws {
    let config = try #require(try resolve("bridge/llama/lora").runConfig())
    #expect(config["model", "num_layers"] == .integer(2))
    #expect(config["peft", "_target_"]?.string == "megatron.bridge.peft.lora.LoRA")
    guard case .set(let names)? = config["peft", "params_to_save"] else {
      Issue.record("no set")
      return
    }
    #expect(names.allSatisfy { $0.string?.hasPrefix("module.decoder.layers.") == true })
    #expect(try resolve("formats/td_gpt_tp1").runConfig() == nil)
  }
}
