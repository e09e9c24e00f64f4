import Blueprint
import Foundation
import JSON
import Support
import Tensors
import Testing

/// Models like those that Megatron-Core itself saved (fixtures/dialects), told from their keys.
struct DialectTests {
  /// What the file holds.
  private func keys(_ name: String) throws -> [String: Shape] {
    let data = try Data(contentsOf: Support.fixtures.appending(path: "dialects/\(name).json"))
    let object = try #require(try JSON(parsing: [UInt8](data)).object)
    return Dictionary(
      uniqueKeysWithValues: object.members.map { key, value in
        (key, Shape((value.array ?? []).compactMap(\.integer)))
      })
  }

  /// Gives every slot its first spelling that the file has, and demands that all keys are used up.
  private func read(
    _ blueprint: Blueprint, from name: String, ignoring ignored: Set<String> = []
  ) throws {
    let keys = try keys(name)
    let names = MegatronNames(blueprint)
    var filled: [String: Int] = [:]
    for placed in blueprint.slots {
      let spelling = names.spellings(of: placed).first { pieces in
        pieces.allSatisfy { keys[$0.key] == $0.keyShape }
      }
      for piece in try #require(spelling, "\(placed.section) \(placed.slot.role)") {
        filled[piece.key, default: 0] += piece.shape.count
      }
    }
    #expect(Set(filled.keys) == Set(keys.keys).subtracting(ignored))
    for (key, count) in filled { #expect(keys[key]?.count == count, "\(key)") }
  }

  private func model(
    depth: Int = 2, isTied: Bool = false, norm: Norm.Kind = .rms, bias: Bool = false,
    _ second: @escaping (Int) -> any Layer
  ) -> Blueprint {
    let attention = Attention(
      16, heads: 4, groups: 2, headSize: 4, rotary: nil, inputBias: bias, outputBias: bias)
    return Blueprint(
      Frame(vocabulary: 48, width: 16, depth: depth, isTied: isTied, positions: nil),
      final: Norm(16, eps: 1e-5, "norm", norm)
    ) { index in
      Residual(Norm(16, eps: 1e-5, "first", norm), attention)
      Residual(Norm(16, eps: 1e-5, "second", norm), second(index))
    }
  }

  private let experts = Experts(
    16, count: 4, inner: 12, .silu,
    router: Router("gate", .sigmoid, perToken: 2, isNormalized: true, correction: "bias"),
    shared: MLP(16, inner: 8, .silu))

  @Test(arguments: ["td_gpt_tp1", "td_gpt_nonhomog", "td_gpt_singleton"])
  func stackedNumberedAndHalvedKeysAreFound(_ name: String) throws {
    try read(model { _ in MLP(16, inner: 24, .silu) }, from: name)
  }

  @Test func biasesOfNormsAndLayersAreFound() throws {
    let blueprint = model(isTied: true, norm: .layer(bias: true), bias: true) { _ in
      MLP(16, inner: 24, .gelu, input: .plain("up"), bias: true)
    }
    try read(
      blueprint, from: "td_gpt_tied_ln_bias", ignoring: ["embedding.position_embeddings.weight"])
  }

  @Test func keysOfAnOldMegatronAreFound() throws {
    try read(
      model(norm: .layer(bias: true)) { _ in MLP(16, inner: 24, .silu) }, from: "td_old_gpt_tp2")
  }

  @Test(arguments: ["td_moe_seq_ep1", "td_moe_grouped_ep1", "td_moe_seq_singleton"])
  func expertsAndTheirMisnamedNormAreFound(_ name: String) throws {
    try read(model { [experts] _ in experts }, from: name)
  }

  @Test func denseLayersBeforeExpertsAreFound() throws {
    try read(
      model { [experts] index -> any Layer in
        if index == 0 { MLP(16, inner: 24, .silu) } else { experts }
      },
      from: "td_moe_freq_list")
  }

  @Test func partsOfMambaLayersAndTheHybridsFinalNormAreFound() throws {
    let norm = Norm(16, eps: 1e-5, "norm")
    let blueprint = Blueprint(
      Frame(vocabulary: 48, width: 16, depth: 3, isTied: false, positions: nil),
      final: norm
    ) { index in
      switch index {
      case 0:
        Residual(
          norm,
          Mamba(
            16, heads: 4, headSize: 8, groups: 1, state: 8, kernel: 4, chunk: 128,
            convolutionBias: true, eps: 1e-5, stepLimit: (0, .infinity)))
      case 1: Residual(norm, Attention(16, heads: 4, groups: 2, headSize: 4, rotary: nil))
      default: Residual(norm, MLP(16, inner: 24, .silu))
      }
    }
    try read(blueprint, from: "td_mamba_tp1")
  }

  @Test func expertsOfModulesInMemoryAreSpelledAsThoseModulesDo() throws {
    let blueprint = model { [experts] _ in experts }
    let slot = try #require(
      blueprint.slots.first { $0.section == .block(1) && $0.slot.role == .expertFC2(.weight) })
    let spellings = MegatronNames(blueprint).spellings(of: slot).map { $0.map(\.key) }
    #expect(
      spellings.contains(
        (0..<4).map { "decoder.layers.1.mlp.experts.linear_fc2.weight\($0)" }))
    #expect(
      spellings.contains(
        (0..<4).map { "decoder.layers.1.mlp.experts.local_experts.\($0).linear_fc2.weight" }))
  }
}
