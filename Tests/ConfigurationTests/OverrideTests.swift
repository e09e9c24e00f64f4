import Foundation
import JSON
import Support
import Testing

@testable import Configuration

/// Words of the command line, against what Hydra makes of them.
@Suite struct OverrideTests {
  private struct Case: Sendable {
    var words: [String]
    var result: JSON?
  }

  private static let fixture: (base: JSON, cases: [Case]) = {
    let file = Support.fixtures.appending(path: "overrides/hydra.json")
    guard let data = try? Data(contentsOf: file),
      let object = try? JSON(parsing: Array(data)).object, let base = object["base"]
    else { return (.null, []) }
    let cases = (object["cases"]?.array ?? []).map { entry in
      Case(
        words: (entry.object?["words"]?.array ?? []).compactMap(\.string),
        result: entry.object?["result"])
    }
    return (base, cases)
  }()

  private func applied(_ words: [String], to base: JSON) throws -> JSON {
    var root = try ConfigurationNode(parsing: Array(base.serialized().utf8)) { line, column in
      .recipe("base \(line):\(column)")
    }
    let parsed = try CommandWords(
      words.enumerated().map { CommandWord($1, number: $0 + 1) })
    for case .override(let change) in parsed.changes { try change.apply(to: &root) }
    return root.json
  }

  @Test("overrides mean what Hydra means by them")
  func hydra() throws {
    let (base, cases) = Self.fixture
    #expect(cases.count > 30)
    for entry in cases {
      guard let wanted = entry.result else { continue }
      #expect(try applied(entry.words, to: base) == wanted, "\(entry.words)")
    }
  }

  @Test(
    "what Hydra refuses is refused: adding what is there, taking away what is not",
    arguments: ["+train.train_iters=5", "~train.save=other", "~train.missing"])
  func refused(word: String) throws {
    let (base, cases) = Self.fixture
    #expect(cases.contains { $0.words == [word] && $0.result == nil })
    #expect(throws: ConfigurationError.self) { try applied([word], to: base) }
  }

  @Test("Automodel's way of writing them is the same: --a.b v, --a.b=v, --a.b alone is true")
  func dashes() throws {
    let base = Self.fixture.base
    for words in [["--train.train_iters", "20"], ["--train.train_iters=20"]] {
      #expect(try applied(words, to: base) == applied(["train.train_iters=20"], to: base))
    }
    #expect(
      try applied(["--train.save", "--optimizer.lr", "-2"], to: base)
        == applied(["train.save=true", "optimizer.lr=-2"], to: base))
  }

  @Test("flags that people type set their keys, in any spelling and order")
  func flags() throws {
    let run = try RunConfiguration(
      purpose: .finetune,
      overrides: [
        "--pretrained_checkpoint", demo, "-ms", "7", "-gb", "8", "-mb=4", "--seq-length", "64",
        "--lr", "2e-4", "--min_lr", "1e-5", "--warmup_iters", "3", "--save_dir", "out",
        "--save_interval", "2", "--data", "rows.jsonl",
      ])
    #expect(run.settings.length.steps == 7)
    #expect(run.settings.batch.global == 8)
    #expect(run.settings.batch.micro == 4)
    #expect(run.settings.schedule.rate == 2e-4)
    #expect(run.settings.schedule.leastRate == 1e-5)
    #expect(run.settings.schedule.warmUp == .steps(3))
    #expect(run.settings.saving.folder == "out")
    #expect(run.settings.saving.every == 2)
    guard case .rows(let data) = run.settings.data else {
      Issue.record("rows were expected")
      return
    }
    #expect(data.files == ["rows.jsonl"])
    #expect(data.format.length == 64)
    #expect(data.tokenizer == demo)
  }

  @Test("a misspelt flag, key or word is refused with the one that was meant, and its place")
  func misspelt() {
    func wrong(_ words: String...) -> String {
      sentence { _ = try RunConfiguration(purpose: .finetune, overrides: least + words) }
    }
    #expect(
      wrong("optimizer.weight_deacy=2")
        == "on the command line, word 5 (optimizer.weight_deacy=2): optimizer.weight_deacy: There is no such key. Did you mean optimizer.weight_decay?"
    )
    #expect(
      wrong("--max_stps", "3").contains("There is no option --max_stps. Did you mean --max-steps?"))
    #expect(wrong("trian.train_iters=1").contains("Did you mean train?"))
    #expect(
      sentence {
        _ = try RunConfiguration(purpose: .finetune, overrides: ["train.train_iter=3"])
      }.contains("Did you mean train.train_iters?"))
    #expect(wrong("nonsense").contains("neither a configuration that can be found nor key=value"))
    #expect(wrong("train..x=1").contains("is no key"))
    #expect(wrong("optimizer.lr=[1").contains("has no end"))
    #expect(wrong("optimizer.lr=fast").contains("It must be a number, not “fast”."))
    #expect(wrong("--lr").contains("--lr needs a value."))
  }
}
