import Hub
import JSON

/// What there is to tell of a push, planned or done.
package struct PushReport {
  private let target: HubTarget

  /// For people and for programs.
  package struct Told {
    package var rows: [(String, String)]
    package var lines: [String]
    package var object: JSONObject
  }

  package init(_ target: HubTarget) { self.target = target }

  static let cardStays =
    "The repository has a card already (README.md), and it stays; --overwrite replaces it."

  /// The repository as a command line names it.
  package static func reference(_ target: HubTarget) -> String {
    let isMain = target.branch == "main"
    return "\(HubReference(target.repository, revision: isMain ? nil : target.branch))"
  }

  /// The repository, and whether it is there.
  private var place: String {
    var words: [String] = []
    if !target.exists { words.append(target.isPrivate ? "new, private" : "new, public") }
    if target.makesBranch { words.append("a new branch") }
    return Self.reference(target) + (words.isEmpty ? "" : " (\(words.joined(separator: ", ")))")
  }

  private func list(_ title: String, _ paths: [String]) -> [String] {
    guard !paths.isEmpty else { return [] }
    let more = paths.count - Report.limit
    return [title] + paths.prefix(Report.limit).map { "  \($0)" }
      + (more > 0 ? ["  … and \(Format.count(more)) more (see --json)"] : [])
  }

  /// What would be done, for programs.
  private func object(files: [String], deleted: [String]) -> JSONObject {
    var object = common
    object["creates"] = .bool(!target.exists)
    object["createsBranch"] = .bool(target.makesBranch)
    object["private"] = .bool(target.isPrivate)
    object["files"] = files.json
    object["deleted"] = deleted.json
    object["keepsCard"] = .bool(target.keepsCard)
    return object
  }

  private var common: JSONObject {
    JSONObject([
      "repository": .string(target.repository.name), "branch": .string(target.branch),
      "user": .string(target.user),
    ])
  }

  /// What would be done.
  ///
  /// - Parameter files: the paths that the folder has or will have.
  package func planned(_ files: [String]) -> Told {
    let deleted = target.stale(besides: Set(files))
    let sent = files.filter { !target.keepsCard || $0 != HubTarget.card }.sorted()
    return Told(
      rows: [("push to", place)],
      lines: list("To delete there:", deleted) + (target.keepsCard ? [Self.cardStays] : []),
      object: object(files: sent, deleted: deleted))
  }

  // MARK: Done

  package func done(_ pushed: HubPushed) -> Told {
    Told(rows: rows(pushed), lines: lines(pushed), object: object(pushed))
  }

  private func rows(_ pushed: HubPushed) -> [(String, String)] {
    let bytes = pushed.files.reduce(0) { $0 + $1.size }
    var rows = [
      ("pushed to", Self.reference(target)),
      ("commit", pushed.address),
      ("on the hub", "\(Format.count(pushed.files.count, "file")), \(Format.bytes(bytes))"),
    ]
    if pushed.unchanged > 0 {
      rows.append(("there already", Format.count(pushed.unchanged, "file")))
    }
    return rows
  }

  private func lines(_ pushed: HubPushed) -> [String] {
    list("Deleted there:", pushed.deleted) + (pushed.keptCard ? [Self.cardStays] : [])
  }

  private func object(_ pushed: HubPushed) -> JSONObject {
    var object = common
    object["commit"] = .string(pushed.commit)
    object["address"] = .string(pushed.address)
    object["committed"] = .bool(pushed.isNew)
    object["files"] = .array(
      pushed.files.map { file in
        .object(
          JSONObject([
            "path": .string(file.path), "bytes": .integer(file.size),
            "sha256": file.sha256.map { .string($0) } ?? .null,
          ]))
      })
    object["unchanged"] = .integer(pushed.unchanged)
    object["deleted"] = pushed.deleted.json
    object["sentBytes"] = .integer(pushed.sentBytes)
    object["keptCard"] = .bool(pushed.keptCard)
    return object
  }
}
