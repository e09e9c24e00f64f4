import Foundation
import JSON
import Support
import Testing

/// The commands that train, run as a user runs them.
@Suite struct FinetuneTests {
  private let demo = Support.fixtures.appending(path: "demo").path

  private func object(_ text: String) throws -> JSONObject {
    try #require(try JSON(parsing: Array(text.utf8)).object)
  }

  @Test("a dry run tells each value's origin, sizes and time, and writes nothing")
  func dryRun() throws {
    try Support.withTemporaryFolder { folder in
      let arguments = [
        "finetune", "--recipe", "llama32_1b", "--model", demo, "--data", "rows.jsonl", "-sl", "64",
        "ddp.overlap_grad_reduce=true", "--dry-run",
      ]
      let outcome = try program.run(arguments + ["--json"], in: folder)
      #expect(outcome.status == 0, "\(outcome.error)")
      let plan = try object(outcome.output)
      let values = try #require(plan["configuration"]?.object)
      #expect(values["dataset.seq_length"]?.object?["origin"] == .string("command line"))
      #expect(values["optimizer.lr"]?.object?["origin"] == .string("recipe llama32_1b"))
      let estimate = try #require(plan["estimate"]?.object)
      #expect(estimate["parameters"] == .integer(722_048))
      // Rank 8 on the four kinds of matrices of four blocks.
      let trained = try #require(estimate["trained"]?.integer)
      #expect(trained > 0 && trained < 722_048)
      #expect(plan["ineffective"]?.array == [.string("ddp.overlap_grad_reduce")])
      let text = try program.run(arguments, in: folder)
      #expect(text.output.contains("checkpoints"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
  }

  @Test("wrong words end with 1 and their place")
  func wrong() throws {
    let outcome = try program.run(
      ["finetune", "--model", demo, "-ms", "3", "--data", "rows.jsonl", "optimizer.lrr=1"])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("word 8 (optimizer.lrr=1)"), "\(outcome.error)")
    #expect(outcome.error.contains("Did you mean optimizer.lr?"))
    let missing = try program.run(["finetune", "--recipe", "llama3_8b"])
    #expect(missing.status == 1)
    #expect(missing.error.contains("convert import --hf-model meta-llama/Meta-Llama-3-8B"))
  }

  @Test("recipes are listed, shown and copied, and a copy is a configuration")
  func recipes() throws {
    try Support.withTemporaryFolder { folder in
      let list = try program.run(["recipes"])
      #expect(list.output.contains("nemotron_3_nano") && list.output.contains("story_3m"))
      let shown = try program.run(["recipes", "show", "llama31_405b", "--for", "pretrain"])
      #expect(shown.status == 0, "\(shown.error)")
      #expect(shown.output.contains("405,853,388,800"))
      let copied = try program.run(
        ["recipes", "copy", "llama32_1b", "--peft", "dora", "my.yaml"], in: folder)
      #expect(copied.status == 0, "\(copied.error)")
      let again = try program.run(["recipes", "copy", "llama32_1b", "my.yaml"], in: folder)
      #expect(again.status != 0)
      let plan = try program.run(
        ["finetune", "my.yaml", "--model", demo, "--data", "rows.jsonl", "--dry-run", "--json"],
        in: folder)
      #expect(plan.status == 0, "\(plan.error)\(plan.output)")
      let values = try #require(try object(plan.output)["configuration"]?.object)
      #expect(
        values["peft._target_"]?.object?["value"] == .string("megatron.bridge.peft.dora.DoRA"))
    }
  }

  @Test("Automodel's older command line is understood")
  func older() throws {
    try Support.withTemporaryFolder { folder in
      let text = """
        step_scheduler: {max_steps: 3, global_batch_size: 2}
        model: {pretrained_model_name_or_path: nobody/here}
        dataset: {_target_: nemo_automodel.components.datasets.llm.squad.make_squad_dataset}
        """
      try text.write(to: folder.appending(path: "a.yaml"), atomically: true, encoding: .utf8)
      let outcome = try program.run(
        [
          "finetune", "llm", "-c", "a.yaml", "--model.pretrained_model_name_or_path", demo,
          "--dry-run", "--json",
        ], in: folder)
      #expect(outcome.status == 0, "\(outcome.error)\(outcome.output)")
    }
  }
}
