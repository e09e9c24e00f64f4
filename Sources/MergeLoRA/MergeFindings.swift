import Adapters
import Checkpoints
import Console
import JSON
import Tensors

/// What a merge tells: the base, what changes and by how much at most, what has no adapter.
struct MergeFindings {
  private let changes: ChangeReport
  private let adapters: [WeightedAdapter]
  private let base: BaseModel

  /// How many changed tensors, and kinds of others, a text shows.
  static let limit = 10

  init(_ changes: ChangeReport, _ adapters: [WeightedAdapter], _ base: BaseModel) {
    self.changes = changes
    self.adapters = adapters
    self.base = base
  }

  func at(_ stage: Conversion.Stage) -> Conversion.Findings {
    var findings = Conversion.Findings()
    findings.rows = rows(stage)
    findings.tellsSources = true
    findings.lines = changed(stage) + unchanged
    findings.object = object(stage)
    return findings
  }

  private func rows(_ stage: Conversion.Stage) -> [(String, String)] {
    var rows = [("base", "\(base.place) (named by \(Folder.name(base.namedBy)))")]
    for each in adapters {
      let weight = each.weight == 1 ? "" : ", × \(each.weight)"
      rows.append(("adapter", "\(each.adapter.source)\(weight)"))
    }
    let count = Format.count(changes.entries.count, "tensor")
    switch stage {
    case .planned: rows.append(("to change", count))
    case .done:
      let most = changes.entries.map(\.largest).max() ?? 0
      rows.append(("changed", "\(count), by \(Format.difference(most)) at most"))
    }
    rows.append(("no adapter", Format.count(changes.untouched.count, "tensor")))
    return rows
  }

  // MARK: Tables

  private func changed(_ stage: Conversion.Stage) -> [String] {
    guard !changes.entries.isEmpty else { return [] }
    let shown: [ChangeReport.Entry]
    let title: String
    switch stage {
    case .planned:
      shown = Array(changes.entries.prefix(Self.limit))
      title = "To change:"
    case .done:
      let sorted = changes.entries.map { (entry: $0, largest: $0.largest) }
        .sorted { $0.largest > $1.largest }
      shown = sorted.prefix(Self.limit).map(\.entry)
      title = "Changed most:"
    }
    let table = Format.table(
      shown.map { entry in
        let amount = stage == .done ? ["by \(Format.difference(entry.largest))"] : []
        return [entry.tensor] + amount + [Self.how(entry)]
      })
    return [title, table] + more(changes.entries.count)
  }

  private static func how(_ entry: ChangeReport.Entry) -> String {
    if entry.isReplaced { return "replaced" }
    if entry.ranks.isEmpty { return "added to" }
    return "rank " + entry.ranks.map(String.init).joined(separator: " + ")
  }

  private var unchanged: [String] {
    let kinds = changes.untouchedKinds
    guard !kinds.isEmpty else { return [] }
    let table = Format.table(
      kinds.prefix(Self.limit).map { [Format.count($0.count), $0.kind] }, right: [0])
    return ["Without an adapter:", table] + more(kinds.count)
  }

  private func more(_ count: Int) -> [String] {
    count > Self.limit ? ["  … and \(Format.count(count - Self.limit)) more (see --json)"] : []
  }

  // MARK: JSON

  private func object(_ stage: Conversion.Stage) -> JSONObject {
    JSONObject([
      "base": .string(base.place), "baseNamedBy": .string(base.namedBy),
      "adapters": .array(
        adapters.map {
          .object(
            JSONObject([
              "source": .string($0.adapter.source), "weight": .number($0.weight),
            ]))
        }),
      "changed": .array(changes.entries.map { .object(Self.object($0, stage)) }),
      "unchanged": .integer(changes.untouched.count),
      "unchangedKinds": .array(
        changes.untouchedKinds.map {
          .object(JSONObject(["kind": .string($0.kind), "count": .integer($0.count)]))
        }),
    ])
  }

  private static func object(
    _ entry: ChangeReport.Entry, _ stage: Conversion.Stage
  ) -> JSONObject {
    var object = JSONObject([
      "name": .string(entry.tensor), "ranks": .array(entry.ranks.map { .integer($0) }),
      "replaced": .bool(entry.isReplaced),
    ])
    if stage == .done {
      // JSON has no infinity.
      let largest = entry.largest
      object["largest"] = largest.isFinite ? .number(largest) : .string("infinity")
    }
    return object
  }
}
