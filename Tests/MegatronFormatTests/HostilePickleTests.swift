import MegatronFormat
import Testing

/// Pickles made to do harm: each is refused with its place, and none traps.
@Suite struct HostilePickleTests {
  private static let policies: [Unpickler.Policy] = [.tensors, .metadata, .state]

  @Test(arguments: [
    ("cos\nsystem\n(S'echo pwned'\ntR.", "os", "system", 0),
    (
      "\u{80}\u{4}\u{8C}\u{2}os\u{94}\u{8C}\u{6}system\u{94}\u{93}\u{8C}\u{2}id\u{85}R.", "os",
      "system", 16
    ),
    ("\u{80}\u{2}cposix\nsystem\nX\u{2}\0\0\0id\u{85}R.", "posix", "system", 2),
    ("c__builtin__\neval\n(S'1'\ntR.", "builtins", "eval", 0),
    ("c__builtin__\nexec\n(S'1'\ntR.", "builtins", "exec", 0),
    ("\u{80}\u{4}cbuiltins\n__import__\n.", "builtins", "__import__", 2),
    ("ctorch\nos.system\n.", "torch", "os.system", 0),
    ("ctorch.storage\n_load_from_bytes\n.", "torch.storage", "_load_from_bytes", 0),
    ("csubprocess\nPopen\n.", "subprocess", "Popen", 0),
  ])
  func aFunctionNoCheckpointNeedsIsRefusedByName(
    bytes: String, module: String, name: String, offset: Int
  ) {
    for policy in Self.policies {
      #expect(
        throws: PickleError.forbiddenGlobal(module: module, name: name, offset: offset)
      ) { try Pickles.load(Pickles.raw(bytes), policy) }
    }
  }

  @Test func theRefusalNamesTheFunctionAndSaysThatNothingRan() {
    let error = PickleError.forbiddenGlobal(module: "os", name: "system", offset: 0)
    #expect(
      error.description
        == "the pickle names `os.system` at byte 0, which no checkpoint needs; nothing was run")
  }

  @Test func anInertReadingKeepsTheCallAsARecord() throws {
    let value = try Pickles.load(Pickles.raw("cos\nsystem\n(S'true'\ntR."), .inert)
    #expect(Pickles.text(value) == "os.system:reduce('true')")
  }

  @Test(arguments: [
    // A class that is no enumeration, a dunder, a value, a chain, too many arguments.
    "ccollections\nOrderedDict\nX\u{5}\0\0\0clear\u{86}R.",
    "csignal\nSignals\nX\u{9}\0\0\0__class__\u{86}R.",
    "NX\u{5}\0\0\0clear\u{86}R.",
    "c__builtin__\ngetattr\ncsignal\nSignals\nX\u{1}\0\0\0a\u{86}RX\u{1}\0\0\0b\u{86}R.",
    "csignal\nSignals\nX\u{1}\0\0\0aK\u{1}\u{87}R.",
  ])
  func getattrReachesNothingButMembersOfEnumerations(arguments: String) {
    let bytes = Pickles.raw("\u{80}\u{2}c__builtin__\ngetattr\n" + arguments)
    let error = #expect(throws: PickleError.self) { try Pickles.load(bytes) }
    guard case .forbiddenAttribute = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test(arguments: [
    ("P1\n.", "PERSID"), ("(i__main__\nC\n.", "INST"), ("(o.", "OBJ"), ("\u{82}\u{1}.", "EXT1"),
    ("\u{83}\u{1}\0.", "EXT2"), ("\u{84}\u{1}\0\0\0.", "EXT4"), ("\u{97}.", "NEXTBUFFER"),
    ("\u{98}.", "READONLYBUFFER"),
  ])
  func opcodesNoCheckpointNeedsAreRefusedByName(bytes: String, name: String) {
    let error = #expect(throws: PickleError.self) { try Pickles.load(Pickles.raw(bytes), .inert) }
    guard case .refusedOpcode(name, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func containersThatHoldThemselvesAreRefused() {
    let list = "]q\u{0}h\u{0}a."
    let dictionary = "}q\u{0}K\u{1}h\u{0}s."
    let state = "cargparse\nNamespace\n)\u{81}q\u{0}}K\u{1}h\u{0}sb."
    let throughTuple = "]q\u{0}h\u{0}\u{85}a."
    let longWay = "]q\u{0}]q\u{1}h\u{0}aa."
    let items = "ccollections\nOrderedDict\n)Rq\u{0}K\u{1}h\u{0}s."
    for bytes in [list, dictionary, state, throughTuple, longWay, items] {
      let error = #expect(throws: PickleError.self) { try Pickles.load(Pickles.raw(bytes)) }
      guard case .recursive = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
  }

  @Test func billionLaughsAreRefusedWithoutBeingWrittenOut() {
    // Each list holds the one before it ten times: 10^30 values in 700 bytes.
    var bytes = Pickles.raw("]q\u{0}K\u{1}a")
    for index in 1...30 {
      let previous = UInt8(index - 1)
      bytes += [0x5D, 0x71, UInt8(index), 0x28]
      for _ in 0..<10 { bytes += [0x68, previous] }
      bytes += [0x65]
    }
    // The list below the last one must not stay on the stack.
    bytes = [0x28] + bytes + [0x68, 30, 0x74, 0x2E]
    #expect(throws: PickleError.expandsTooFar(limit: 200_000_000)) { try Pickles.load(bytes) }
  }

  @Test func tuplesThatDoubleAreRefused() {
    let bytes = Pickles.raw(")" + String(repeating: "2\u{86}", count: 60) + ".")
    var limits = Unpickler.Limits()
    limits.expanded = 1_000_000
    #expect(throws: PickleError.expandsTooFar(limit: 1_000_000)) {
      try Pickles.load(bytes, limits: limits)
    }
  }

  @Test func sharedContainersBelowTheLimitAreRead() throws {
    var bytes = Pickles.raw("]q\u{0}K\u{1}a0(")
    for _ in 0..<1_000 { bytes += [0x68, 0] }
    let value = try Pickles.load(bytes + Pickles.raw("l."))
    #expect(value.list?.items.count == 1_000)
  }

  @Test(arguments: [
    // Lists closed from inside out; tuples; tuples grown bottom-up; calls; persistent identifiers.
    String(repeating: "]", count: 10_001) + String(repeating: "a", count: 10_000) + ".",
    String(repeating: "(", count: 10_000) + String(repeating: "t", count: 10_000) + ".",
    ")" + String(repeating: "\u{85}", count: 10_000) + ".",
    ")" + String(repeating: "Q", count: 10_000) + ".",
    // Lists opened from outside in, each filled when it already lies in another.
    "]2" + String(repeating: "]q\u{0}a0h\u{0}", count: 10_000) + "0.",
  ])
  func tenThousandLevelsAreRefused(bytes: String) {
    #expect(throws: PickleError.tooDeep(limit: 1_000)) { try Pickles.load(Pickles.raw(bytes)) }
  }

  @Test func manyLevelsAreReleasedWithoutRecursion() {
    let bytes = Pickles.raw("]2" + String(repeating: "]q\u{0}a0h\u{0}", count: 300_000) + "0.")
    #expect(throws: PickleError.tooDeep(limit: 1_000)) { try Pickles.load(bytes) }
    // The same chain where nobody holds it at the end.
    let dropped = Array(bytes.dropLast()) + Pickles.raw("0N.")
    #expect(throws: Never.self) { try Pickles.load(dropped) }
  }

  @Test func aThousandLevelsAreRead() throws {
    let bytes = String(repeating: "]", count: 1_001) + String(repeating: "a", count: 1_000) + "."
    #expect(try Pickles.load(Pickles.raw(bytes)).list?.items.count == 1)
  }

  @Test func memoAndValuesAndBytesAreBounded() {
    var limits = Unpickler.Limits()
    limits.memoEntries = 100
    let memo = Pickles.raw("N" + String(repeating: "\u{94}", count: 101) + ".")
    #expect(throws: PickleError.tooManyMemoEntries(limit: 100, offset: 101)) {
      try Pickles.load(memo, limits: limits)
    }
    limits = Unpickler.Limits()
    limits.values = 100
    #expect(throws: PickleError.tooManyValues(limit: 100, offset: 100)) {
      try Pickles.load(Pickles.raw(String(repeating: "N", count: 101)), limits: limits)
    }
    limits = Unpickler.Limits()
    limits.bytes = 100
    #expect(throws: PickleError.tooManyBytes(count: 101, limit: 100)) {
      try Pickles.load(Pickles.raw(String(repeating: "N", count: 101)), limits: limits)
    }
  }

  @Test func copiesOfAListCountAsValues() throws {
    // One list of sixty numbers, made a set twice: 120 values of 80 opcodes.
    let numbers = String(repeating: "K\u{1}", count: 60)
    let copy = "cbuiltins\nset\nh\u{0}\u{85}R"
    let bytes = Pickles.raw("\u{80}\u{4}(](\(numbers)eq\u{0}\(copy)\(copy)t.")
    var limits = Unpickler.Limits()
    limits.values = 110
    let error = #expect(throws: PickleError.self) { try Pickles.load(bytes, limits: limits) }
    guard case .tooManyValues(limit: 110, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    limits.values = 120
    #expect(try Pickles.load(bytes, limits: limits).tuple?.count == 3)
  }

  @Test(arguments: [
    "X\u{FF}\u{FF}\u{FF}\u{FF}a.", "\u{8D}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{7F}a.",
    "\u{8D}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}a.", "B\u{FF}\u{FF}\u{FF}\u{FF}a.",
    "\u{8E}\0\0\0\0\0\0\0\u{80}a.", "\u{96}\u{FF}\0\0\0\0\0\0\0a.",
    "\u{8B}\u{FF}\u{FF}\u{FF}\u{FF}a.",
    "T\u{FF}\u{FF}\u{FF}\u{7F}a.", "\u{95}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}N.",
    "S'abc", "cos", "G\0\0.",
  ])
  func lengthsPastTheEndAreRefused(bytes: String) {
    let error = #expect(throws: PickleError.self) { try Pickles.load(Pickles.raw(bytes)) }
    guard case .truncated = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test(arguments: [
    ("", PickleError.missingStop(offset: 0)), ("N", .missingStop(offset: 1)),
    (".", .stackUnderflow(opcode: 0x2E, offset: 0)),
    ("0.", .stackUnderflow(opcode: 0x30, offset: 0)),
    ("\u{86}.", .stackUnderflow(opcode: 0x86, offset: 0)),
    ("N(\u{85}.", .stackUnderflow(opcode: 0x85, offset: 2)),
    ("t.", .stackUnderflow(opcode: 0x74, offset: 0)),
    ("a.", .stackUnderflow(opcode: 0x61, offset: 0)),
    ("NN.", .leftOnStack(count: 2, offset: 2)), ("N(.", .leftOnStack(count: 1, offset: 2)),
    ("h\u{0}.", .unknownMemo(index: 0, offset: 0)), ("g-1\n.", .invalidNumber(offset: 0)),
    ("I1x\n.", .invalidNumber(offset: 0)), ("Lx\n.", .invalidNumber(offset: 0)),
    ("Fx\n.", .invalidNumber(offset: 0)), ("Sabc\n.", .invalidText(offset: 0)),
    ("V\\ud800\n.", .invalidText(offset: 0)), ("\u{80}\u{6}N.", .unsupportedProtocol(6, offset: 0)),
    ("\u{FF}.", .unknownOpcode(0xFF, offset: 0)),
    // A lone surrogate as Python writes it.
    ("X\u{3}\0\0\0\u{ED}\u{A0}\u{80}.", .invalidText(offset: 5)),
  ])
  func malformedPicklesAreRefusedWithTheirPlace(bytes: String, error: PickleError) {
    #expect(throws: error) { try Pickles.load(Pickles.raw(bytes)) }
  }

  @Test(arguments: [
    "NNa.", "NK\u{1}K\u{2}s.", "](K\u{1}u.", "}(K\u{1}u.", "N)R.", "ctorch\nSize\nNR.",
    "]}b.", "cargparse\nNamespace\n)\u{81}}b}b.", "NN\u{93}.", "](K\u{1}\u{90}.",
    "\u{8C}\u{3}a\nb\u{8C}\u{1}c\u{93}.", "ctorch\nSize\n)N\u{92}.", "ctorch\nSize\n}b.",
  ])
  func opcodesOnTheWrongKindOfValueAreRefused(bytes: String) {
    let error = #expect(throws: PickleError.self) { try Pickles.load(Pickles.raw(bytes), .inert) }
    guard case .unexpected = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func aPickleCutAnywhereIsRefused() throws {
    let bytes = try Pickles.bytes("formats/minimal_written/.metadata")
    #expect(throws: Never.self) { try Pickles.load(bytes, .metadata) }
    for end in 0..<bytes.count {
      #expect(throws: PickleError.self) { try Pickles.load(Array(bytes[..<end]), .metadata) }
    }
  }

  @Test func flippedBitsNeverTrap() throws {
    let paths = [
      "formats/plain_dcp_2.13.0/.metadata", "formats/args_namespace/args_protocol2.pkl",
    ]
    var seed: UInt64 = 7
    for path in paths {
      let bytes = try Pickles.bytes(path)
      for _ in 0..<2_000 {
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        var damaged = bytes
        damaged[Int(seed >> 33) % bytes.count] ^= 1 << UInt8(seed >> 20 & 7)
        guard let value = try? Pickles.load(damaged, .inert) else { continue }
        // What is read can be written, and read again.
        #expect(throws: Never.self) {
          try Pickles.load(Pickler.dump(value, protocol: 4), .inert)
        }
      }
    }
  }
}
