import JSON
import Testing

@testable import Tokenizers

/// Thousands of damaged tokenizers: each is refused with a sentence, or encodes; none stops the program.
struct TokenizerFuzzTests {
  @Test func damagedTokenizersAreRefusedOrWork() throws {
    var numbers = SeededNumbers(2024)
    // The word models are small, so that changes hit what matters.
    let files = PartsTests.cases.map(\.file).filter { $0.count < 2000 }
    #expect(files.count > 100)
    var accepted = 0
    for turn in 0..<3000 {
      let file = mutated(files[turn % files.count], files, &numbers)
      guard let pipeline = try? Pipeline(tokenizerJSON: file) else { continue }
      accepted += 1
      let tokenizer = Tokenizer(pipeline)
      for text in ["Hello  world é 123", "aaaa ▁</s> 你好\n"] {
        guard let encoding = try? tokenizer.encoding(text, addsSpecialTokens: true) else {
          continue
        }
        #expect(encoding.ids.count == encoding.ranges.count)
        let end = text.utf8.count
        #expect(encoding.ranges.allSatisfy { $0.lowerBound >= 0 && $0.upperBound <= end })
        _ = try? tokenizer.decode(encoding.ids)
      }
    }
    #expect(accepted > 100)
  }

  /// A file with one or two changes: bytes, cuts, doublings, pieces of another file.
  private func mutated(
    _ file: [UInt8], _ others: [[UInt8]], _ numbers: inout SeededNumbers
  ) -> [UInt8] {
    var bytes = file
    for _ in 0..<Int.random(in: 1...2, using: &numbers) where !bytes.isEmpty {
      let place = Int.random(in: 0..<bytes.count, using: &numbers)
      let end = min(bytes.count, place + Int.random(in: 1...20, using: &numbers))
      switch Int.random(in: 0..<6, using: &numbers) {
      case 0: bytes[place] = UInt8.random(in: 0...255, using: &numbers)
      case 1: bytes.removeSubrange(place..<end)
      case 2: bytes.insert(contentsOf: bytes[place..<end], at: place)
      case 3:
        guard let other = others.randomElement(using: &numbers) else { continue }
        let start = Int.random(in: 0..<other.count, using: &numbers)
        bytes.insert(contentsOf: other[start..<min(other.count, start + 20)], at: place)
      case 4:
        bytes[place] = Array(#"()[]{}*+?|\^$&"',:0129"#.utf8).randomElement(using: &numbers) ?? 0
      default:
        let words = ["true", "null", "-1", "4294967296", "\"\"", "\"\\\\p{L}\"", "[]", "{}"]
        bytes.replaceSubrange(place..<end, with: (words.randomElement(using: &numbers) ?? "").utf8)
      }
    }
    return bytes
  }
}
