import Foundation
import MegatronFormat
import Support
import Testing

/// What Python 3 wrote: `pickle.dumps(value, protocol)` with the value in the comment.
@Suite struct UnpicklerTests {
  /// `[None, True, 7, -3, 1.5, 'h\xe9', b'\xff', (1, (2,), ()), {'a': {1}}, 2**70, -2**70]`.
  static let expected =
    "[None, True, 7, -3, 1.5, 'hé', bytes([255]), (1, (2), ()), {'a': {1}}, "
    + "big([0, 0, 0, 0, 0, 0, 0, 0, 64]), big([0, 0, 0, 0, 0, 0, 0, 0, 192])]"

  @Test(arguments: [
    // Protocol 0.
    "KGxwMApOYUkwMQphSTcKYUktMwphRjEuNQphVmjpCnAxCmFjX2NvZGVjcwplbmNvZGUKcDIKKFb/CnAzClZs"
      + "YXRpbjEKcDQKdHA1ClJwNgphKEkxCihJMgp0cDcKKHR0cDgKYShkcDkKVmEKcDEwCmNfX2J1aWx0aW5fXwpz"
      + "ZXQKcDExCigobHAxMgpJMQphdHAxMwpScDE0CnNhTDExODA1OTE2MjA3MTc0MTEzMDM0MjRMCmFMLTExODA1"
      + "OTE2MjA3MTc0MTEzMDM0MjRMCmEu",
    // Protocol 1.
    "XXEAKE5JMDEKSwdK/f///0c/+AAAAAAAAFgDAAAAaMOpcQFjX2NvZGVjcwplbmNvZGUKcQIoWAIAAADDv3ED"
      + "WAYAAABsYXRpbjFxBHRxBVJxBihLAShLAnRxByl0cQh9cQlYAQAAAGFxCmNfX2J1aWx0aW5fXwpzZXQKcQso"
      + "XXEMSwFhdHENUnEOc0wxMTgwNTkxNjIwNzE3NDExMzAzNDI0TApMLTExODA1OTE2MjA3MTc0MTEzMDM0MjRM"
      + "CmUu",
    // Protocol 2.
    "gAJdcQAoTohLB0r9////Rz/4AAAAAAAAWAMAAABow6lxAWNfY29kZWNzCmVuY29kZQpxAlgCAAAAw79xA1gG"
      + "AAAAbGF0aW4xcQSGcQVScQZLAUsChXEHKYdxCH1xCVgBAAAAYXEKY19fYnVpbHRpbl9fCnNldApxC11xDEsB"
      + "YYVxDVJxDnOKCQAAAAAAAAAAQIoJAAAAAAAAAADAZS4=",
    // Protocol 3.
    "gANdcQAoTohLB0r9////Rz/4AAAAAAAAWAMAAABow6lxAUMB/3ECSwFLAoVxAymHcQR9cQVYAQAAAGFxBmNi"
      + "dWlsdGlucwpzZXQKcQddcQhLAWGFcQlScQpzigkAAAAAAAAAAECKCQAAAAAAAAAAwGUu",
    // Protocol 4.
    "gASVTQAAAAAAAABdlChOiEsHSv3///9HP/gAAAAAAACMA2jDqZRDAf+USwFLAoWUKYeUfZSMAWGUj5QoSwGQ"
      + "c4oJAAAAAAAAAABAigkAAAAAAAAAAMBlLg==",
    // Protocol 5.
    "gAWVTQAAAAAAAABdlChOiEsHSv3///9HP/gAAAAAAACMA2jDqZRDAf+USwFLAoWUKYeUfZSMAWGUj5QoSwGQ"
      + "c4oJAAAAAAAAAABAigkAAAAAAAAAAMBlLg==",
  ])
  func everyProtocolIsRead(base64: String) throws {
    let data = try #require(Data(base64Encoded: base64))
    #expect(Pickles.text(try Pickles.load(Array(data))) == Self.expected)
  }

  @Test func textOpcodesOfPython2AreRead() throws {
    // pickletools of Python 2.7: S is str, V unicode, I01 True, L long, (d dict, (l list.
    let bytes = Pickles.raw(
      "(dp0\nS'a\\x41\\n\\''\np1\n(lp2\nI00\naL12L\naV\\u20ac\\U0001F600\\u005c\nas.")
    #expect(Pickles.text(try Pickles.load(bytes)) == "{'aA\n'': [False, 12, '€😀\\']}")
  }

  @Test func aStringOfPython2IsTextWhenItIsASCIIAndBytesOtherwise() throws {
    #expect(Pickles.text(try Pickles.load(Pickles.raw("U\u{2}ab."))) == "'ab'")
    #expect(Pickles.text(try Pickles.load(Pickles.raw("T\u{1}\0\0\0\u{E9}."))) == "bytes([233])")
  }

