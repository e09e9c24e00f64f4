import Console
import Hub
import JSON
import Tensors

/// What `convert download` tells of its work.
struct DownloadReport {
  let reference: HubReference
  /// The one file that was asked for, whose own path is the result.
  let single: String?
  /// Whether the files go where every command finds them by the reference alone.
  let isShared: Bool
  let running: DownloadRunning

  // MARK: Done

  func show(_ snapshot: HubSnapshot, seconds: Double) {
    let path = single.map { "\(snapshot.folder)/\($0)" } ?? snapshot.folder
    let bytes = Self.bytes(snapshot.files)
    if running.json {
      var object = common("done", snapshot.commit, path, snapshot.files)
      object["fetchedFiles"] = .integer(snapshot.fetched.count)
      object["receivedBytes"] = .integer(snapshot.received)
      object["seconds"] = .number((seconds * 1000).rounded() / 1000)
      object["notes"] = snapshot.notes.json
      object["next"] = next(snapshot, path).map(Format.command).json
      return Report.print(object)
    }
    // They are for people, and what stands on standard output may be for programs.
    if running.isQuiet {
      for note in Report.notes(snapshot.notes) { Report.error(note, label: "") }
      return Report.print(path)
    }
    let title = reference.repository.title
    if snapshot.listing == nil {
      Report.print("\(title) is here.")
    } else if snapshot.files.isEmpty {
      Report.print("Nothing of \(title) was fetched.")
    } else if snapshot.fetched.isEmpty {
      Report.print(
        "\(title) was here already: \(Format.count(snapshot.files.count, "file")), "
          + "\(Format.bytes(bytes)).")
    } else {
      let fetched = Self.bytes(snapshot.fetched)
      let speed = seconds > 0 ? Int(Double(snapshot.received) / seconds) : 0
      Report.print(
        "Downloaded \(title): \(Format.count(snapshot.fetched.count, "file")), "
          + "\(Format.bytes(fetched)), in \(Format.duration(seconds)) (\(Format.bytes(speed))/s).")
    }
    var rows = [("revision", reference.revision ?? "main"), ("commit", snapshot.commit)]
    if !snapshot.fetched.isEmpty, snapshot.fetched.count < snapshot.files.count {
      let there = snapshot.files.count - snapshot.fetched.count
      rows.append(("here before", Format.count(there, "file")))
    }
    rows.append(("path", path))
    Report.print(Report.facts(rows))
    for note in Report.notes(snapshot.notes) { Report.print(note) }
    let next = next(snapshot, path)
    if !next.isEmpty { Report.print(Report.next(next)) }
  }

  /// What makes sense with a model whose weights can be read here.
  private func next(_ snapshot: HubSnapshot, _ path: String) -> [[String]] {
    let isNothing = snapshot.listing != nil && snapshot.files.isEmpty
    let names = isNothing ? [] : Folder.entries(path) ?? []
    guard names.contains("config.json"), names.contains(where: { $0.hasSuffix(".safetensors") })
    else { return [] }
    let words = isShared ? "\(reference)" : path
    let name = reference.repository.name.split(separator: "/").last.map(String.init) ?? "model"
    return [
      ["convert", "inspect", path],
      ["convert", "import", "--hf-model", words, "--megatron-path", name + "-megatron"],
    ]
  }

  // MARK: Planned

  func show(_ plan: HubPlan) {
    let free = Folder.freeBytes(plan.folder)
    let missing = Set(plan.missing.map(\.path))
    if running.json {
      let path = single.map { "\(plan.folder)/\($0)" } ?? plan.folder
      var object = common("planned", plan.listing.commit, path, plan.files)
      object["missingFiles"] = .integer(plan.missing.count)
      object["missingBytes"] = .integer(plan.bytes)
      object["diskFree"] = free.map { .integer($0) } ?? .null
      object["list"] = .array(
        plan.files.map { file in
          .object(
            JSONObject([
              "path": .string(file.path), "bytes": .integer(file.size),
              "isMissing": .bool(missing.contains(file.path)),
            ]))
        })
      object["notes"] = plan.notes.json
      return Report.print(object)
    }
    if running.isQuiet { return Report.print(plan.missing.map(\.path).joined(separator: "\n")) }
    Report.print(
      "Would fetch \(Format.count(plan.missing.count, "file")) (out of \(Format.count(plan.files.count))), "
        + "\(Format.bytes(plan.bytes)); nothing was fetched.")
    var rows = [
      ("commit", plan.listing.commit), ("to", plan.folder),
      (
        "disk",
        "\(Format.bytes(plan.bytes)) needed, \(free.map(Format.bytes) ?? "an unknown amount") free"
          + (free.map { $0 < plan.bytes ? ", too little" : "" } ?? "")
      ),
    ]
    if plan.begun > 0 { rows.append(("begun", "\(Format.bytes(plan.begun)) are here already")) }
    Report.print(Report.facts(rows))
    let shown = plan.files.prefix(Report.limit)
    Report.print(
      Format.table(
        shown.map { [$0.path, missing.contains($0.path) ? Format.bytes($0.size) : "-"] }, right: [1]
      ))
    if plan.files.count > shown.count {
      Report.print("  … and \(Format.count(plan.files.count - shown.count)) more (see --json)")
    }
    for note in Report.notes(plan.notes) { Report.print(note) }
  }

  // MARK: Both

  private func common(
    _ status: String, _ commit: String, _ path: String, _ files: [HubFile]
  ) -> JSONObject {
    JSONObject([
      "status": .string(status), "command": .string("download"),
      "repository": .string(reference.repository.name),
      "kind": .string(reference.repository.kind.rawValue),
      "revision": .string(reference.revision ?? "main"), "commit": .string(commit),
      "path": .string(path), "files": .integer(files.count), "bytes": .integer(Self.bytes(files)),
    ])
  }

  private static func bytes(_ files: [HubFile]) -> Int {
    files.reduce(0) { $0.saturatingAdd($1.size) }
  }
}
