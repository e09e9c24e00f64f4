import Foundation
import Support
import Tensors
import Testing

/// Conversions against values that PyTorch computed (fixtures/conversions/README.md).
@Suite struct ConversionTests {
  struct Pair: CustomTestStringConvertible, Sendable {
    var source: DType
    var target: DType
    var testDescription: String { "\(Self.name(source)) to \(Self.name(target))" }
    var file: String { "\(Self.name(source))_to_\(Self.name(target))" }

    static func name(_ dtype: DType) -> String { dtype.rawValue.lowercased() }
  }

  private static let kinds: [DType] = [.bfloat16, .float16, .float32, .float64]

  static let pairs = kinds.flatMap { source in
    kinds.filter { $0 != source }.map { Pair(source: source, target: $0) }
  }

  private struct Checks: Decodable {
    var crc32: [String: UInt32]
    var roundedTwiceByTorch: [String: Int]
  }

  private static let folder = Support.fixtures.appending(path: "conversions")

  private static func load(_ name: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: folder.appending(path: name + ".bin")))
  }

  private static func checks() throws -> Checks {
    try JSONDecoder().decode(
      Checks.self, from: Data(contentsOf: folder.appending(path: "checks.json")))
  }

  /// Every bit pattern of a 16-bit type, or the numbers that the generator chose.
  private static func inputs(_ dtype: DType) throws -> [UInt8] {
    guard dtype.byteWidth == 2 else { return try load(Pair.name(dtype)) }
    return (0..<65_536).flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
  }

  private static func convert(_ bytes: [UInt8], _ pair: Pair) throws -> [UInt8] {
    try Support.withTemporaryFolder { folder in
      let count = bytes.count / pair.source.byteWidth
      let buffer = ByteBuffer(capacity: bytes.count)
      try buffer.fill(
        ByteRuns(
          ByteRun(file: inputFile(bytes, in: folder), offset: 0, length: bytes.count)))
      let result = ByteBuffer(capacity: count * pair.target.byteWidth)
      buffer.convert(count, from: pair.source, to: pair.target, into: result)
      return result.bytes(0..<count * pair.target.byteWidth)
    }
  }

  /// The elements' bits, with one NaN for all: payloads are free.
  private static func words(_ bytes: [UInt8], _ dtype: DType) -> [UInt64] {
    let width = dtype.byteWidth
    let (exponent, nan): (UInt64, UInt64) =
      switch dtype {
      case .bfloat16: (0x7F80, 0x7FC0)
      case .float16: (0x7C00, 0x7E00)
      case .float32: (0x7F80_0000, 0x7FC0_0000)
      default: (0x7FF << 52, 0x7FF8 << 48)
      }
    let magnitude: UInt64 = (1 << (UInt64(width) * 8 - 1)) - 1
    return stride(from: 0, to: bytes.count, by: width).map { start in
      let word = (0..<width).reduce(UInt64(0)) { $0 | UInt64(bytes[start + $1]) << ($1 * 8) }
      return word & magnitude > exponent ? nan : word
    }
  }

  @Test(arguments: pairs) func everyResultIsTheNearestNumber(_ pair: Pair) throws {
    let inputs = try Self.inputs(pair.source)
    let found = Self.words(try Self.convert(inputs, pair), pair.target)
    let width = pair.target.byteWidth
    if let crc = try Self.checks().crc32[pair.file] {
      let bytes = found.flatMap { word in
        (0..<width).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
      }
      #expect(crc32(bytes) == crc)
      return
    }
    let expected = Self.words(try Self.load(pair.file), pair.target)
    #expect(expected.count == inputs.count / pair.source.byteWidth)
    let sources = Self.words(inputs, pair.source)
    let wrong = found.indices.filter { found[$0] != expected[$0] }
    let first = wrong.first.map {
      "\(String(sources[$0], radix: 16)) gives \(String(found[$0], radix: 16)), "
        + "not \(String(expected[$0], radix: 16))"
    }
    #expect(wrong.count == 0, "\(first ?? "")")
  }

  @Test func theFixturesHoldNumbersThatTwoRoundingsGetWrong() throws {
    let twice = try Self.checks().roundedTwiceByTorch
    #expect((twice["bf16"] ?? 0) > 100)
    #expect((twice["f16"] ?? 0) > 100)
    #expect(twice["f32"] == 0)
  }

  @Test func wideningAndNarrowingGivesEveryNumberBack() throws {
    for narrow in [DType.bfloat16, .float16] {
      let inputs = try Self.inputs(narrow)
      for wide in [DType.float32, .float64] {
        let through = try Self.convert(inputs, Pair(source: narrow, target: wide))
        let back = try Self.convert(through, Pair(source: wide, target: narrow))
        #expect(Self.words(back, narrow) == Self.words(inputs, narrow))
      }
    }
  }

  @Test func convertingToTheSameTypeChangesNoNumber() throws {
    for kind in Self.kinds {
      let inputs = try Self.inputs(kind)
      let same = try Self.convert(inputs, Pair(source: kind, target: kind))
      #expect(Self.words(same, kind) == Self.words(inputs, kind))
    }
  }

  @Test func aFloatsNearestBFloat16IsThatOfTheBuffer() throws {
    let inputs = Self.words(try Self.load("f32"), .float32)
    let expected = Self.words(try Self.load("f32_to_bf16"), .bfloat16)
    for (word, wanted) in zip(inputs, expected) {
      let value = Float(bitPattern: UInt32(word))
      let bits = bfloat16Bits(value)
      if value.isNaN {
        #expect(Float(bitPattern: UInt32(bits) << 16).isNaN)
      } else {
        #expect(UInt64(bits) == wanted)
      }
    }
  }
}
