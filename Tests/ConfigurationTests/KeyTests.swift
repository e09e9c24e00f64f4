import Foundation
import Support
import Testing

@testable import Configuration

/// Every key of the reference's lists is decided: it has an effect, is noted, or is refused with a reason; none is unknown.
@Suite struct KeyTests {
  /// The fields of the classes of a part of the list, with their defaults as they stand there.
  private static func fields(_ from: String, _ to: String?) -> [String: [(String, String)]] {
    guard let folder = Support.reference,
      let text = try? String(contentsOf: folder.appending(path: "CONFIG_KEYS.md"), encoding: .utf8),
      let start = text.range(of: from)
    else { return [:] }
    let end = to.flatMap { text.range(of: $0)?.lowerBound } ?? text.endIndex
    var found: [String: [(String, String)]] = [:]
    var name = ""
    for line in text[start.upperBound..<end].split(separator: "\n") {
      if line.hasPrefix("### ") {
        name = String(line.dropFirst(4).prefix { $0 != "(" && $0 != " " })
      } else if line.hasPrefix("  "), let colon = line.firstIndex(of: ":") {
        let key = line[..<colon].trimmingCharacters(in: .whitespaces)
        let value = line.range(of: " = ").map { String(line[$0.upperBound...]) } ?? "null"
        found[name, default: []].append((key, value))
      }
    }
    return found
  }

  /// A default as YAML, as far as it is a plain one.
  private static func plain(_ value: String) -> String {
    if value == "True" || value == "False" { return value.lowercased() }
    if value.hasPrefix("'"), value.hasSuffix("'") { return value }
    if Double(value.replacingOccurrences(of: "_", with: "")) != nil { return value }
    return "null"
  }

  @Test("of Megatron-Bridge", arguments: bridgeClasses)
  func megatron(name: String, section: String) throws {
    guard Support.reference != nil else { return }
    let fields = try #require(Self.fields("## A.", "## B.")[name])
    for (key, value) in fields where !key.hasPrefix("_") {
      // Keys of a section that is none at the peer either.
      if section == "model", key == "lora_dtype" { continue }
      let word = "++\(section).\(key)=\(Self.plain(value))"
      let found = sentence {
        _ = try RunConfiguration(purpose: .finetune, overrides: least + [word])
      }
      #expect(!found.contains("There is no such key"), "\(word): \(found)")
    }
  }

  @Test(
    "of Megatron-Bridge's main branch",
    arguments: [
      "validation.eval_iters=3", "validation.eval_interval=3", "validation.skip_train=false",
      "env_vars.A=b", "train.num_epochs=2", "scheduler.max_steps=9",
      "checkpoint.also_save_hf_checkpoint=true", "checkpoint.hf_source_path=x",
      "checkpoint.hf_distributed_save=true", "checkpoint.hf_save_every_n_ranks=1",
      "checkpoint.storage_writers_per_rank=1", "checkpoint.async_strategy=nvrx",
      "dataset.per_dataset_sequences_path=x", "logger.comet_project=x",
      "logger.mlflow_description=x", "logger.mlflow_log_artifacts=true",
      "logger.skip_train_metrics_log=true",
    ])
  func newer(word: String) throws {
    _ = try RunConfiguration(purpose: .finetune, overrides: least + [word])
  }

  @Test("of Automodel", arguments: automodelClasses)
  func automodel(name: String, section: String) throws {
    guard Support.reference != nil else { return }
    let fields = try #require(Self.fields("## B.", nil)[name])
    // What a loader is given by the recipe, and no key of a file.
    let given = [
      "dataset_config", "packing", "batch_sampler_config", "dataset_build_schedule", "seed",
    ]
    let text = """
      step_scheduler: {max_steps: 3}
      model: {pretrained_model_name_or_path: \(demo)}
      dataset: {_target_: nemo_automodel.components.datasets.llm.squad.make_squad_dataset}
      peft: {match_all_linear: true}
      """
    try with(text) { file in
      for (key, value) in fields where !(section == "dataloader" && given.contains(key)) {
        let found = sentence {
          _ = try RunConfiguration(
            purpose: .finetune, file: file, overrides: ["++\(section).\(key)=\(Self.plain(value))"])
        }
        #expect(!found.contains("There is no such key"), "\(section).\(key): \(found)")
      }
    }
  }
}

/// Classes of the list, and the sections that hold them.
private let bridgeClasses = [
  ("RNGConfig", "rng"), ("RerunStateMachineConfig", "rerun_state_machine"),
  ("TrainingConfig", "train"), ("OptimizerConfig", "optimizer"), ("SchedulerConfig", "scheduler"),
  ("LoggerConfig", "logger"), ("TokenizerConfig", "tokenizer"),
  ("CheckpointConfig", "checkpoint"),
  ("DistributedInitConfig", "dist"), ("FaultToleranceConfig", "ft"),
  ("StragglerDetectionConfig", "straggler"), ("NVRxStragglerDetectionConfig", "nvrx_straggler"),
  ("ProfilingConfig", "profiling"), ("LoRA", "peft"), ("DoRA", "peft"), ("ModuleMatcher", "peft"),
  ("MixedPrecisionConfig", "mixed_precision"), ("TensorInspectConfig", "tensor_inspect"),
  ("InProcessRestartConfig", "inprocess_restart"), ("DistributedDataParallelConfig", "ddp"),
  ("GPTDatasetConfig", "dataset"), ("BlendedMegatronDatasetConfig", "dataset"),
  ("FinetuningDatasetConfig", "dataset"), ("HFDatasetConfig", "dataset"),
  ("DataloaderConfig", "dataset"), ("PackedSequenceSpecs", "dataset.packed_sequence_specs"),
  ("GPTModelProvider", "model"),
]

private let automodelClasses = [
  ("StepSchedulerConfig", "step_scheduler"), ("CheckpointingConfig", "checkpoint"),
  ("PeftConfig", "peft"), ("AdamWConfig", "optimizer"), ("OptimizerConfig", "optimizer"),
  ("FusedAdamConfig", "optimizer"), ("FlashAdamWConfig", "optimizer"),
  ("LRSchedulerConfig", "lr_scheduler"), ("FSDP2Config", "distributed"),
  ("MegatronFSDPConfig", "distributed"), ("DDPConfig", "distributed"), ("WandbConfig", "wandb"),
  ("MLflowConfig", "mlflow"), ("CometConfig", "comet"), ("DataloaderConfig", "dataloader"),
  ("PackingConfig", "packed_sequence"), ("ThdPackingConfig", "packed_sequence"),
  ("NeatPackingConfig", "packed_sequence"), ("MaskedCrossEntropyConfig", "loss_fn"),
  ("FusedLinearCEConfig", "loss_fn"), ("ChunkedCEConfig", "loss_fn"),
  ("CompileConfig", "compile"), ("SquadConfig", "dataset"),
]
