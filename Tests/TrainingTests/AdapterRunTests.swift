import Blueprint
import Engine
import Foundation
import Kernels
import Metrics
import Support
import Testing

@testable import Training

@Suite struct AdapterRunTests {
  fileprivate func settings(_ change: (inout AdapterSettings) -> Void) throws -> RunSettings {
    var settings = try SmallRun.settings(steps: 4)
    var adapters = AdapterSettings()
    adapters.rank = 4
    adapters.alpha = 8
    change(&adapters)
    settings.adapters = adapters
    return settings
  }

  private func model(_ settings: RunSettings) throws -> Model {
    try TrainingRun(settings, description: RunDescription(name: "small", folder: "")).model
  }

  /// The names of all places, with the rows that are not all of a matrix.
  private func places(_ change: (inout AdapterSettings) -> Void) throws -> [String] {
    let settings = try settings(change)
    return try model(settings).parameters.flatMap { parameter in
      (parameter.change?.pairs ?? []).map { pair in
        #expect(pair.scale == 2 && pair.rank == 4)
        let name = parameter.name.replacing("model.layers.", with: "")
          .replacing("_proj.weight", with: "")
        switch pair.place.rows {
        case .all: return name
        case .part(let part): return "\(name)#\(part)"
        case .packed(let rows): return "\(name)\(rows.reduce(0) { $0 + $1.count })"
        }
      }
    }
  }

  @Test("Megatron's modules get a pair for each fused matrix, all or those of a pattern")
  func fused() throws {
    #expect(
      try places { $0.targets = ["linear_qkv", "linear_proj", "linear_fc1", "linear_fc2"] } == [
        "0.self_attn.q", "0.self_attn.o", "0.mlp.gate", "0.mlp.down", "1.self_attn.q",
        "1.self_attn.o", "1.mlp.gate", "1.mlp.down",
      ])
    #expect(try places { $0.targets = ["*.layers.1.*.linear_qkv"] } == ["1.self_attn.q"])
    #expect(
      try places { $0.targets = ["decoder.layers.0.mlp.*"] } == ["0.mlp.gate", "0.mlp.down"])
  }

  @Test("canonical targets get pairs of the rows that they name")
  func canonical() throws {
    let found = try places {
      $0.kind = .canonical
      $0.targets = ["linear_q", "*.layers.0.*.linear_v", "linear_fc1_up", "linear_fc2"]
    }
    #expect(
      found == [
        "0.self_attn.q32", "0.self_attn.q16", "0.mlp.gate48", "0.mlp.down", "1.self_attn.q32",
        "1.mlp.gate48", "1.mlp.down",
      ])
  }

  @Test("Hugging Face's modules get a pair for each tensor, by name, ending, pattern or all")
  func parts() throws {
    let all = [
      "0.self_attn.q#0", "0.self_attn.q#1", "0.self_attn.q#2", "0.self_attn.o#0", "0.mlp.gate#0",
      "0.mlp.gate#1", "0.mlp.down#0",
    ]
    let both = all + all.map { "1" + $0.dropFirst() }
    #expect(
      try places {
        $0.kind = .parts
        $0.targets = ["*_proj"]
      } == both)
    #expect(
      try places {
        $0.kind = .parts
        $0.matchesAll = true
      } == both)
    #expect(
      try places {
        $0.kind = .parts
        $0.targets = ["q_proj", "layers.1.mlp.up_proj", "model.layers.0.*.v_proj"]
      } == ["0.self_attn.q#0", "0.self_attn.q#2", "1.self_attn.q#0", "1.mlp.gate#1"])
    #expect(
      try places {
        $0.kind = .parts
        $0.excluded = ["*.mlp.*", "o_proj"]
      } == both.filter { $0.contains("self_attn.q") })
  }

  @Test("targets that the model has not are an error that names what there is")
  func noTargets() throws {
    let settings = try settings { $0.targets = ["linear_kqv"] }
    #expect(
      throws: RunningError.noTargets(
        wanted: ["linear_kqv"], found: ["linear_fc1", "linear_fc2", "linear_proj", "linear_qkv"])
    ) { try model(settings) }
  }

  @Test(
    "training adapters of any kind lowers the loss and leaves every weight as it was",
    arguments: AdapterSettings.Kind.allCases)
  func leavesWeights(_ kind: AdapterSettings.Kind) throws {
    var settings = try settings {
      $0.kind = kind
      switch kind {
      case .lora, .dora: $0.targets = ["linear_qkv", "linear_fc2"]
      case .canonical: $0.targets = ["linear_k", "linear_fc1_gate"]
      case .parts: $0.targets = ["*_proj"]
      }
    }
    settings.length.steps = 12
    settings.batch.global = 24
    let before = try model(settings)
    let (run, told) = try SmallRun.run(settings)
    for (old, new) in zip(before.parameters, run.model.parameters) {
      #expect(old.value.values == new.value.values, "\(old.name)")
    }
    let learned = zip(before.learned, run.model.learned)
    #expect(learned.allSatisfy { $0.value.values != $1.value.values })
    #expect(run.model.learned.contains { $0.name.hasSuffix("magnitude") } == (kind == .dora))
    #expect(told.losses[11] < told.losses[0] - 0.05)
    #expect(run.description.trained == run.model.learned.reduce(0) { $0 + $1.value.count })
  }
}

extension AdapterRunTests {
  @Test("dropout is the same again, changes what is learned and nothing that is judged")
  func dropout() throws {
    var plain = try settings {
      $0.targets = ["linear_qkv", "linear_proj", "linear_fc1", "linear_fc2"]
    }
    plain.length.steps = 6
    plain.validation.every = 1
    plain.validation.data = .rows(SmallRun.sentences(6))
    var settings = plain
    settings.adapters?.dropout = 0.3
    let first = try SmallRun.run(settings).told
    #expect(try SmallRun.run(settings).told.losses == first.losses)
    let without = try SmallRun.run(plain).told
    // B is still zero in the first step, and what is left out of A's inputs is nothing yet.
    #expect(first.losses[0] == without.losses[0])
    #expect(first.steps[0].gradientNorm != without.steps[0].gradientNorm)
    #expect(zip(first.losses, without.losses).dropFirst().allSatisfy { $0 != $1 })
    settings.adapters?.dropsInputs = false
    #expect(try SmallRun.run(settings).told.losses.last != first.losses.last)
    settings.recomputes = true
    settings.adapters?.dropsInputs = true
    #expect(try SmallRun.run(settings).told.losses == first.losses)
    // Nothing is learned at a rate of zero: what is judged stays the same, whatever is left out.
    settings.schedule.rate = 0
    let judged = try SmallRun.run(settings).told.validations.map(\.loss)
    #expect(Set(judged).count == 1)
    plain.schedule.rate = 0
    #expect(try SmallRun.run(plain).told.validations.map(\.loss) == judged)
  }
}
