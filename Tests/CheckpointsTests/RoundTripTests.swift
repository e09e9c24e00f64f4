import Checkpoints
import Foundation
import MegatronFormat
import SafeTensors
import Support
import Tensors
import Testing

/// There and back again gives every file, byte for byte.
@Suite struct RoundTripTests {
  @Test func thereAreCases() {
    #expect(Case.huggingFace.count >= 20)
    #expect(Case.bridge.count >= 9)
  }

  /// Embeddings and output layers that a case holds for a predictor alone, other than the model's.
  static let ownCopies: [String: [String]] = [
    "hf/glm4_moe": ["model.layers.3.embed_tokens.weight", "model.layers.3.shared_head.head.weight"]
  ]

  @Test(arguments: Case.huggingFace + Case.bridge)
  func everyFileComesBackByteForByte(_ item: Case) throws {
    try Support.withTemporaryFolder { folder in
      let megatron = folder.appending(path: "megatron")
      let plan = try importModel(item.folder, to: megatron)
      let back = folder.appending(path: "back")
      let export = try exportModel(megatron, like: item.folder, to: back)
      #expect(try differences(item.folder, back) == [])
      // A configuration may name predictors that the files leave out; their copies may differ.
      let lacksPredictors =
        plan.model.blueprint.predictors.contains(where: \.isStated)
        && plan.blueprint.predictors.isEmpty
      let copies = Self.ownCopies[item.path] ?? []
      #expect(plan.notes.count == (lacksPredictors ? 1 : 0) + copies.count)
      for (note, copy) in zip(plan.notes, copies) { #expect(note.contains(copy)) }
      #expect(export.notes.count == (lacksPredictors ? 1 : 0))

      // Every item's stored checksums are those of its bytes.
      let checkpoint = try DistributedCheckpoint(folder: megatron.path + "/iter_0000000")
      try checkpoint.verify()
      #expect(Folder.entries(folder.path) == ["back", "megatron"])
    }
  }

  @Test(arguments: Case.huggingFace + Case.bridge)
  func theRunFolderIsOneThatMegatronReads(_ item: Case) throws {
    try Support.withTemporaryFolder { folder in
      let megatron = folder.appending(path: "megatron")
      try importModel(item.folder, to: megatron)
      let run = try RunFolder(resolving: megatron.path)
      #expect(run.iteration == 0)
      #expect(run.format == .torchDist)
      let path = run.folder + "/run_config.yaml"
      let config = try YAMLValue(parsing: InputFile(path).readAll(), file: path)
      #expect(config["model"]?.map != nil)
      #expect(config["tokenizer", "tokenizer_model"]?.string == item.folder.path)
      #expect(config["checkpoint", "ckpt_format"]?.string == "torch_dist")
      for name in try Folder.names(in: item.folder.path) where name.hasPrefix("tokenizer") {
        #expect(
          try InputFile("\(run.folder)/tokenizer/\(name)").readAll()
            == InputFile("\(item.folder.path)/\(name)").readAll())
      }
    }
  }

  @Test(arguments: [1, 2, 5]) func theNumberOfWorkersChangesNothing(_ workers: Int) throws {
    let item = Case(path: "bridge/qwen3_moe")
    try Support.withTemporaryFolder { folder in
      let plan = try ImportPlan(item.model(), ConversionOptions(tp: 2, ep: 2))
      let (one, several) = (folder.appending(path: "one"), folder.appending(path: "several"))
      try execute(plan.transfer, to: one, workers: 1)
      try execute(plan.transfer, to: several, workers: workers)
      #expect(try differences(one, several) == [])
    }
  }

  @Test func progressCountsEveryTensorByteOnce() throws {
    let item = Case(path: "bridge/llama")
    try Support.withTemporaryFolder { folder in
      let plan = try ImportPlan(item.model(), ConversionOptions(dtype: .float32))
      let progress = TransferProgress()
      try plan.transfer.run(in: folder.path, workers: 2, progress: progress)
      let elements = try tensors(of: item.folder).values.reduce(0) { $0 + $1.shape.count }
      #expect(progress.bytes == plan.transfer.tensorBytes)
      #expect(progress.bytes == 4 * elements)
      let written = try contents(of: folder).values.reduce(0) { $0 + $1.count }
      #expect(plan.transfer.totalBytes == written)
    }
  }
}
