import Foundation
import JSON
import Support
import Testing
import Training

@testable import Configuration

/// What counts more: the command line than a file, a file than a recipe, a recipe than a default.
@Suite struct LayerTests {
  @Test("each layer counts more than those below it, and every value says where it is from")
  func precedence() throws {
    try with("train:\n  train_iters: 30\n  micro_batch_size: 2\noptimizer: {lr: 3.0e-4}\n") {
      file in
      let run = try RunConfiguration(
        purpose: .finetune, file: file, recipe: "llama32_1b",
        overrides: ["--model", demo, "optimizer.lr=5e-4"])
      #expect(run.settings.schedule.rate == 5e-4)
      #expect(run.value("optimizer.lr")?.origin == .commandLine(word: 3, text: "optimizer.lr=5e-4"))
      #expect(run.settings.length.steps == 30)
      #expect(run.value("train.train_iters")?.origin.description == "\(file):2")
      #expect(run.settings.batch.global == 128)
      #expect(run.value("train.global_batch_size")?.origin == .recipe("llama32_1b"))
      #expect(run.value("checkpoint.save_optim")?.origin == .default)
    }
  }

  @Test(
    "variables of the environment are filled in, with defaults, in whole values and inside texts")
  func variables() throws {
    setenv("ISTHMUS_TEST_RATE", "6e-4", 1)
    defer { unsetenv("ISTHMUS_TEST_RATE") }
    let text = """
      optimizer: {lr: "${ISTHMUS_TEST_RATE}"}
      train: {train_iters: "${oc.env:ISTHMUS_TEST_NONE,12}"}
      checkpoint: {pretrained_checkpoint: MODEL, save: "runs/${ISTHMUS_TEST_NONE, a}-${train.train_iters}"}
      dataset: {dataset_root: rows.jsonl}
      logger: {wandb_project: "${ISTHMUS_TEST_NONE,null}"}
      """
    try with(text) { file in
      let run = try RunConfiguration(purpose: .finetune, file: file)
      #expect(run.settings.schedule.rate == 6e-4)
      #expect(run.value("optimizer.lr")?.origin == .environment("ISTHMUS_TEST_RATE"))
      #expect(run.settings.length.steps == 12)
      #expect(run.settings.saving.folder == "runs/a-12")
      #expect(run.settings.watching.weightsAndBiases == nil)
    }
    try with("optimizer: {lr: \"${ISTHMUS_TEST_NONE}\"}\n") { file in
      let found = sentence {
        _ = try RunConfiguration(
          purpose: .finetune, file: file,
          overrides: Array(least.prefix(2)) + ["train.train_iters=5"])
      }
      #expect(found.contains("The environment has no variable ISTHMUS_TEST_NONE"))
    }
  }

  @Test("a key that nobody knows is refused with its place, or left out where that is asked for")
  func unknown() throws {
    let text = "train: {train_iters: 1}\noptimizer:\n  lr: 1.0e-3\n  lerning: 1\n"
    try with(text) { file in
      let words = Array(least.prefix(2))
      let found = sentence {
        _ = try RunConfiguration(purpose: .finetune, file: file, overrides: words)
      }
      #expect(found.hasPrefix("\(file):4:12: optimizer.lerning: There is no such key."))
      let run = try RunConfiguration(
        purpose: .finetune, file: file, overrides: words, allowsUnknown: true)
      #expect(run.unknown == ["optimizer.lerning"])
    }
  }

  @Test("keys without effect are gathered in one line")
  func ineffective() throws {
    let run = try RunConfiguration(
      purpose: .finetune,
      overrides: least + [
        "ddp.overlap_grad_reduce=true", "model.cuda_graph_impl=local",
        "comm_overlap.tp_comm_overlap=true",
        "model.tensor_model_parallel_size=2",
      ])
    #expect(
      run.ineffective == [
        "comm_overlap.tp_comm_overlap", "ddp.overlap_grad_reduce",
        "model.tensor_model_parallel_size",
        "model.cuda_graph_impl",
      ])
    #expect(run.notes.filter { $0.contains("have no effect here") }.count == 1)
  }

  @Test(
    "what is not done is refused, not left out",
    arguments: [
      ("optimizer.optimizer=muon", "Only adam"),
      ("mixed_precision=fp16_mixed", "not computed here"),
      ("mixed_precision=bf16_with_fp8_delayed_scaling_mixed", "not computed here"),
      ("model.hidden_dropout=0.1", "Dropout inside the model"),
      ("train.rampup_batch_size=[8,8,100]", "Batches that grow"),
      ("checkpoint.ckpt_format=zarr", "convert reshard --format zarr"),
      ("optimizer.decoupled_weight_decay=false", "Adam instead of AdamW"),
      ("logger.mlflow_tracking_uri=http://x:1", "not to a server"),
    ])
  func refused(word: String, reason: String) {
    let words = word.hasPrefix("logger.") ? [word, "logger.mlflow_experiment=e"] : [word]
    let found = sentence {
      _ = try RunConfiguration(purpose: .finetune, overrides: least + words)
    }
    #expect(found.contains(reason), "\(found)")
  }

  @Test("fine-tuning on own data needs no more than a model and data")
  func plain() throws {
    let words = ["--model", demo, "--data", "rows.jsonl"]
    let whole = try RunConfiguration(purpose: .finetune, overrides: words).settings
    #expect(whole.length.epochs == 1 && whole.length.steps == nil && whole.schedule.rate == 1e-5)
    let adapted = try RunConfiguration(
      purpose: .finetune, peft: "lora",
      overrides: words + ["-ms", "3", "-mb", "2", "--warmup_iters", "1"]
    ).settings
    #expect(adapted.length.epochs == nil && adapted.length.steps == 3)
    #expect(adapted.batch.global == 2 && adapted.schedule.rate == 1e-4)
    #expect(adapted.schedule.warmUp == .steps(1) && adapted.saving.folder != nil)
  }

  @Test("fine-tuning without weights says how to import them")
  func missing() {
    let found = sentence {
      _ = try RunConfiguration(purpose: .finetune, recipe: "llama31_8b", overrides: [])
    }
    #expect(found.contains("convert import --hf-model meta-llama/Llama-3.1-8B --megatron-path"))
  }

  @Test("--peft puts adapters on, changes their kind, or takes them away")
  func adapters() throws {
    func adapters(_ peft: String?, _ more: String...) throws -> AdapterSettings? {
      try RunConfiguration(purpose: .finetune, peft: peft, overrides: least + more).settings
        .adapters
    }
    #expect(try adapters(nil) == nil)
    #expect(try adapters("lora")?.rank == 32)
    #expect(try adapters("dora")?.alpha == 64)
    #expect(try adapters("none", "peft.dim=4") == nil)
    #expect(try adapters(nil, "peft_scheme=lora", "peft.dim=4")?.rank == 4)
    #expect(sentence { _ = try adapters("lora2") }.contains("none, lora or dora"))
  }

  @Test("a file of Megatron-Bridge's own is one to begin with")
  func runConfig() throws {
    for path in [
      "formats/bridge_lora_tp2/iter_0000010", "bridge/llama/lora_canonical/iter_0000005",
    ] {
      let file = Support.fixtures.appending(path: path + "/run_config.yaml").path
      let run = try RunConfiguration(
        purpose: .finetune, file: file,
        overrides: least + ["train.global_batch_size=4", "train.micro_batch_size=1"])
      #expect(run.settings.adapters != nil, "\(path)")
      #expect(run.settings.length.steps == 5)
    }
  }
}
