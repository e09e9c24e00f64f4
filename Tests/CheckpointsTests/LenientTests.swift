import Checkpoints
import Foundation
import Support
import Tensors
import Testing

/// Conversions that are told not to be strict: nothing is dropped without a word, nothing made up.
@Suite struct LenientTests {
  private let llama = Case(path: "bridge/llama")
  private let lenient = ConversionOptions(strict: false)
  private let mystery = Stored(dtype: .float32, shape: [2], bytes: [1, 2, 3, 4, 5, 6, 7, 8])

  /// Copies a model's folder without its weights.
  private func bare(_ source: URL, in folder: URL) throws -> URL {
    let bare = folder.appending(path: "bare")
    try FileManager.default.createDirectory(at: bare, withIntermediateDirectories: true)
    for (name, data) in try contents(of: source) where !name.contains("safetensors") {
      try data.write(to: bare.appending(path: name))
    }
    return bare
  }

  @Test func unknownTensorsAreCarriedAndComeBack() throws {
    try Support.withTemporaryFolder { folder in
      var source = try tensors(of: llama.folder)
      source["vision.patch.weight"] = mystery
      source["zeta"] = Stored(dtype: .int64, shape: [], bytes: [1, 0, 0, 0, 0, 0, 0, 9])
      source["empty"] = Stored(dtype: .bfloat16, shape: [0, 3], bytes: [])
      let odd = folder.appending(path: "odd")
      try writeModel(source, like: llama.folder, to: odd)
      let megatron = folder.appending(path: "megatron")
      let plan = try importModel(odd, to: megatron, lenient)
      for name in ["vision.patch.weight", "zeta", "empty"] {
        #expect(plan.notes.contains { $0.contains(name) })
      }
      let back = folder.appending(path: "back")
      try exportModel(megatron, like: odd, to: back, lenient)
      #expect(try differences(odd, back) == [])
      // Also where only the checkpoint still has them.
      let fromBare = folder.appending(path: "fromBare")
      try exportModel(megatron, like: bare(odd, in: folder), to: fromBare, lenient)
      #expect(try differences(odd, fromBare) == [])
    }
  }

  @Test(arguments: ["llama", "deepseek_v3"])
  func whatIsMissingIsNamedAndWhatIsThereIsKept(_ name: String) throws {
    let item = Case(path: "bridge/\(name)")
    try Support.withTemporaryFolder { folder in
      var source = try tensors(of: item.folder)
      let gone = try #require(source.keys.filter { $0.hasSuffix("gate_proj.weight") }.min())
      source[gone] = nil
      let holed = folder.appending(path: "holed")
      try writeModel(source, like: item.folder, to: holed)
      let megatron = folder.appending(path: "megatron")
      let plan = try importModel(holed, to: megatron, lenient)
      #expect(plan.notes.contains { $0.contains("Missing") && $0.contains(gone) })
      let partner = gone.replacing("gate_proj", with: "up_proj")
      #expect(plan.notes.contains { $0.contains("kept beside") && $0.contains(partner) })
      // All that is there comes back, and the hole stays a hole.
      let back = folder.appending(path: "back")
      let export = try exportModel(megatron, like: bare(holed, in: folder), to: back, lenient)
      #expect(try differences(holed, back) == [])
      #expect(export.notes.contains { $0.contains("Missing") })
    }
  }

  @Test func anExportNeverFillsAHoleWithTheModelsOwnWeights() throws {
    try Support.withTemporaryFolder { folder in
      let megatron = folder.appending(path: "megatron")
      try importModel(llama.folder, to: megatron)
      var stored = try tensors(ofMegatron: megatron)
      let key = "decoder.layers.self_attention.linear_proj.weight"
      stored[key] = nil
      stored["mystery"] = mystery
      let holed = folder.appending(path: "holed")
      try writeMegatron(stored, to: holed)
      let back = folder.appending(path: "back")
      let plan = try exportModel(holed, like: llama.folder, to: back, lenient)
      #expect(plan.notes.contains { $0.contains("Missing") && $0.contains(key) })
      #expect(plan.notes.contains { $0.contains("mystery") })
      let expected = try tensors(of: llama.folder).filter { !$0.key.hasSuffix("o_proj.weight") }
      #expect(try differences(expected, tensors(of: back)) == [])
      #expect(expected.count < (try tensors(of: llama.folder)).count)
    }
  }

  @Test func whatTheModelOfAnExportHasBesidesComesAlong() throws {
    try Support.withTemporaryFolder { folder in
      let megatron = folder.appending(path: "megatron")
      try importModel(llama.folder, to: megatron)
      var source = try tensors(of: llama.folder)
      source["mystery"] = mystery
      let other = folder.appending(path: "other")
      try writeModel(source, like: llama.folder, to: other)
      let back = folder.appending(path: "back")
      try exportModel(megatron, like: other, to: back, lenient)
      #expect(try differences(other, back) == [])
    }
  }
}
