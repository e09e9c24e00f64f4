import ArgumentParser
import Console
import Glibc
import Hub
import JSON

/// `convert cache list`: repositories, revisions, sizes, downloads that did not end.
struct CacheListCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Lists what lies in the hub cache.",
    discussion: """
      Sizes count each file once, however many revisions lead to it. `used` is when a file was read or written \
      last, as far as the file system keeps account of it.

      EXAMPLES
        convert cache list
        convert cache list --revisions
        convert cache list --json
      """,
    aliases: ["ls"])

  @Flag(help: "A line for each revision.") var revisions = false
  @OptionGroup var place: CachePlace
  @Flag(help: "Print one JSON object.") var json = false

  var wantsJSON: Bool { json }

  func run() throws {
    let inventory = try place.hub().cacheInventory()
    if json {
      Report.print(Self.object(inventory))
    } else {
      text(inventory).forEach { Report.print($0) }
    }
  }

  // MARK: Text

  private func text(_ inventory: HubInventory) -> [String] {
    let repositories = inventory.repositories
    guard !repositories.isEmpty else {
      return [
        "\(inventory.cache) holds no repository.",
        Report.next([["convert", "download", "ORG/NAME"]]),
      ]
    }
    var lines = [
      "\(inventory.cache): \(Self.count(repositories.count)), \(Format.bytes(inventory.bytes))"
    ]
    lines.append(revisions ? revisionTable(repositories) : repositoryTable(repositories))
    let incomplete = repositories.flatMap(\.incomplete)
    if !incomplete.isEmpty {
      let bytes = incomplete.reduce(0) { $0 + $1.bytes }
      lines.append(
        "Downloads that did not end: \(Format.count(incomplete.count, "file")), \(Format.bytes(bytes)). "
          + "The same download goes on with them.")
    }
    var next = [["convert", "cache", "verify"]]
    if !revisions { next.insert(["convert", "cache", "list", "--revisions"], at: 0) }
    lines.append(Report.next(next))
    return lines
  }

  private static func count(_ number: Int) -> String {
    number == 1 ? "1 repository" : "\(Format.count(number)) repositories"
  }

  private func repositoryTable(_ repositories: [HubInventory.Stored]) -> String {
    let now = Double(time(nil))
    let rows = repositories.map { stored in
      let refs = stored.revisions.flatMap(\.refs)
      let loose = stored.revisions.count { $0.refs.isEmpty }
      let words = refs + (loose == 0 ? [] : ["\(loose) without a name"])
      return [
        stored.id.title, Format.bytes(stored.bytes), Format.count(stored.files),
        Self.ago(stored.used, now), words.joined(separator: ", "),
      ]
    }
    return Format.table(
      [["repository", "size", "files", "used", "revisions"]] + rows, right: [1, 2])
  }

  private func revisionTable(_ repositories: [HubInventory.Stored]) -> String {
    let now = Double(time(nil))
    let rows = repositories.flatMap { stored in
      stored.revisions.map { revision in
        let files = Format.count(revision.files)
        return [
          stored.id.title, String(revision.commit.prefix(12)), Format.bytes(revision.bytes),
          revision.listed.map { $0 == revision.files ? files : "\(files) of \(Format.count($0))" }
            ?? files,
          Self.ago(revision.modified, now), revision.refs.joined(separator: ", "),
        ]
      }
    }
    return Format.table(
      [["repository", "commit", "size", "files", "fetched", "names"]] + rows, right: [2, 3])
  }

  /// How long ago something was: `2 hours ago`.
  static func ago(_ moment: Double, _ now: Double) -> String {
    let seconds = max(0, now - moment)
    guard moment > 0 else { return "–" }
    if seconds < 60 { return "just now" }
    let units: [(size: Double, word: String, most: Double)] = [
      (60, "minute", 3600), (3600, "hour", 86_400), (86_400, "day", 5_184_000),
      (2_630_000, "month", 63_072_000),
    ]
    let unit = units.first { seconds < $0.most } ?? (31_557_600, "year", .infinity)
    return Format.count(Int(seconds / unit.size), unit.word) + " ago"
  }

  // MARK: JSON

  static func object(_ inventory: HubInventory) -> JSONObject {
    JSONObject([
      "cache": .string(inventory.cache), "bytes": .integer(inventory.bytes),
      "repositories": .array(inventory.repositories.map { .object(object($0)) }),
    ])
  }

  private static func object(_ stored: HubInventory.Stored) -> JSONObject {
    let incomplete: [JSON] = stored.incomplete.map {
      .object(JSONObject(["path": .string($0.path), "bytes": .integer($0.bytes)]))
    }
    let revisions: [JSON] = stored.revisions.map { .object(object($0)) }
    return JSONObject([
      "kind": .string(stored.id.kind.rawValue), "name": .string(stored.id.name),
      "path": .string(stored.folder), "files": .integer(stored.files),
      "bytes": .integer(stored.bytes), "lastUsed": .integer(Int(stored.used)),
      "lastModified": .integer(Int(stored.modified)),
      "revisions": .array(revisions), "lostRefs": stored.lostRefs.json,
      "incomplete": .array(incomplete),
    ])
  }

  private static func object(_ revision: HubInventory.Revision) -> JSONObject {
    JSONObject([
      "commit": .string(revision.commit), "refs": revision.refs.json,
      "path": .string(revision.folder), "files": .integer(revision.files),
      "listedFiles": revision.listed.map { .integer($0) } ?? .null,
      "bytes": .integer(revision.bytes), "lastModified": .integer(Int(revision.modified)),
    ])
  }
}
