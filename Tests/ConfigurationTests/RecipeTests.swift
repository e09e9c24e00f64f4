import Architectures
import Blueprint
import Foundation
import JSON
import Support
import Testing
import Training

@testable import Configuration

/// The recipes: their numbers against NeMo's and Megatron-Bridge's, their models against counted ones.
@Suite struct RecipeTests {
  private func run(
    _ name: String, _ purpose: RunPurpose, peft: String? = nil, _ words: [String] = []
  ) throws -> RunConfiguration {
    let recipe = try Recipe.named(name)
    let model = purpose == .finetune ? ["checkpoint.pretrained_checkpoint=\(demo)"] : []
    return try RunConfiguration(
      purpose: purpose, recipe: name, peft: peft, overrides: model + recipe.unknownSizes + words)
  }

  @Test("a recipe's model has as many parameters as the published one")
  func parameters() throws {
    let models = [
      "phi3_mini_4k_instruct": "phi_3_mini_4k", "phi3_mini_128k_instruct": "phi_3_mini_128k",
      "phi3_small_8k_instruct": "phi_3_small_8k", "llama3_8b": "llama_3_8b",
      "llama3_70b": "llama_3.1_70b", "llama31_8b": "llama_3.1_8b", "llama31_70b": "llama_3.1_70b",
      "llama31_405b": "llama_3.1_405b", "llama32_1b": "llama_3.2_1b",
      "nemotron_3_nano": "nemotron_3_nano_30b_a3b",
    ]
    #expect(Set(models.keys) == Set(Recipe.all.map(\.name)).subtracting(["story_3m"]))
    for (name, counted) in models {
      let file = Support.fixtures.appending(path: "counts/\(counted).json")
      let text = Array(try Data(contentsOf: file))
      let object = try #require(try JSON(parsing: text, allowingNonFinite: true).object)
      guard case .fresh(let configuration) = try run(name, .pretrain).settings.model else {
        Issue.record("\(name) begins with weights")
        continue
      }
      let parameters = try Registry.blueprint(configuration).blueprint.parameters
      // Buffers that a checkpoint stores besides are counted apart there.
      let wanted = (object["parameters"]?.integer ?? 0) + (object["buffers"]?.integer ?? 0)
      #expect(parameters == wanted, "\(name)")
    }
  }

  @Test("NeMo's numbers: how long, how large, how fast, which adapters")
  func nemo() throws {
    // Rank, alpha, global batch of fine-tuning, tokens of a sample of pretraining.
    let table: [(String, Int, Double, Int, Int)] = [
      ("phi3_mini_4k_instruct", 8, 16, 128, 4096), ("llama3_8b", 8, 16, 128, 8192),
      ("llama3_70b", 16, 32, 128, 8192), ("llama31_8b", 8, 16, 128, 8192),
      ("llama31_70b", 16, 32, 128, 8192), ("llama31_405b", 16, 32, 6, 8192),
      ("llama32_1b", 8, 16, 128, 8192),
    ]
    for (name, rank, alpha, batch, length) in table {
      let fresh = try run(name, .pretrain).settings
      #expect(fresh.batch.global == 512 && fresh.batch.micro == 1, "\(name)")
      #expect(fresh.length.steps == 1_168_251)
      #expect(fresh.schedule.rate == 3e-4 && fresh.schedule.leastRate == 3e-5)
      #expect(fresh.schedule.warmUp == .steps(2000) && fresh.schedule.decay == .cosine)
      #expect(fresh.optimiser.beta1 == 0.9 && fresh.optimiser.beta2 == 0.95)
      #expect(fresh.optimiser.eps == 1e-5 && fresh.schedule.endDecay == 0.1)
      #expect(fresh.validation.every == 2000 && fresh.validation.batches == 32)
      #expect(fresh.numbers == .bfloat16 && fresh.trainer.clip == 1)
      guard case .indexed(let plan, _) = fresh.data, case .mock = plan.source else {
        Issue.record("\(name): made-up data were expected")
        continue
      }
      #expect(plan.length == length)

      let tuned = try run(name, .finetune).settings
      let adapters = try #require(tuned.adapters, "\(name)")
      #expect(adapters.rank == rank && adapters.alpha == alpha && adapters.kind == .lora)
      #expect(tuned.batch.global == batch && tuned.length.steps == 1000)
      #expect(tuned.schedule.rate == 1e-4 && tuned.schedule.leastRate == 0)
      #expect(tuned.schedule.warmUp == .steps(50) && tuned.optimiser.beta2 == 0.98)
      #expect(tuned.validation.every == 30 && tuned.saving.every == 50 && tuned.saving.keeps == 2)
      let whole = try run(name, .finetune, peft: "none").settings
      #expect(whole.adapters == nil && whole.schedule.rate == 5e-6)
      #expect(try run(name, .finetune, peft: "dora").settings.adapters?.kind == .dora)

      guard
        case .rows(let packed) = try run(name, .finetune, ["packed_sequence=true"]).settings.data,
        case .rows(let plain) = tuned.data
      else {
        Issue.record("\(name): rows were expected")
        continue
      }
      #expect(plain.packedSize == nil && plain.format.length == 2048 && plain.files == ["squad"])
      #expect(packed.packedSize == (name == "llama31_405b" ? 2048 : 4096))
    }
  }

