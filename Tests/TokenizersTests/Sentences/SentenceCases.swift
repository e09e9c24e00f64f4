import Foundation
import Support
import Testing

@testable import Tokenizers

/// The small files in fixtures/sentences, with what the libraries make of them.
struct SentenceCases: Decodable {
  struct File: Decodable, CustomTestStringConvertible {
    struct Decoded: Decodable {
      var ids: [Int32]
      var text: String
    }

    var file: String
    var pattern: String?
    var size: Int
    /// For each text.
    var ids: [[Int32]]
    /// For each text first byte and end of each token, in turn.
    var ranges: [[Int]]?
    var decoded: [Decoded]

    var path: String { SentenceCases.folder.appending(path: file).path }
    var testDescription: String { file }

    func tokenizer() throws -> Tokenizer { try Tokenizer(path: path, pattern: pattern) }

    func bytes() throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }
  }

  var texts: [String]
  var files: [File]

  static let folder = Support.fixtures.appending(path: "sentences")

  static let all: SentenceCases = {
    let data = try? Data(contentsOf: folder.appending(path: "cases.json"))
    // Without the file every test that asks for one of its entries fails.
    return data.flatMap { try? JSONDecoder().decode(SentenceCases.self, from: $0) }
      ?? SentenceCases(texts: [], files: [])
  }()

  static func file(_ name: String) throws -> File {
    try #require(all.files.first { $0.file == name })
  }
}

/// A protobuf field, as far as tests write any.
func field(_ number: Int, _ value: Int) -> [UInt8] { varint(number << 3) + varint(value) }

func field(_ number: Int, _ bytes: [UInt8]) -> [UInt8] {
  varint(number << 3 | 2) + varint(bytes.count) + bytes
}

func field(_ number: Int, _ value: Float) -> [UInt8] {
  varint(number << 3 | 5) + (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> ($0 * 8)) }
}

func varint(_ value: Int) -> [UInt8] {
  var rest = UInt64(bitPattern: Int64(value))
  var bytes: [UInt8] = []
  while rest >= 0x80 {
    bytes.append(UInt8(rest & 0x7F) | 0x80)
    rest >>= 7
  }
  return bytes + [UInt8(rest)]
}

/// A piece of a sentencepiece model.
func piece(_ text: String, _ score: Float = -1, _ kind: SentencePieceFile.Kind = .normal) -> [UInt8]
{
  field(1, field(1, Array(text.utf8)) + field(2, score) + field(3, Int(kind.rawValue)))
}

/// Says what is wrong with a file's bytes.
func fault(_ bytes: [UInt8]) -> TokenizerFault? {
  do throws(TokenizerFault) {
    _ = try SentencePieceModel(bytes)
    return nil
  } catch { return error }
}
