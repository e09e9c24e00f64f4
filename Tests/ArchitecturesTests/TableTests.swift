import Architectures
import Blueprint
import Foundation
import JSON
import Support
import Testing

/// docs/architectures.md says what the code and the fixtures say.
struct TableTests {
  static let file = Support.root.appending(path: "docs/architectures.md")

  /// How many cases there are of each class.
  private func counts(_ configurations: [JSONObject]) -> [String: Int] {
    configurations.reduce(into: [:]) { counts, configuration in
      counts[configuration["architectures"]?.array?.first?.string ?? "", default: 0] += 1
    }
  }

  private func cases(in folder: String) throws -> [String: Int] {
    counts(
      try Support.names(in: folder).map {
        try readObject(Support.data("\(folder)/\($0)/hf/config.json"))
      })
  }

  /// The rows, with what the file says in their last column.
  private func rows(_ remarks: [String: String]) throws -> [String] {
    let (layouts, bridge) = (try cases(in: "hf"), try cases(in: "bridge"))
    let sizes = counts(CountTests.models.map(\.configuration))
    return Registry.all.map { architecture in
      func number(_ counts: [String: Int]) -> Int {
        architecture.names.reduce(0) { $0 + counts[$1, default: 0] }
      }
      let origin =
        switch architecture.origin {
        case .bridge: "Bridge"
        case .nemo: "NeMo"
        case .derived: "derived"
        }
      let cells = [
        architecture.names.map { "`\($0)`" }.joined(separator: ", "), architecture.note, origin,
        number(layouts) == 0 ? "**none**" : "\(number(layouts))",
        number(bridge) == 0 ? "–" : "\(number(bridge))", "\(number(sizes))",
        architecture.names.lazy.compactMap { remarks[$0] }.first ?? "?",
      ]
      return "| " + cells.joined(separator: " | ") + " |"
    }
  }

  @Test func theTableOfArchitecturesIsTrue() throws {
    let text = try String(contentsOf: Self.file, encoding: .utf8)
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let found = lines.filter { $0.hasPrefix("| `") }
    let remarks = found.reduce(into: [String: String]()) { remarks, line in
      let cells = line.dropFirst(2).dropLast(2).components(separatedBy: " | ")
      for name in cells[0].components(separatedBy: ", ") {
        remarks[name.replacing("`", with: "")] = cells.last
      }
    }
    let expected = try rows(remarks)
    if ProcessInfo.processInfo.environment["ISTHMUS_WRITE_TABLE"] != nil {
      lines.removeAll { $0.hasPrefix("| `") }
      let head = try #require(lines.firstIndex { $0.hasPrefix("|---") })
      lines.insert(contentsOf: expected, at: head + 1)
      try lines.joined(separator: "\n").write(to: Self.file, atomically: true, encoding: .utf8)
      return
    }
    #expect(found == expected, "run scripts/write-table")
    #expect(expected.filter { $0.hasSuffix(" ? |") } == [], "nothing is said of Megatron-Core")
  }

  @Test(arguments: Support.names(in: "bridge"))
  func aFamilyThatTheBridgeConvertsHasItsNames(_ name: String) throws {
    let configuration = try readObject(Support.data("bridge/\(name)/hf/config.json"))
    let className = try #require(configuration["architectures"]?.array?.first?.string)
    guard let architecture = Registry.architecture(named: className) else { return }
    #expect(architecture.origin == .bridge, "\(className)")
  }

  /// The reference set's index says for each class which of NVIDIA's programs converts it.
  @Test(.enabled(if: Support.reference != nil))
  func originsAreThoseOfTheIndexOfMappings() throws {
    let reference = try #require(Support.reference)
    let text = try String(contentsOf: reference.appending(path: "MAPPINGS.md"), encoding: .utf8)
    var origins: [String: NameOrigin] = [:]
    for line in text.split(separator: "\n") {
      let cells = line.components(separatedBy: " | ")
      guard cells.count >= 6, Int(cells[0].dropFirst(2)) != nil else { continue }
      let byBridge = cells[2...3].contains { $0.hasPrefix("yes") || $0.hasPrefix("partial") }
      let byNeMo = !cells[4].hasPrefix("no") && !cells[4].hasPrefix("same")
      origins[cells[1].replacing("`", with: "")] = byBridge ? .bridge : byNeMo ? .nemo : .derived
    }
    #expect(origins.count > 50)
    for architecture in Registry.all {
      let told = architecture.names.compactMap { origins[$0] }
      #expect(told.isEmpty || told.contains(architecture.origin), "\(architecture): \(told)")
    }
  }
}