  @Test("Nemotron 3 Nano's numbers are those of Megatron-Bridge's recipe")
  func nemotron() throws {
    let file = Support.fixtures.appending(path: "overrides/nemotron_3_nano.json")
    let wanted = try #require(try JSON(parsing: Array(Data(contentsOf: file))).object)
    for variant in ["pretrain", "none", "lora", "dora"] {
      let found = try run(
        "nemotron_3_nano", variant == "pretrain" ? .pretrain : .finetune,
        peft: variant == "pretrain" ? nil : variant)
      let members = try #require(wanted[variant]?.object).members
      #expect(members.count > 20)
      for (key, value) in members where !key.hasPrefix("model.") || key == "model.seq_length" {
        // Later versions' name for the same two.
        let ours = key.replacingOccurrences(of: "train.eval", with: "validation.eval")
        let entry = try #require(found.value(ours)?.value, "\(variant) \(key)")
        if let number = value.double {
          #expect(entry.double == number, "\(variant) \(key)")
        } else {
          #expect(entry == value, "\(variant) \(key)")
        }
      }
    }
    guard case .fresh(let configuration) = try run("nemotron_3_nano", .pretrain).settings.model
    else {
      Issue.record("a fresh model was expected")
      return
    }
    let shape = try #require(wanted["pretrain"]?.object)
    #expect(configuration["num_hidden_layers"] == shape["model.num_layers"])
    #expect(configuration["hidden_size"] == shape["model.hidden_size"])
    #expect(configuration["n_routed_experts"] == shape["model.num_moe_experts"])
    #expect(configuration["num_experts_per_tok"] == shape["model.moe_router_topk"])
  }

  @Test("every recipe can be made small with Megatron's keys", arguments: Recipe.all.map(\.name))
  func small(name: String) throws {
    var words = [
      "model.hidden_size=64", "model.ffn_hidden_size=96", "model.num_attention_heads=4",
      "model.num_query_groups=2", "model.vocab_size=256", "-sl", "32",
    ]
    if name == "nemotron_3_nano" {
      words += [
        "model.hybrid_override_pattern='ME*E'", "model.kv_channels=16", "model.mamba_num_heads=4",
        "model.mamba_head_dim=16", "model.mamba_state_dim=8", "model.mamba_num_groups=2",
        "model.num_moe_experts=4", "model.moe_router_topk=2",
        "model.moe_shared_expert_intermediate_size=32",
      ]
    } else {
      words.append("model.num_layers=2")
    }
    if name == "llama32_1b" { words.append("model.kv_channels=16") }
    if name == "story_3m" { words.append("dataset.mock=true") }
    let run = try run(name, .pretrain, words)
    guard case .fresh(let configuration) = run.settings.model else {
      Issue.record("a fresh model was expected")
      return
    }
    let blueprint = try Registry.blueprint(configuration).blueprint
    #expect(blueprint.frame.width == 64 && blueprint.frame.vocabulary == 256)
    #expect(blueprint.stackDepth == (name == "nemotron_3_nano" ? 4 : 2))
    #expect(run.ineffective.isEmpty)
  }

  @Test("a size that a model cannot have is refused, and weights cannot be given another")
  func impossible() throws {
    func wrong(_ words: String...) -> String {
      sentence { _ = try run("llama32_1b", .pretrain, words) }
    }
    #expect(wrong("model.num_moe_experts=4").contains("no such size"))
    #expect(wrong("model.normalization=LayerNorm").contains("comes out as \"RMSNorm\""))
    let tuned = try run("llama32_1b", .finetune, ["model.num_layers=3"])
    let config = try JSON(parsing: Array(Data(contentsOf: URL(filePath: demo + "/config.json"))))
    let blueprint = try Registry.blueprint(try #require(config.object)).blueprint
    #expect(sentence { try tuned.check(blueprint) }.contains("The weights have"))
  }

  @Test(
    "a recipe's text, written to a file, is the same configuration",
    arguments: Recipe.all.map(\.name))
  func text(name: String) throws {
    let recipe = try Recipe.named(name)
    for purpose in recipe.purposes {
      for scheme in purpose == .finetune ? AdapterScheme.allCases : [.none] {
        let byName = try run(name, purpose, peft: scheme.rawValue)
        let words =
          (purpose == .finetune ? ["checkpoint.pretrained_checkpoint=\(demo)"] : [])
          + recipe.unknownSizes
        try with(try recipe.text(purpose, scheme)) { file in
          let byFile = try RunConfiguration(purpose: purpose, file: file, overrides: words)
          let (left, right) = (byName.effective(), byFile.effective())
          #expect(left.map(\.key) == right.map(\.key), "\(name) \(scheme)")
          for (one, other) in zip(left, right) { #expect(one.value == other.value, "\(one.key)") }
        }
      }
    }
  }

  @Test("a misspelt recipe is refused with the one that was meant")
  func misspelt() {
    #expect(sentence { _ = try Recipe.named("llama3_8") }.contains("Did you mean llama3_8b?"))
  }
}
