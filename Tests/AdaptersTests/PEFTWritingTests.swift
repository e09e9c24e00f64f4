import Adapters
import Checkpoints
import Foundation
import JSON
import SafeTensors
import Support
import Tensors
import Testing

/// What is written for PEFT is what Megatron-Bridge writes, and means what was read.
struct PEFTWritingTests {
  /// Cases that PEFT has no words for, and a word of the reason.
  static let refused = [
    "tied_both": "several changes", "tied_head": "at once", "mlx_dora": "each token",
    "mlx_full": "no low-rank change", "experts_single_on_stack": "experts",
    "split": "several changes",
  ]

  @Test(arguments: PEFTMergeTests.cases)
  func whatIsWrittenMergesToTheSame(_ name: String) throws {
    let made = try AdapterCase(name)
    let model = try HuggingFaceModel(folder: made.model.path)
    let adapter = try Adapter(reading: made.adapter.path, for: model)
    if let word = Self.refused[name] {
      let error = #expect(throws: AdapterError.self) {
        try adapter.peftTransfer(for: model, base: "base")
      }
      #expect("\(try #require(error))".contains(word))
      return
    }
    let expected = try made.merged()
    try Support.withTemporaryFolder { folder in
      try adapter.peftTransfer(for: model, base: "base")
        .run(in: folder.path, workers: 2, progress: TransferProgress())
      let found = try AdapterCase(adapter: folder, model: made.model).merged()
      #expect(found.mapValues(\.bytes) == expected.mapValues(\.bytes))
    }
  }

  static let peers: [String] = Support.names(in: "bridge").flatMap { name in
    Support.names(in: "bridge/\(name)").filter { $0.hasPrefix("peft") }.map { "\(name)/\($0)" }
  }

  /// Only the full reference set has these.
  @Test(arguments: peers)
  func anExportIsTheOneThatMegatronBridgeWrites(_ name: String) throws {
    let peft = Support.data("bridge/\(name)")
    let model = try HuggingFaceModel(
      folder: peft.deletingLastPathComponent().appending(path: "hf").path)
    let lora = name.replacingOccurrences(of: "/peft", with: "/lora")
    let adapter = try Adapter(reading: Support.data("bridge/\(lora)").path, for: model)
    let settings = try InputFile(peft.appending(path: "adapter_config.json").path).readAll()
    let base = try #require(
      try JSON(parsing: settings).object?["base_model_name_or_path"]?.string)
    try Support.withTemporaryFolder { folder in
      try adapter.peftTransfer(for: model, base: base)
        .run(in: folder.path, workers: 2, progress: TransferProgress())
      for file in ["adapter_config.json", "adapter_model.safetensors"] {
        let (ours, theirs) = (folder.appending(path: file), peft.appending(path: file))
        #expect(try Data(contentsOf: ours) == Data(contentsOf: theirs), "\(file)")
      }
    }
  }
}
