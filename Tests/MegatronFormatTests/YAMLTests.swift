import Foundation
import Support
import Testing

@testable import MegatronFormat

@Suite struct YAMLTests {
  static let runConfigs: [URL] = {
    var found: [URL] = []
    let root = Support.data("bridge")
    for name in FileManager.default.enumerator(atPath: root.path)?.allObjects ?? [] {
      guard let name = name as? String, name.hasSuffix("run_config.yaml") else { continue }
      found.append(root.appending(path: name))
    }
    return found.sorted { $0.path < $1.path }
  }()

  private func parse(_ text: String) throws -> YAMLValue {
    try YAMLValue(parsing: Array(text.utf8), file: "test.yaml")
  }

  @Test func runConfigsAreThere() { #expect(!Self.runConfigs.isEmpty) }

  @Test(arguments: runConfigs)
  func aRunConfigComesBackAsPyYAMLWroteIt(file: URL) throws {
    let text = try String(contentsOf: file, encoding: .utf8)
    let dumped = try parse(text).dumped()
    #expect(dumped == text)
  }

  /// Written by PyYAML 6.0.3's `safe_dump` from values chosen to need every style it has.
  @Test func everyStyleOfPyYAMLComesBackAsWritten() throws {
    let file = Support.fixtures.appending(path: "formats/pyyaml_styles.yaml")
    let text = try String(contentsOf: file, encoding: .utf8)
    let dumped = try parse(text).dumped()
    #expect(dumped == text)
  }

  @Test func customTagsAreKeptAsData() throws {
    let value = try parse(
      """
      params: !!set
        b: null
        a: null
      pair: !!python/tuple [1, 2]
      mine: !thing {x: 1}
      """)
    #expect(value["params"] == .set([.string("b"), .string("a")]))
    #expect(
      value["pair"]
        == .tagged("tag:yaml.org,2002:python/tuple", .list([.integer(1), .integer(2)])))
    #expect(value["mine"] == .tagged("!thing", .map(YAMLMap(["x": .integer(1)]))))
  }

  /// What PyYAML 6.0.3's `safe_load` makes of plain scalars.
  @Test(arguments: [
    ("1", YAMLValue.integer(1)), ("-7", .integer(-7)), ("+7", .integer(7)),
    ("1_000", .integer(1000)), ("010", .integer(8)), ("0x1F", .integer(31)),
    ("0b101", .integer(5)), ("08", .string("08")), ("0o17", .string("0o17")),
    ("1.0", .number(1)), ("1.", .number(1)), (".5", .number(0.5)), ("1e-5", .string("1e-5")),
    ("1.0e-05", .number(1e-5)), ("1.0e5", .string("1.0e5")), ("1.e+2", .number(100)),
    ("-.5", .string("-.5")), (".inf", .number(.infinity)), ("-.inf", .number(-.infinity)),
    ("yes", .bool(true)), ("Off", .bool(false)), ("y", .string("y")), ("~", .null),
    ("null", .null), ("nUll", .string("nUll")), ("12:30:45", .plain("12:30:45")),
    ("2024-01-31", .plain("2024-01-31")), ("1.2.3", .string("1.2.3")),
    ("123456789012345678901234567890", .plain("123456789012345678901234567890")),
    ("-", .string("-")), ("+", .string("+")), (".", .string(".")), ("1_", .integer(1)),
  ])
  func plainScalarsAreWhatPyYAMLTakesThemFor(text: String, value: YAMLValue) throws {
    #expect(YAMLScalar.resolve(text) == value)
  }

  @Test func notANumberIsRead() { #expect(YAMLScalar.resolve(".nan").double?.isNaN == true) }

  @Test func aMalformedTextIsRefusedWithItsLine() throws {
    #expect {
      try parse("a: 1\nb: [1, 2\nc: 3\n")
    } throws: { error in
      guard case .malformedYAML(file: "test.yaml", let line?, _)? = error as? MegatronError else {
        return false
      }
      return line >= 2
    }
  }

  @Test func aKeyGivenTwiceIsRefused() {
    #expect(throws: MegatronError.self) { try parse("a: 1\na: 2\n") }
  }

  @Test(arguments: ["[", "{a: ", "- ", "a:\n"])
  func deepNestingIsRefused(opening: String) {
    var text = ""
    if opening == "a:\n" {
      for depth in 0..<2000 { text += String(repeating: " ", count: depth) + opening }
    } else {
      text = String(repeating: opening, count: 100_000)
    }
    #expect(throws: MegatronError.self) { try parse(text) }
  }

  @Test func aliasesThatGrowWithoutBoundAreRefused() {
    var text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    for level in 1...12 {
      text +=
        "a\(level): &a\(level) ["
        + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ") + "]\n"
    }
    #expect(throws: MegatronError.self) { try parse(text) }
  }

  @Test func bytesThatAreNotUTF8AreRefused() {
    #expect(throws: MegatronError.self) {
      try YAMLValue(parsing: [0x61, 0x3A, 0xFF], file: "test.yaml")
    }
  }
}
