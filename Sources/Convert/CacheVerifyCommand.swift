import ArgumentParser
import Console
import Hub
import JSON
import Tensors

/// `convert cache verify`: every file is read and compared with what the hub calls it.
struct CacheVerifyCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Reads files of the hub cache and compares them with their checksums.",
    discussion: """
      The hub knows a large file by its SHA-256 and a small one by git's SHA-1; the cache keeps them under that \
      name. Links that lead nowhere or to another file, and listings that cannot be read, are found as well. \
      Exit status 3 where something is wrong, with the command that repairs it. What was fetched in part, or lies \
      there to spare, is told and is no fault.

      EXAMPLES
        convert cache verify
        convert cache verify org/name
        convert cache verify hf://datasets/org/name@v1.0 --json
        convert cache verify org/name --fail-on-missing-files
      """)

  @Argument(
    help: ArgumentHelp(
      "Repositories, or revisions of them. (default: the whole cache)", valueName: "ref"))
  var references: [String] = []

  @Flag(
    name: .customLong("fail-on-missing-files"),
    help: "Files that the hub lists and that are not here are wrong, too.")
  var failsOnMissing = false

  @OptionGroup var place: CachePlace

  @Option(help: ArgumentHelp("Files that are read at once. (default: 2)", valueName: "n"))
  var workers = 2

  @Flag(name: .customLong("no-progress"), help: "Show no progress.") var hidesProgress = false
  @Flag(help: "Print one JSON object.") var json = false

  var wantsJSON: Bool { json }

  func validate() throws {
    guard (1...256).contains(workers) else {
      throw ValidationError("--workers must be a number from 1 to 256, not \(workers).")
    }
  }

  func run() throws {
    let hub = try place.hub(workers: workers)
    let wanted = try references.map {
      try HubReference(parsing: $0, endpoint: hub.settings.endpoint)
    }
    let start = ContinuousClock.now
    let result = try hub.verify(wanted)
    let seconds = (ContinuousClock.now - start).seconds
    if json {
      Report.print(object(result, hub, seconds))
    } else {
      text(result, hub, seconds).forEach { Report.print($0) }
    }
    if result.findings.contains(where: isWrong) { throw ExitStatus.difference }
  }

  private func isWrong(_ finding: HubVerification.Finding) -> Bool {
    finding.kind.isFault || (failsOnMissing && finding.kind == .absent)
  }

  // MARK: Text

  private func text(_ result: HubVerification, _ hub: Hub, _ seconds: Double) -> [String] {
    let wrong = result.findings.filter(isWrong)
    let read =
      "\(Format.count(result.checkedFiles, "file")) read, \(Format.bytes(result.checkedBytes)) in "
      + Format.duration(seconds)
    var lines = [
      wrong.isEmpty
        ? "\(hub.settings.cache): all as it should be; \(read)."
        : "\(hub.settings.cache): \(Format.count(wrong.count)) of its files \(wrong.count == 1 ? "is" : "are") wrong; \(read)."
    ]
    if !wrong.isEmpty {
      let rows = wrong.prefix(Report.limit).map {
        [$0.kind.rawValue, $0.repository.title, $0.path, $0.detail]
      }
      lines.append(Format.table([["what", "repository", "file", "why"]] + rows))
      if wrong.count > Report.limit {
        lines.append("  … and \(Format.count(wrong.count - Report.limit)) more (see --json)")
      }
    }
    if result.uncheckedFiles > 0 {
      lines.append(
        "note: of \(Format.count(result.uncheckedFiles, "file")) no checksum is known; not compared."
      )
    }
    lines += Report.notes(notes(result.findings.filter { !isWrong($0) }))
    let repairs = Self.repairs(wrong, hub)
    if !repairs.isEmpty { lines.append(Report.next(repairs)) }
    return lines
  }

  /// What is no fault, by kind and repository.
  private func notes(_ findings: [HubVerification.Finding]) -> [String] {
    var groups: [(kind: HubVerification.Kind, repository: HubRepository, paths: [String])] = []
    for finding in findings {
      if let index = groups.firstIndex(where: {
        $0.kind == finding.kind && $0.repository == finding.repository
      }) {
        groups[index].paths.append(finding.path)
      } else {
        groups.append((finding.kind, finding.repository, [finding.path]))
      }
    }
    return groups.map { kind, repository, paths in
      let files = Format.count(paths.count, "file")
      let words =
        switch kind {
        case .absent: "\(files) that the hub lists \(paths.count == 1 ? "was" : "were") not fetched"
        case .incomplete: "\(files) whose download did not end; the same download goes on with it"
        case .unused: "\(files) that no revision leads to"
        case .lost: "\(paths.map(Folder.name).joined(separator: ", ")): the commit is not here"
        default: "\(kind.rawValue): \(files)"
        }
      return "\(repository.title): \(words)."
    }
  }

  /// The commands that bring back what is wrong, one for each revision; what nobody needs is removed.
  private static func repairs(
    _ wrong: [HubVerification.Finding], _ hub: Hub
  ) -> [[String]] {
    var order: [HubReference] = []
    var paths: [HubReference: [String]] = [:]
    var removals: [String] = []
    for finding in wrong {
      guard let repair = finding.repair else {
        removals.append("\(hub.settings.cache)/\(finding.repository.folderName)/\(finding.path)")
        continue
      }
      let revision = HubReference(repair.repository, revision: repair.revision)
      if paths[revision] == nil { order.append(revision) }
      paths[revision, default: []].append(repair.path)
    }
    let downloads = order.map { reference in
      ["convert", "download", "\(reference)"] + (paths[reference] ?? []) + ["--force-download"]
    }
    return downloads + (removals.isEmpty ? [] : [["rm"] + removals])
  }

  // MARK: JSON

  private func object(_ result: HubVerification, _ hub: Hub, _ seconds: Double) -> JSONObject {
    let wrong = result.findings.filter(isWrong)
    return JSONObject([
      "cache": .string(hub.settings.cache),
      "status": .string(wrong.isEmpty ? "whole" : "different"),
      "files": .integer(result.checkedFiles), "bytes": .integer(result.checkedBytes),
      "unchecked": .integer(result.uncheckedFiles),
      "seconds": .number((seconds * 1000).rounded() / 1000),
      "findings": .array(
        result.findings.map { finding in
          .object(
            JSONObject([
              "what": .string(finding.kind.rawValue), "isWrong": .bool(isWrong(finding)),
              "repository": .string(finding.repository.title), "path": .string(finding.path),
              "why": .string(finding.detail),
              "repair": finding.repair.map { .string("\($0)") } ?? .null,
            ]))
        }),
      "next": Self.repairs(wrong, hub).map(Format.command).json,
    ])
  }
}
