import Blueprint
import Checkpoints
import Foundation
import JSON
import MegatronFormat
import Support
import Tensors
import Testing

/// Imports cut for the ranks of a parallel run, and vocabularies that the ranks cannot share evenly.
@Suite struct ParallelTests {
  struct Cut: CustomTestStringConvertible, Sendable {
    var item: Case
    var tp: Int
    /// Whether the layers are cut into stages, as many as go into their number.
    var pipelined = false
    var ep = 1
    var etp = 1
    var testDescription: String {
      "\(item.name) tp\(tp)\(pipelined ? " pp" : "") ep\(ep) etp\(etp)"
    }
  }

  /// These in many ways, all others in one.
  private static let thorough = [
    "llama_", "qwen3_moe", "deepseek_v3", "nemotron_h_moe", "mixtral", "gpt_oss",
  ]

  static let cuts = Case.huggingFace.flatMap { item in
    guard thorough.contains(where: { item.name.hasPrefix($0) }) else {
      return [Cut(item: item, tp: 2, ep: 2)]
    }
    return [
      Cut(item: item, tp: 2), Cut(item: item, tp: 3), Cut(item: item, tp: 1, pipelined: true),
      Cut(item: item, tp: 2, ep: 2), Cut(item: item, tp: 4, ep: 2, etp: 2),
      Cut(item: item, tp: 2, pipelined: true, ep: 4, etp: 2), Cut(item: item, tp: 1, etp: 2),
    ]
  }

  @Test(arguments: cuts) func whateverTheLayoutTheSourceComesBack(_ cut: Cut) throws {
    try Support.withTemporaryFolder { folder in
      let depth = try cut.item.model().blueprint.frame.depth
      let stages = cut.pipelined ? (2...depth).first { depth % $0 == 0 } ?? 1 : 1
      let options = ConversionOptions(tp: cut.tp, pp: stages, ep: cut.ep, etp: cut.etp)
      let megatron = folder.appending(path: "megatron")
      try importModel(cut.item.folder, to: megatron, options)
      let back = folder.appending(path: "back")
      try exportModel(megatron, like: cut.item.folder, to: back)
      #expect(try differences(cut.item.folder, back) == [])

      // One file for each rank that holds anything, named after it.
      let ranks = stages * max(cut.tp, cut.ep * cut.etp)
      let files = try Folder.names(in: megatron.path + "/iter_0000000")
        .filter { $0.hasSuffix(".distcp") }
      #expect(files.count <= ranks)
      #expect(files.contains("__0_0.distcp"))
      if cut.tp == ranks, cut.tp == 2 { #expect(files == ["__0_0.distcp", "__1_0.distcp"]) }
      try DistributedCheckpoint(folder: megatron.path + "/iter_0000000").verify()
    }
  }

  @Test func stagesThatCannotShareTheLayersAreRefused() throws {
    let model = try Case(path: "hf/deepseek_v3").model()
    let depth = model.blueprint.frame.depth
    #expect {
      try ImportPlan(model, ConversionOptions(pp: depth + 1))
    } throws: {
      guard case ConversionError.notDivisible(_, depth, depth + 1, "--pp") = $0 else {
        return false
      }
      return "\($0)".contains("--pp \(depth + 1)")
    }
  }

  // MARK: - Vocabulary

  private let llama = Case(path: "bridge/llama")
  private let tables = ["model.embed_tokens.weight", "lm_head.weight"]
  private let keys = ["embedding.word_embeddings.weight", "output_layer.weight"]

  /// The model with one token more, so that two ranks cannot share its vocabulary.
  private func oddModel(in folder: URL) throws -> (url: URL, vocabulary: Int) {
    var source = try tensors(of: llama.folder)
    let vocabulary = try #require(source[tables[0]]).shape[0] + 1
    for name in tables {
      let old = try #require(source[name])
      let row = old.bytes.count / old.shape[0]
      source[name] = Stored(
        dtype: old.dtype, shape: [vocabulary, old.shape[1]],
        bytes: old.bytes + old.bytes[row..<2 * row])
    }
    let url = folder.appending(path: "odd")
    try writeModel(
      source, like: llama.folder, to: url, changing: ["vocab_size": .integer(vocabulary)])
    return (url, vocabulary)
  }

  @Test func aVocabularyIsPaddedWithZerosForTheRanksAndExportedWithout() throws {
    try Support.withTemporaryFolder { folder in
      let (odd, vocabulary) = try oddModel(in: folder)
      #expect(vocabulary % 2 == 1)
      let megatron = folder.appending(path: "megatron")
      try importModel(odd, to: megatron, ConversionOptions(tp: 2))
      let stored = try tensors(ofMegatron: megatron)
      for key in keys {
        let tensor = try #require(stored[key])
        #expect(tensor.shape[0] == vocabulary + 1)
        let row = tensor.bytes.count / tensor.shape[0]
        #expect(tensor.bytes.suffix(row).allSatisfy { $0 == 0 })
        #expect(!tensor.bytes.dropLast(row).suffix(row).allSatisfy { $0 == 0 })
      }
      let back = folder.appending(path: "back")
      try exportModel(megatron, like: odd, to: back)
      #expect(try differences(odd, back) == [])
    }
  }

  @Test func oneRankNeedsNoPadding() throws {
    try Support.withTemporaryFolder { folder in
      let (odd, vocabulary) = try oddModel(in: folder)
      let megatron = folder.appending(path: "megatron")
      try importModel(odd, to: megatron)
      let stored = try tensors(ofMegatron: megatron)
      for key in keys { #expect(stored[key]?.shape[0] == vocabulary) }
    }
  }

  @Test func paddingOfAnyLengthAndContentIsLeftOut() throws {
    try Support.withTemporaryFolder { folder in
      let megatron = folder.appending(path: "megatron")
      try importModel(llama.folder, to: megatron)
      var stored = try tensors(ofMegatron: megatron)
      for key in keys {
        let old = try #require(stored[key])
        let rows = (old.shape[0] / 128 + 1) * 128
        let missing = rows * (old.bytes.count / old.shape[0]) - old.bytes.count
        stored[key] = Stored(
          dtype: old.dtype, shape: [rows, old.shape[1]],
          bytes: old.bytes + [UInt8](repeating: 0x3F, count: missing))
      }
      let padded = folder.appending(path: "padded")
      try writeMegatron(stored, to: padded)
      let back = folder.appending(path: "back")
      try exportModel(padded, like: llama.folder, to: back)
      #expect(try differences(llama.folder, back) == [])
    }
  }

  @Test func aVocabularyTooShortIsNotPadded() throws {
    try Support.withTemporaryFolder { folder in
      let megatron = folder.appending(path: "megatron")
      try importModel(llama.folder, to: megatron)
      var stored = try tensors(ofMegatron: megatron)
      let old = try #require(stored[keys[0]])
      let row = old.bytes.count / old.shape[0]
      stored[keys[0]] = Stored(
        dtype: old.dtype, shape: [old.shape[0] - 1, old.shape[1]], bytes: old.bytes.dropLast(row))
      let short = folder.appending(path: "short")
      try writeMegatron(stored, to: short)
      #expect {
        try ExportPlan(
          llama.model(), from: MegatronModel(path: short.path), ConversionOptions())
      } throws: {
        guard case ConversionError.coverage(let coverage, _) = $0 else { return false }
        return coverage.wrongShape.map(\.name) == [keys[0]] && coverage.missing.isEmpty
      }
    }
  }
}
