import Checkpoints
import Foundation
import JSON
import SafeTensors
import Support
import Tensors
import Testing

@testable import Adapters

/// Names and patterns are understood as PEFT understands them.
struct PEFTNameTests {
  /// What PEFT's own functions said, for many patterns and paths.
  private static func verdicts(_ key: String) throws -> [(pattern: String, path: String, Bool)] {
    let file = PEFTMergeTests.root.appending(path: "patterns.json")
    let list = try JSON(parsing: InputFile(file.path).readAll()).object?[key]?.array ?? []
    return list.compactMap { item in
      guard let object = item.object, let pattern = object["pattern"]?.string,
        let path = object["path"]?.string, let matches = object["matches"]?.bool
      else { return nil }
      return (pattern, path, matches)
    }
  }

  @Test func ranksAndAlphasBelongToTheModulesThatPEFTGivesThemTo() throws {
    let verdicts = try Self.verdicts("keys")
    #expect(verdicts.count > 90)
    for (text, path, matches) in verdicts {
      let pattern = try #require(PEFTPattern(text, takesEnding: true))
      #expect(pattern.matches(path) == matches, "\(text) and \(path)")
    }
  }

  @Test func targetsAreThoseThatPEFTSees() throws {
    let verdicts = try Self.verdicts("targets")
    #expect(verdicts.count > 30)
    for (text, path, matches) in verdicts {
      let pattern = try #require(PEFTPattern(text, takesEnding: false))
      #expect(pattern.matches(path) == matches, "\(text) and \(path)")
    }
  }

  @Test func whatIsNoExpressionIsNoPattern() {
    #expect(PEFTPattern("(q_proj", takesEnding: true) == nil)
  }

  /// Spellings that PEFT's releases, or classes that wrap the model, gave the same tensors.
  @Test(arguments: [
    ("dora", ".weight", ".default.weight"), ("dora", "_vector", "_vector.default"),
    ("dora", "_vector", "_vector.weight"), ("dora", "_vector", "_vector.default.weight"),
    ("lora", "base_model.model.", ""), ("lora", "model.model.model.", "model.model."),
    ("lora", "model.model.model.", "model.model.model.language_model."),
    ("modules_to_save", "lm_head.", "lm_head.modules_to_save.default."),
    ("modules_to_save", "lm_head.", "lm_head.modules_to_save."),
    ("experts", "lora_A.", "lora_A.default."),
  ])
  func otherSpellingsMeanTheSame(_ name: String, _ text: String, _ other: String) throws {
    let original = try AdapterCase(name)
    let expected = try Adapter(
      reading: original.adapter.path, for: HuggingFaceModel(folder: original.model.path))
    // Paths that begin elsewhere are no longer what a regular expression or a full path matches.
    try AdapterCase.edited(
      name, { _ in },
      { tensors in
        for index in tensors.indices {
          tensors[index].plan.name = tensors[index].plan.name.replacingOccurrences(
            of: text, with: other)
        }
      }
    ) { folder, model in
      let read = try Adapter(reading: folder.path, for: HuggingFaceModel(folder: model.path))
      #expect(read.changes.keys.sorted() == expected.changes.keys.sorted())
      for (tensor, changes) in read.changes {
        let others = try #require(expected.changes[tensor])
        #expect(changes.count == others.count)
        for (left, right) in zip(changes.flatMap(\.factors), others.flatMap(\.factors)) {
          #expect(left.shape == right.shape)
          #expect(try left.equals(right))
        }
      }
    }
  }
}
