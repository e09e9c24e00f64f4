import Foundation
import JSON
import Support
import Testing

@testable import Tokenizers

/// Real tokenizers, where the reference set is there.
struct GoldenTests {
  static let names: [String] = {
    guard let folder = Support.reference?.appending(path: "tokenizers"),
      let index = try? JSON(parsing: bytes(of: folder.appending(path: "index.json").path)).object
    else { return [] }
    return index.members.filter { $0.value.object?["kind"]?.string == "tokenizer.json" }.map(\.key)
  }()

  @Test(arguments: names)
  func idsAndTextsAreThoseOfTransformers(_ name: String) throws {
    let folder = try #require(Support.reference).appending(path: "tokenizers")
    let tokenizer = try Tokenizer(path: folder.appending(path: name).path)
    let lines = try bytes(of: folder.appending(path: "golden/\(name).jsonl").path)
      .split(separator: 0x0A)
    #expect(lines.count > 50)
    for line in lines {
      let row = try #require(try JSON(parsing: Array(line)).object)
      let text = try #require(row["text"]?.string)
      let ids = try #require(row["ids"]?.array).compactMap { $0.integer.map(Int32.init) }
      #expect(try tokenizer.encode(text) == ids, "\(text)")
      #expect(try tokenizer.decode(ids) == row["dec"]?.string, "\(text)")
      if let special = row["ids_special"]?.array {
        let found = try tokenizer.encode(text, addsSpecialTokens: true)
        #expect(found == special.compactMap { $0.integer.map(Int32.init) }, "\(text)")
      }
    }
  }
}

/// The bytes of a file.
func bytes(of path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }
