import Checkpoints
import Engine
import Foundation
import JSON
import Kernels
import MegatronFormat
import SafeTensors
import Support
import Tensors
import Testing
import Weights

@testable import Training

/// What a run takes from checkpoints under other wishes than to go on as before, and from other programs'.
@Suite struct LoadingTests {
  @Test func weightsAloneBeginCountingAnew() throws {
    try Support.withTemporaryFolder { folder in
      var run = RunCase(folder.appending(path: "one"))
      let live = try run.begin()
      _ = try run.train(live, 0..<2)
      try run.checkpoints(live).save(run.progress(2))
      run.settings.saving.load = folder.appending(path: "one").path
      run.settings.saving.folder = folder.appending(path: "two").path
      run.settings.saving.startsCounting = true
      let saved = try #require(try SavedRun.find(run.settings.saving))
      let other = try run.begin()
      let restored = try saved.restore(into: other.trainer, run.settings.saving)
      #expect(restored.progress == RunProgress())
      #expect(other.trainer.optimiser.updates == 0)
      for (left, right) in zip(live.trainer.model.parameters, other.trainer.model.parameters) {
        let isSame = left.value.floats == right.value.floats
        #expect(isSame, "\(left.name)")
      }
    }
  }

  @Test func withoutTheOptimiserOneMustSaySo() throws {
    try Support.withTemporaryFolder { folder in
      var run = RunCase(folder)
      run.settings.saving.keepsOptimiser = false
      let live = try run.begin()
      _ = try run.train(live, 0..<2)
      try run.checkpoints(live).save(run.progress(2))
      let saved = try #require(try SavedRun.find(run.settings.saving))
      let other = try run.begin()
      let error = #expect(throws: SavingError.self) {
        try saved.restore(into: other.trainer, run.settings.saving)
      }
      #expect(error?.description.contains("checkpoint.load_optim=false") ?? false)
      run.settings.saving.loadsOptimiser = false
      let restored = try saved.restore(into: other.trainer, run.settings.saving)
      #expect(restored.progress.step == 2)
      #expect(other.trainer.optimiser.updates == 0)
      #expect(restored.notes.contains { $0.contains("begins anew") })
    }
  }

  @Test func aRunThatBeginsFindsNothing() throws {
    try Support.withTemporaryFolder { folder in
      var own = SavingSettings()
      own.folder = folder.appending(path: "new").path
      var loading = own
      loading.load = own.folder
      var alone = own
      alone.goesOn = false
      for saving in [own, loading, alone] {
        let found = try SavedRun.find(saving)?.folder
        #expect(found == nil)
      }
      var misspelt = own
      misspelt.load = folder.appending(path: "misspelt").path
      let wrong = misspelt
      #expect(throws: SavingError.self) { _ = try SavedRun.find(wrong) }
    }
  }

  @Test func adaptersAndWeightsAreNotTakenForEachOther() throws {
    try Support.withTemporaryFolder { folder in
      var run = RunCase(folder)
      let live = try run.begin()
      try run.checkpoints(live).save(run.progress(1))
      let saved = try #require(try SavedRun.find(run.settings.saving))
      run.adapters = AdapterSettings()
      let other = try run.begin()
      #expect(throws: SavingError.self) {
        try saved.restore(into: other.trainer, run.settings.saving)
      }
    }
  }

  @Test func whatIsNotAsItWasIsTold() throws {
    try Support.withTemporaryFolder { folder in
      var run = RunCase(folder)
      let live = try run.begin()
      try run.checkpoints(live).save(run.progress(1))
      let saved = try #require(try SavedRun.find(run.settings.saving))
      run.numbers = .bfloat16
      run.precision = .half
      let other = try run.begin()
      let notes = try saved.restore(
        into: other.trainer, run.settings.saving, identity: [.init("samples", .integer(5))]
      ).notes
      #expect(notes.contains { $0.contains("computed in float32") })
      #expect(notes.contains { $0.contains("rounds to bfloat16") })
      #expect(notes.contains("samples was 4 and is 5 now."))
    }
  }

  /// Megatron-Core's own optimiser states, in both layouts that stand tensor by tensor, are read as they are.
  @Test(arguments: ["td_optim_float16", "td_optim_fully_reshardable"])
  func megatronsOwnStatesAreRead(_ name: String) throws {
    let path = Support.data("formats/\(name)").path
    guard Folder.isFolder(path) else { return }
    let checkpoint = try MegatronModel(path: path)
    let expected = try SafeTensorsFile(
      Support.data("formats/\(name).expected.safetensors").path
    ).header.tensors.map(\.name)
    for (names, head) in [
      (["exp_avg"], "optimizer.state.exp_avg."), (["exp_avg_sq"], "optimizer.state.exp_avg_sq."),
      (
        ["param", "fp32_param"],
        name.hasSuffix("16") ? "optimizer.state.fp32_param." : "optimizer.state.param."
      ),
    ] {
      let state = try #require(checkpoint.optimiserState(names))
      let wanted = Set(
        expected.filter { $0.hasPrefix(head) }.map { String($0.dropFirst(head.count)) })
      #expect(!wanted.isEmpty)
      #expect(Set(state.tensors.keys) == wanted)
    }
  }

  /// A fresh model's checkpoint needs nothing but its own folder: it is read, and exported.
  @Test func aFreshModelsRunStandsAlone() throws {
    try Support.withTemporaryFolder { folder in
      var run = RunCase(folder.appending(path: "run"))
      let configuration = try HuggingFaceModel.configuration(in: run.folder)
      let model = try RunCheckpoints.freshModel(
        configuration, tokenizer: run.folder, in: folder.appending(path: "run").path)
      run.settings.model = .fresh(configuration: configuration)
      let fresh = try Model(model.blueprint, .float32, seed: 3, scalesOutputs: true)
      let trainer = Trainer(fresh, Schedule(.constant, rate: 1e-3, length: 10))
      let checkpoints = try RunCheckpoints(
        run.runSettings, trainer, model: model, weights: nil)
      try checkpoints.save(run.progress(3))
      let weights = try ModelWeights(folder.appending(path: "run").path)
      #expect(weights.model.folder == folder.appending(path: "run/huggingface").path)
      #expect(weights.model.tokenizerFiles.contains("tokenizer.json"))
      let read = try Model(weights, .float32)
      for (left, right) in zip(fresh.parameters, read.parameters) {
        let isSame = left.value.floats == right.value.floats
        #expect(isSame, "\(left.name)")
      }
      let plan = try ExportPlan(
        weights.model, from: MegatronModel(path: folder.appending(path: "run").path),
        ConversionOptions())
      let out = folder.appending(path: "out").path
      try plan.transfer.run(in: out, workers: 1, progress: TransferProgress())
      let exported = try Model(ModelWeights(out), .float32)
      for (left, right) in zip(fresh.parameters, exported.parameters) {
        // The type that config.json names.
        let isSame = left.value.copied(as: .bfloat16).floats == right.value.floats
        #expect(isSame, "\(left.name)")
      }
    }
  }
}
