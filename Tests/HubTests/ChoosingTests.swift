import Hub
import JSON
import Support
import Testing

@testable import Hub

/// Which files of a listing are needed.
@Suite struct ChoosingTests {
  @Test func patternsMatchWhatTheyMatchForPython() {
    let fixture = HubFixtures.object("patterns")
    let paths = fixture["paths"]?.array?.compactMap(\.string) ?? []
    let cases = fixture["matches"]?.array ?? []
    #expect(paths.count > 30 && cases.count > 40)
    for sample in cases {
      let pattern = sample.array?[0].string ?? ""
      let wanted = sample.array?[1].array?.compactMap(\.string) ?? []
      let matcher = FilePattern(pattern)
      // Code points count, not what looks the same.
      let found = paths.filter(matcher.matches).map { Array($0.unicodeScalars) }
      #expect(found == wanted.map { Array($0.unicodeScalars) }, "\(pattern)")
    }
  }

  @Test func aPatternOfManyStarsTakesNoTime() {
    let pattern = FilePattern(String(repeating: "*a", count: 60) + "b")
    #expect(!pattern.matches(String(repeating: "a", count: 4000)))
  }

  static func listing(_ paths: [String]) -> HubListing {
    HubListing(
      repository: HubRepository("org/tiny"), revision: "main",
      commit: String(repeating: "1", count: 40),
      files: paths.map {
        HubFile(path: $0, size: 1, blob: String(repeating: "a", count: 40))
      })
  }

  static func choose(_ need: HubNeed, _ paths: [String], in folder: String = "") -> [String] {
    need.choose(from: listing(paths), in: folder).map(\.path)
  }

  static let published = [
    ".gitattributes", "LICENSE", "README.md", "added_tokens.json", "chat_template.jinja",
    "config.json",
    "consolidated.safetensors", "figures/plot.png", "flax_model.msgpack", "generation_config.json",
    "gguf/model-Q4.gguf", "merges.txt", "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors", "model.Q8_0.gguf", "model.safetensors.index.json",
    "modeling_tiny.py", "onnx/model.onnx", "onnx/model.onnx_data", "original/consolidated.00.pth",
    "original/params.json", "pytorch_model.bin", "pytorch_model.bin.index.json", "rust_model.ot",
    "special_tokens_map.json", "tf_model.h5", "tokenizer.json", "tokenizer.model",
    "tokenizer_config.json", "training_args.bin", "vocab.json",
  ]

  @Test func aModelIsItsSafetensorsAndWhatLiesBesideThem() {
    #expect(
      Self.choose(.model, Self.published) == [
        "LICENSE", "README.md", "added_tokens.json", "chat_template.jinja", "config.json",
        "generation_config.json", "merges.txt", "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors", "model.safetensors.index.json", "modeling_tiny.py",
        "special_tokens_map.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json",
        "vocab.json",
      ])
  }

  @Test func withoutWeightsThereIsNoIndexEither() {
    let chosen = Self.choose(.withoutWeights, Self.published)
    #expect(chosen.contains("tokenizer.json") && chosen.contains("modeling_tiny.py"))
    #expect(!chosen.contains { $0.contains("safetensors") || $0.contains("bin") })
  }

  @Test func oneCopyOfTheWeightsIsTaken() {
    let twice = [
      "config.json", "consolidated.safetensors", "model.fp16.safetensors", "model.safetensors",
    ]
    #expect(Self.choose(.model, twice) == ["config.json", "model.safetensors"])
    let numbered = ["a.safetensors", "model-00001-of-00001.safetensors"]
    #expect(Self.choose(.model, numbered) == ["model-00001-of-00001.safetensors"])
    #expect(Self.choose(.model, ["other.safetensors"]) == ["other.safetensors"])
    #expect(Self.choose(.model, ["config.json", "pytorch_model.bin"]) == ["config.json"])
    // What an index names may have any name.
    let indexed = [
      "model-00001-of-00001.safetensors", "model.safetensors.index.json", "mtp.safetensors",
    ]
    #expect(Self.choose(.model, indexed) == indexed)
  }

  @Test func configurationAndTokenizerAreFewFiles() {
    #expect(
      Self.choose(.configuration, Self.published)
        == ["config.json", "generation_config.json", "modeling_tiny.py"])
    let tokenizer = Self.choose(.tokenizer, Self.published)
    #expect(tokenizer.contains("merges.txt") && tokenizer.contains("config.json"))
    #expect(!tokenizer.contains("README.md") && tokenizer.count == 11)
  }

  @Test func aFolderOfARepositoryIsAModelOfItsOwn() {
    let paths = [
      "config.json", "small/config.json", "small/inner/x.json", "small/model.safetensors",
      "smaller/a",
    ]
    #expect(
      Self.choose(.model, paths, in: "small") == ["small/config.json", "small/model.safetensors"])
    let json = HubNeed.files(include: ["*.json"], exclude: ["inner/*"])
    #expect(Self.choose(json, paths, in: "small") == ["small/config.json"])
  }

  @Test func filesAreIncludedAndExcluded() {
    let all = HubNeed.files(include: [], exclude: [])
    #expect(Self.choose(all, Self.published) == Self.published)
    let some = HubNeed.files(
      include: ["original/", "*.json"], exclude: ["*token*", "*.index.json"])
    #expect(
      Self.choose(some, Self.published)
        == [
          "config.json", "generation_config.json", "original/consolidated.00.pth",
          "original/params.json", "vocab.json",
        ])
  }
}
