import Checkpoints
import Foundation
import Support
import Testing

/// What a card says, and that names cannot make it say anything else.
@Suite struct ModelCardTests {
  private func card(
    _ base: CardModel?, _ relation: ModelCard.Relation? = .finetune,
    kind: ModelCard.Kind = .model, branch: String? = nil
  ) -> ModelCard {
    ModelCard(
      repository: "org/new", branch: branch, summary: "LlamaForCausalLM, exported", base: base,
      relation: relation, kind: kind, tags: ["isthmus"], architecture: "LlamaForCausalLM",
      command: "convert export --hf-model org/name", version: "1.2.3")
  }

  /// A folder in a hub cache, with a card of its own.
  private func snapshot(_ folder: URL, card: String? = nil) throws -> CardModel {
    let place = folder.appending(
      path: "hub/models--org--base/snapshots/0123456789012345678901234567890123456789")
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    if let card { try Data(card.utf8).write(to: place.appending(path: "README.md")) }
    return CardModel(folder: place.path)
  }

  private func text(_ card: ModelCard, names: Set<String> = []) -> String {
    card.text(
      files: [.init(path: "model.safetensors", size: 5, sha256: "abc")], names: names,
      date: "2026-11-22")
  }

  @Test func aBaseFromTheHubIsNamedWithItsCommit() throws {
    try Support.withTemporaryFolder { folder in
      let text = try text(card(snapshot(folder)))
      #expect(text.hasPrefix("---\nbase_model: org/base\nbase_model_relation: finetune\n"))
      #expect(
        text.contains(
          "[org/base](https://huggingface.co/org/base) at commit `0123456789012345678901234567890123456789`"
        ))
      #expect(text.contains("| `model.safetensors` | 5 | `abc` |"))
      #expect(text.contains("Isthmus 1.2.3, on 2026-11-22"))
      #expect(text.contains("AutoModelForCausalLM.from_pretrained(\"org/new\", dtype=\"auto\")"))
    }
  }

  @Test func aFolderThatSaysNothingOfTheHubIsNoBaseModel() throws {
    try Support.withTemporaryFolder { folder in
      let base = CardModel(folder: folder.appending(path: "secret place/my model").path)
      let text = text(card(base))
      #expect(!text.contains("base_model"))
      #expect(text.contains("`my model`"))
      #expect(!text.contains("secret place"))
    }
  }

  @Test func theBasesLicenceLanguageAndTaskAreTakenOverAndNothingElse() throws {
    try Support.withTemporaryFolder { folder in
      let base = try snapshot(
        folder,
        card: """
          \u{FEFF}---\r
          license: other\r
          license_name: 'yes'\r
          license_link: LICENSE.md\r
          language: [en, 'no']\r
          pipeline_tag: translation\r
          datasets: [secret]\r
          ---\r
          # Base
          """)
      let text = text(card(base))
      // As PyYAML writes them: what would be read as a truth value stands in quotes.
      #expect(text.contains("\nlanguage:\n- en\n- 'no'\n"))
      #expect(text.contains("\nlicense: other\n"))
      #expect(text.contains("\nlicense_name: 'yes'\n"))
      #expect(
        text.contains(
          "\nlicense_link: https://huggingface.co/org/base/blob/"
            + "0123456789012345678901234567890123456789/LICENSE.md\n"))
      #expect(text.contains("\npipeline_tag: translation\n"))
      #expect(!text.contains("secret"))
      // A licence that lies in the folder is linked as it is.
      #expect(self.text(card(base), names: ["LICENSE.md"]).contains("\nlicense_link: LICENSE.md\n"))
    }
  }

  @Test(arguments: [
    "", "# No front matter", "---\nlicense: mit\n", "---\n{{{\n---\n",
    "---\nlicense: {a: b}\n---\n",
    "---\n- a\n---\n", "---\nlicense: !!python/object:os.system x\n---\n",
  ])
  func aCardThatCannotBeReadSaysNothing(card text: String) throws {
    try Support.withTemporaryFolder { folder in
      let written = try self.text(card(snapshot(folder, card: text)))
      #expect(!written.contains("license"))
    }
  }

  @Test func namesKeepToTheirPlaces() throws {
    var hostile = card(nil, nil)
    hostile.command = "convert export --hf-path 'a\n```\nb'"
    hostile.architecture = "A|B`C"
    hostile.facts = [("Architecture", Markdown.verbatim("A|B`C"))]
    hostile.tags = ["a: b", "- c", "null", "1.0", "#d", "e\nf"]
    let text = text(hostile)
    // A block of code ends with a longer fence than any in it.
    #expect(text.contains("````sh\n"))
    #expect(text.contains("| Architecture | `` A\\|B`C `` |"))
    #expect(text.contains("tags:\n- 'a: b'\n- '- c'\n- 'null'\n- '1.0'\n- '#d'\n- 'e\n"))
  }

  @Test func anAdapterSaysHowPEFTLoadsIt() throws {
    try Support.withTemporaryFolder { folder in
      let text = try text(
        card(snapshot(folder), .adapter, kind: .adapter, branch: "trial"))
      #expect(text.contains("\nbase_model_relation: adapter\n"))
      #expect(text.contains("\nlibrary_name: peft\n"))
      #expect(text.contains("AutoModelForCausalLM.from_pretrained(\"org/base\", dtype=\"auto\")"))
      #expect(
        text.contains("PeftModel.from_pretrained(base, \"org/new\", revision=\"trial\")"))
    }
  }

  @Test func theSameMakesTheSame() throws {
    #expect(text(card(nil)) == text(card(nil)))
  }
}
