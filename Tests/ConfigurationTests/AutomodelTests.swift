import Data
import Foundation
import JSON
import Support
import Testing
import Training

@testable import Configuration

/// Automodel's YAML files.
@Suite struct AutomodelTests {
  /// The shape of examples/llm_finetune/llama3_2/llama3_2_1b_squad.yaml.
  private static let squad = """
    recipe: TrainFinetuneRecipeForNextTokenPrediction
    step_scheduler:
      global_batch_size: 64
      local_batch_size: 8
      ckpt_every_steps: 1000
      val_every_steps: 10
      num_epochs: 1
    dist_env: {backend: nccl, timeout_minutes: 1}
    rng: {_target_: nemo_automodel.components.training.rng.StatefulRNG, seed: 1111, ranked: true}
    model:
      _target_: nemo_automodel.NeMoAutoModelForCausalLM.from_pretrained
      pretrained_model_name_or_path: meta-llama/Llama-3.2-1B
    compile: {enabled: false, mode: default, fullgraph: false, dynamic: true, backend: null}
    clip_grad_norm: {max_norm: 0.5}
    distributed: {strategy: fsdp2, dp_size: none, tp_size: 1, cp_size: 1, activation_checkpointing: true}
    loss_fn: {_target_: nemo_automodel.components.loss.masked_ce.MaskedCrossEntropy}
    dataset:
      _target_: nemo_automodel.components.datasets.llm.squad.make_squad_dataset
      dataset_name: rajpurkar/squad
      split: train
    packed_sequence: {packed_sequence_size: 0}
    dataloader:
      _target_: torchdata.stateful_dataloader.StatefulDataLoader
      collate_fn: nemo_automodel.components.datasets.utils.default_collater
      shuffle: false
    validation_dataset:
      _target_: nemo_automodel.components.datasets.llm.squad.make_squad_dataset
      dataset_name: rajpurkar/squad
      split: validation
      limit_dataset_samples: 64
    validation_dataloader:
      _target_: torchdata.stateful_dataloader.StatefulDataLoader
      collate_fn: nemo_automodel.components.datasets.utils.default_collater
    optimizer: {_target_: torch.optim.Adam, betas: [0.9, 0.98], eps: 1e-8, lr: 1.0e-5, weight_decay: 0}
    lr_scheduler: {lr_decay_style: cosine, min_lr: 1.0e-6}
    ci: {recipe_owner: someone}

    """

  private static let peft = """
    peft:
      _target_: nemo_automodel.components._peft.lora.PeftConfig
      target_modules: '*_proj'
      dim: 16
      alpha: 32
      use_triton: True

    """

  private func run(_ text: String, _ words: String...) throws -> RunConfiguration {
    try with(text) { try RunConfiguration(purpose: .finetune, file: $0, overrides: words) }
  }

  @Test("the example for SQuAD is read as it is, with Automodel's defaults")
  func example() throws {
    let settings = try run(Self.squad, "--model", demo).settings
    #expect(settings.batch.global == 64 && settings.batch.micro == 8)
    #expect(settings.length.epochs == 1 && settings.length.steps == nil)
    #expect(settings.saving.every == 1000 && settings.saving.atEpochs)
    #expect(settings.saving.folder == "checkpoints/" && settings.saving.huggingFace == .atEnd)
    #expect(settings.validation.every == 10 && settings.validation.whenSaving)
    #expect(settings.trainer.averaging == .tokens && settings.trainer.clip == 0.5)
    #expect(settings.optimiser.beta2 == 0.98 && settings.schedule.endDecay == 0)
    #expect(settings.schedule.rate == 1e-5 && settings.schedule.leastRate == 1e-6)
    #expect(settings.schedule.firstRate == 0.1 * 1e-5 && settings.schedule.warmUp == .tenth)
    #expect(settings.schedule.decay == .cosine && settings.recomputes)
    #expect(settings.batch.order == .stored && settings.seed == 1111)
    #expect(settings.adapters == nil)
    guard case .rows(let data) = settings.data, case .rows(let held)? = settings.validation.data,
      case .weights(let model, _, _) = settings.model
    else {
      Issue.record("rows and weights were expected")
      return
    }
    #expect(model == demo && data.tokenizer == demo)
    #expect(data.files == ["rajpurkar/squad"] && data.format.style == .automodel)
    #expect(held.split.name == "validation" && held.limit == 64)
  }

  @Test("its variant with adapters puts them on Hugging Face's matrices")
  func adapters() throws {
    let adapters = try #require(try run(Self.squad + Self.peft, "--model", demo).settings.adapters)
    #expect(adapters.kind == .parts && adapters.targets == ["*_proj"])
    #expect(adapters.rank == 16 && adapters.alpha == 32 && !adapters.dropsInputs)
  }

  @Test("both ways of its command line change its keys")
  func words() throws {
    let settings = try run(
      Self.squad, "--step_scheduler.max_steps", "20", "--step_scheduler.local_batch_size=4",
      "optimizer.lr=2e-5", "-gb", "16", "--model.pretrained_model_name_or_path", demo
    ).settings
    #expect(settings.length.steps == 20 && settings.batch.micro == 4)
    #expect(settings.batch.global == 16 && settings.schedule.rate == 2e-5)
  }

  @Test("without a schedule the rate stays; sections may do without _target_")
  func plain() throws {
    let text = """
      recipe: {_target_: nemo_automodel.recipes.llm.train_ft.TrainFinetuneRecipeForNextTokenPrediction}
      seed: 7
      step_scheduler: {max_steps: 3}
      model: {pretrained_model_name_or_path: MODEL}
      dataset: {path_or_dataset_id: chats.jsonl}
      optimizer: {lr: 1.0e-4}
      """
    let settings = try run(text).settings
    #expect(settings.schedule.decay == .constant && settings.schedule.endDecay == 0.01)
    #expect(settings.batch.global == 32 && settings.length.epochs == 10)
    #expect(settings.batch.order == .torch(seed: 7) && settings.optimiser.decaysVectors)
    #expect(settings.validation.data == nil || settings.validation.every == nil)
  }

  @Test(
    "what is not done is refused",
    arguments: [
      ("fp8: {enabled: true}", "8 bits"), ("quantization: {load_in_4bit: true}", "4 or 8 bits"),
      ("neftune: {noise_alpha: 5}", "Noise"), ("qat: {enabled: true}", "quantised"),
    ])
  func refused(section: String, reason: String) {
    #expect(sentence { _ = try run(Self.squad + section + "\n", "--model", demo) }.contains(reason))
  }

  @Test(
    "Adam's decay in the gradient, other optimisers, other recipes are refused; a misspelt key is found"
  )
  func wrong() {
    func found(_ words: String...) -> String {
      sentence {
        _ = try with(Self.squad) {
          try RunConfiguration(purpose: .finetune, file: $0, overrides: ["--model", demo] + words)
        }
      }
    }
    #expect(found("optimizer.weight_decay=0.1").contains("take torch.optim.AdamW"))
    #expect(found("optimizer._target_=dion.Muon").contains("not dion.Muon"))
    #expect(found("recipe=nemo_automodel.recipes.vlm.FinetuneRecipeForVLM").contains("only"))
    #expect(
      found("step_scheduler.max_step=3").contains("Did you mean step_scheduler.max_steps?"))
    #expect(found("train.train_iters=3").contains("train"))
  }
}
