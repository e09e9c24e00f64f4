import Foundation
import MegatronFormat
import Support
import Tensors
import Testing

@Suite struct PicklerTests {
  private func everyKind() -> PickleValue {
    let shared = PickleList([.integer(1)])
    let ordered = PickleObject(module: "collections", name: "OrderedDict")
    ordered.dictionary = PickleDictionary([(.string("k"), .list(shared))])
    let namespace = PickleObject(
      module: "argparse", name: "Namespace",
      state: .dictionary(PickleDictionary([(.string("a"), .none)])), construction: .newObject)
    return .tuple([
      .none, .bool(true), .bool(false), .integer(0), .integer(255), .integer(256),
      .integer(65_536), .integer(-1), .integer(1 << 40), .integer(.min), .integer(.max),
      .bigInteger([0, 0, 0, 0, 0, 0, 0, 128, 0]), .float(-0.5), .string(""), .string("e\u{301}"),
      .string("\u{E9}"), .bytes([]), .bytes([0, 200, 255]), .tuple([]), .tuple([.integer(1)]),
      .list(shared), .list(shared), .list(PickleList()), .set(PickleList([.integer(3)])),
      .dictionary(PickleDictionary()), .global(module: "torch", name: "bfloat16"),
      .global(module: "builtins", name: "range"), .object(ordered), .object(namespace),
      .object(namespace),
    ])
  }

  @Test(arguments: [2, 4])
  func everyKindOfValueComesBackEqual(version: Int) throws {
    let value = everyKind()
    let again = try Pickles.load(Pickler.dump(value, protocol: version))
    #expect(Pickles.text(again) == Pickles.text(value))
    let items = try #require(again.tuple)
    #expect(items[20].list === items[21].list)
    #expect(items[28].object === items[29].object)
    // Swift calls these two texts equal; their bytes differ.
    #expect(items[14].string.map { Array($0.utf8) } == [0x65, 0xCC, 0x81])
    #expect(items[15].string.map { Array($0.utf8) } == [0xC3, 0xA9])
  }

  @Test(arguments: [0, 1, 2, 999, 1_000, 1_001, 2_000, 2_001], [2, 4])
  func batchesOfEveryLengthComeBackEqual(count: Int, version: Int) throws {
    let numbers = (0..<count).map { PickleValue.integer($0) }
    let pairs = numbers.map { ($0, $0) }
    let object = PickleObject(module: "collections", name: "OrderedDict")
    object.dictionary = PickleDictionary(pairs)
    object.list = PickleList(numbers)
    let value = PickleValue.tuple([
      .list(PickleList(numbers)), .dictionary(PickleDictionary(pairs)), .set(PickleList(numbers)),
      .tuple(numbers),
    ])
    let again = try Pickles.load(Pickler.dump(value, protocol: version))
    #expect(Pickles.text(again) == Pickles.text(value))
    let back = try Pickles.load(Pickler.dump(.object(object), protocol: version)).object
    #expect((back?.dictionary?.items.count ?? 0) == count)
    #expect((back?.list?.items.count ?? 0) == count)
  }

  /// Where Python shared no equal texts that were different objects, our bytes are its bytes.
  @Test(arguments: [
    "formats/zip_f32_2x3.pt", "formats/zip_bf16_3.pt", "formats/zip_scalar_i64.pt",
    "formats/zip_empty.pt", "formats/zip_f8e4m3.pt", "formats/zip_transposed.pt",
    "formats/zip_two_views.pt", "formats/zip_parameter.pt", "formats/zip_none_list.pt",
    "formats/zip_bytesio.pt",
  ])
  func theBytesOfTorchComeBackUnchanged(path: String) throws {
    let zip = try TorchZip(path: Support.data(path).path)
    let bytes = try zip.bytes(of: "data.pkl")
    let value = try Unpickler.load(bytes, policy: .state)
    #expect(Pickler.dump(value, protocol: 2) == bytes)
  }

  @Test(arguments: Pickles.files(named: ".metadata", in: "formats"), [2, 4])
  func everyMetadataFileSurvivesWritingAndReading(path: String, version: Int) throws {
    let value = try Unpickler.load(Pickles.bytes(path), policy: .metadata)
    let again = try Unpickler.load(
      Pickler.dump(value, protocol: version), policy: .metadata)
    #expect(Pickles.text(again) == Pickles.text(value))
  }

  @Test func framesAreThoseOfPython() throws {
    // CPython 3.11: b = pickle.dumps([f'text {i:05d}' for i in range(20000)]
    //   + ['x' * 70000, b'y' * 70000, 1.5], 4); len(b), zlib.crc32(b)
    var items = (0..<20_000).map { index -> PickleValue in
      let digits = String(index)
      return .string("text " + String(repeating: "0", count: 5 - digits.count) + digits)
    }
    items += [
      .string(String(repeating: "x", count: 70_000)),
      .bytes([UInt8](repeating: UInt8(ascii: "y"), count: 70_000)), .float(1.5),
    ]
    let bytes = Pickler.dump(.list(PickleList(items)), protocol: 4)
    #expect(bytes.count == 400_113)
    #expect(crc32(bytes) == 2_062_203_974)
  }
}