  @Test(arguments: [
    ("\u{8A}\u{0}.", "0"), ("\u{8A}\u{1}\u{FF}.", "-1"), ("\u{8A}\u{2}\u{80}\u{0}.", "128"),
    ("\u{8A}\u{9}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{7F}\u{0}.", "9223372036854775807"),
    (
      "\u{8A}\u{9}\0\0\0\0\0\0\0\u{80}\0.", "big([0, 0, 0, 0, 0, 0, 0, 128, 0])"
    ),
    ("\u{8A}\u{8}\0\0\0\0\0\0\0\u{80}.", "-9223372036854775808"),
    ("J\u{FF}\u{FF}\u{FF}\u{FF}.", "-1"), ("M\u{FF}\u{FF}.", "65535"),
    ("I9223372036854775808\n.", "big([0, 0, 0, 0, 0, 0, 0, 128, 0])"),
    ("L-9223372036854775809L\n.", "big([255, 255, 255, 255, 255, 255, 255, 127, 255])"),
    ("G\u{3F}\u{F8}\0\0\0\0\0\0.", "1.5"), ("F-inf\n.", "-inf"),
  ])
  func numbersOfAllLengthsAreRead(bytes: String, expected: String) throws {
    #expect(Pickles.text(try Pickles.load(Pickles.raw(bytes))) == expected)
  }

  @Test func theStackOpcodesAreRead() throws {
    // POP, POP of a mark, POP_MARK, DUP, FROZENSET, ADDITEMS, DICT, BYTEARRAY8.
    let bytes =
      Pickles.raw(
        "\u{80}\u{5}(K\u{1}0(0(K\u{1}K\u{2}1K\u{3}2\u{86}\u{8F}(K\u{4}\u{90}(K\u{5}\u{91}")
      + Pickles.raw("(K\u{6}K\u{7}d\u{96}\u{1}\0\0\0\0\0\0\0zt.")
    #expect(
      Pickles.text(try Pickles.load(bytes))
        == "((3, 3), {4}, builtins.frozenset:reduce((5)), {6: 7}, "
        + "builtins.bytearray:reduce(bytes([122])))")
  }

  @Test func newObjectsKeepHowTheyWereMade() throws {
    // cls, args, NEWOBJ, state, BUILD; cls, args, kwargs, NEWOBJ_EX.
    let plain = Pickles.raw("\u{80}\u{2}cargparse\nNamespace\n)\u{81}}X\u{1}\0\0\0aK\u{1}sb.")
    #expect(
      Pickles.text(try Pickles.load(plain)) == "argparse.Namespace:newObject()<{'a': 1}>")
    let extended = Pickles.raw("\u{80}\u{4}cargparse\nNamespace\n)}X\u{1}\0\0\0aK\u{1}s\u{92}.")
    #expect(
      Pickles.text(try Pickles.load(extended))
        == "argparse.Namespace:newObjectExtended({'a': 1})")
    // Protocol 0 calls copy_reg._reconstructor instead.
    let old = Pickles.raw(
      "ccopy_reg\n_reconstructor\n(cargparse\nNamespace\nc__builtin__\nobject\nNtR(dVa\nI1\nsb.")
    #expect(
      Pickles.text(try Pickles.load(old)) == "argparse.Namespace:newObject()<{'a': 1}>")
  }

  @Test func oneContainerReachedTwiceStaysOneContainer() throws {
    // [x, x] with x = [5]
    let value = try Pickles.load(Pickles.raw("](]q\u{0}K\u{5}ah\u{0}e."))
    let items = try #require(value.list?.items)
    #expect(items.count == 2)
    #expect(items[0].list === items[1].list)
    #expect(items[0].list?.items.first?.integer == 5)
  }

  @Test func containersFilledInTurnsKeepEachTheirOrder() throws {
    // Two lists and two dictionaries, each filled in three steps between those of the others.
    var bytes = Pickles.raw("(]q\u{0}]q\u{1}}q\u{2}}q\u{3}")
    for step in UInt8(0)..<3 {
      for list in UInt8(0)..<2 {
        bytes += [0x68, list] + Pickles.raw("(") + [0x4B, step, 0x4B, 10 + list]
        bytes += Pickles.raw("e0") + [0x68, 2 + list] + Pickles.raw("(")
        bytes += [0x4B, step, 0x4B, list] + Pickles.raw("u0")
      }
    }
    #expect(
      Pickles.text(try Pickles.load(bytes + Pickles.raw("t.")))
        == "([0, 10, 1, 10, 2, 10], [0, 11, 1, 11, 2, 11], {0: 0, 1: 0, 2: 0}, {0: 1, 1: 1, 2: 1})")
  }

  @Test func oneReferenceReachedTwiceStaysOneReference() throws {
    let items = try #require(
      try Pickles.load(Pickles.raw("((K\u{5}tQq\u{0}h\u{0}2t.")).tuple)
    let references = items.compactMap { if case .persistent(let one) = $0 { one } else { nil } }
    #expect(references.count == 3)
    #expect(references.allSatisfy { $0 === references[0] })
  }

  @Test func aSetMadeOfAListIsNotThatList() throws {
    // x = [1]; (set(x), x) with 2 appended to x and 3 added to the set afterwards.
    let bytes = Pickles.raw(
      "\u{80}\u{4}(]q\u{0}K\u{1}a0cbuiltins\nset\nh\u{0}\u{85}Rh\u{0}K\u{2}a0(K\u{3}\u{90}h\u{0}t.")
    #expect(Pickles.text(try Pickles.load(bytes)) == "({1, 3}, [1, 2])")
  }

  @Test func memoEntriesMayHaveGapsAndAnyOrder() throws {
    let bytes = Pickles.raw("(K\u{7}r\u{FF}\u{FF}\u{FF}\u{FF}K\u{8}q\u{3}K\u{9}q\u{0}h\u{3}")
    let rest = Pickles.raw("j\u{FF}\u{FF}\u{FF}\u{FF}h\u{0}t.")
    #expect(Pickles.text(try Pickles.load(bytes + rest)) == "(7, 8, 9, 8, 7, 9)")
  }

  @Test func severalPicklesInARowAreReadOneByOne() throws {
    let bytes = Pickles.raw("K\u{1}.K\u{2}.rest")
    let (first, next) = try Unpickler.load(prefixOf: bytes, at: 0, policy: .tensors)
    let (second, end) = try Unpickler.load(prefixOf: bytes, at: next, policy: .tensors)
    #expect(first.integer == 1)
    #expect(second.integer == 2)
    #expect(end == 6)
    #expect(throws: PickleError.trailingBytes(offset: 3, count: 7)) { try Pickles.load(bytes) }
  }

  @Test func getattrNamesMembersOfKnownEnumerations() throws {
    // Python 3.11.0 wrote enumeration members so.
    let bytes = Pickles.raw(
      "\u{80}\u{2}c__builtin__\ngetattr\ncmegatron.core.transformer.enums\nAttnBackend\n"
        + "X\u{4}\0\0\0auto\u{86}R.")
    #expect(
      Pickles.text(try Pickles.load(bytes))
        == "builtins.getattr:reduce(megatron.core.transformer.enums.AttnBackend, 'auto')")
    let metadata = Pickles.raw(
      "cbuiltins\ngetattr\nctorch.distributed.checkpoint.planner\nWriteItemType\n"
        + "X\u{5}\0\0\0SHARD\u{86}R.")
    #expect(throws: Never.self) { try Pickles.load(metadata, .metadata) }
  }

  @Test func theArgumentsOfARealRunAreReadWhole() throws {
    let value = try Unpickler.load(
      Pickles.bytes("formats/args_namespace/args_protocol2.pkl"), policy: .state)
    let object = try #require(value.object)
    #expect(object.module == "argparse" && object.name == "Namespace")
    let state = try #require(object.state?.dictionary)
    let data = try Data(contentsOf: Support.data("formats/megatron_args_0.16.1.json"))
    let json = try JSONSerialization.jsonObject(with: data) as? [String: [Any]]
    let expected = try #require(json)
    #expect(expected.count == 655)
    #expect(state.items.count == 655)
    for (key, value) in state.items {
      let name = try #require(key.string)
      let fact = try #require(expected[name])
      #expect(matches(value, fact[0] as? String ?? "", fact[1]), "\(name)")
    }
  }

  /// Whether a value is what the JSON of a real run says: its type's name and its content.
  private func matches(_ value: PickleValue, _ type: String, _ content: Any) -> Bool {
    switch (type, value) {
    case ("NoneType", .none): true
    case ("bool", .bool(let flag)): flag == content as? Bool
    case ("int", .integer(let number)): number == content as? Int
    case ("float", .float(let number)): number == content as? Double
    case ("str", .string(let text)): text == content as? String
    case ("list", .list(let list)):
      Pickles.text(.list(list))
        == "["
        + (content as? [Any] ?? []).map { $0 is String ? "'\($0)'" : "\($0)" }
        .joined(separator: ", ") + "]"
    case ("dtype", .global("torch", let name)): "torch.\(name)" == content as? String
    case ("Signals", .object(let object)):
      object.name == type && object.arguments.first?.integer == content as? Int
    case ("AttnBackend", .object(let object)):
      // AttnBackend.auto is 5.
      object.name == type && object.arguments.first?.integer == 5
        && content as? String == "AttnBackend.auto"
    default: false
    }
  }

  @Test(arguments: Pickles.files(named: ".metadata", in: "formats"))
  func everyMetadataFileIsReadWithTheMetadataNames(path: String) throws {
    let value = try Unpickler.load(Pickles.bytes(path), policy: .metadata)
    let object = try #require(value.object)
    #expect(object.name == "Metadata" || object.name == "MCoreMetadata")
    let state = try #require(object.state?.dictionary)
    let keys = try #require(state["state_dict_metadata"]?.dictionary).items
    let places = try #require(state["storage_data"]?.dictionary).items
    #expect(keys.count > 0)
    #expect(places.count >= keys.count)
  }
}
