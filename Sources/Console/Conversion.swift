import Checkpoints
import Glibc
import JSON
import Tensors

/// A planned conversion on its way to its destination: dry run, staging, progress, report.
package struct Conversion {
  /// The command's name.
  package var name: String
  /// What has been done to the model afterwards: `Imported`.
  package var verb: String
  /// What the model is.
  package var architecture: String
  /// The folders that are read.
  package var sources: [String]
  package var destination: String
  package var tensors: Int
  package var transfer: Transfer
  package var notes: [String]
  /// The commands that make sense afterwards.
  package var next: [[String]]
  /// The result's way to the hub, if it goes there.
  package var publication: Publication?
  /// What the command has to tell besides, before it is carried out and after.
  package var findings: (Stage) -> Findings = { _ in Findings() }
  /// The source's weights, where they are not all there.
  package var arriving: Arriving?

  package enum Stage: Sendable {
    case planned, done
  }

  /// What a command tells of its work beyond what all commands do.
  package struct Findings {
    /// Labelled values.
    package var rows: [(String, String)] = []
    /// Whether `rows` say where everything comes from.
    package var tellsSources = false
    /// Text below them.
    package var lines: [String] = []
    /// The same and more, for programs.
    package var object = JSONObject()

    package init() {}
  }

  package init(
    name: String, verb: String, architecture: String, sources: [String], destination: String,
    tensors: Int, transfer: Transfer, notes: [String], next: [[String]]
  ) {
    self.name = name
    self.verb = verb
    self.architecture = architecture
    self.sources = sources
    self.destination = destination
    self.tensors = tensors
    self.transfer = transfer
    self.notes = notes
    self.next = next
  }

  /// Carries the conversion out, or prints what it would do, and reports.
  package func run(_ options: DestinationOptions, _ run: RunOptions) throws {
    let workers = try run.workerCount(memory: transfer.memory)
    let target = Folder.absolute(destination)
    try requireSourcesSafe(target)
    if options.isDryRun {
      report(
        plan(workers: workers, target: target), told(.planned, publication?.plan(transfer)),
        json: run.json)
      return
    }
    let progress = TransferProgress()
    var besides: (@Sendable () -> String?)?
    if let model = arriving?.model { besides = { model.words } }
    let display = ProgressDisplay(
      name, total: transfer.tensorBytes + (arriving?.rest?.bytes ?? 0), progress,
      style: run.progressStyle, besides: besides)
    let (carried, seconds) = try display.during { () throws -> Carried in
      try Interrupt.shared.stopping(progress) { () throws -> Carried in
        try carryOut(to: target, overwrite: options.overwrite, workers: workers, progress)
      }
    }
    let pushed = try publication?.publish(carried.staged)
    let done = carried.done
    var result = done.result(workers: workers, target: target, seconds: seconds)
    if let download = carried.download, download.files > 0 {
      let total = done.transfer.tensorBytes
      result.object["download"] = download.object(total: total)
      result.rows += download.rows + [("meanwhile", download.share(of: total))]
    }
    done.report(result, done.told(.done, pushed), json: run.json)
  }

  private func carryOut(
    to target: String, overwrite: Bool, workers: Int, _ progress: TransferProgress
  ) throws -> Carried {
    guard let arriving else {
      return Carried(
        done: self,
        staged: try write(to: target, overwrite: overwrite, workers: workers, progress))
    }
    return try Interrupt.shared.stopping(arriving.model.progress) { () throws -> Carried in
      try carryOut(arriving, to: target, overwrite: overwrite, workers: workers, progress)
    }
  }

  /// Writes everything beside its place, and puts it there when it is complete, unless it goes to the hub first.
  @discardableResult
  func write(
    to target: String, overwrite: Bool, workers: Int, _ progress: TransferProgress
  ) throws -> StagedFolder {
    let staged = try StagedFolder(
      destination: target, overwrite: overwrite, needed: transfer.totalBytes)
    Interrupt.shared.onAbort { staged.discard() }
    do {
      try transfer.run(in: staged.path, workers: workers, progress: progress)
      if publication == nil { try staged.publish() }
      return staged
    } catch {
      staged.discard()
      throw error
    }
  }

  /// Sends the result to the hub as well.
  package mutating func publish(_ publication: Publication?) {
    guard let publication else { return }
    self.publication = publication
    transfer = publication.replacingCard(in: transfer)
  }

  /// The command's findings, with what there is to tell of the hub.
  private func told(_ stage: Stage, _ push: PushReport.Told?) -> Findings {
    var findings = findings(stage)
    guard let push else { return findings }
    findings.rows += push.rows
    findings.lines += push.lines
    findings.object["push"] = .object(push.object)
    return findings
  }

  /// Refuses a destination that holds a source, directly or through links.
  private func requireSourcesSafe(_ target: String) throws {
    guard let real = Folder.resolved(target) else { return }
    for source in sources {
      guard let place = Folder.resolved(source) else { continue }
      if place == real || place.hasPrefix(real == "/" ? "/" : real + "/") {
        throw CommandError.wouldReplaceSource(destination: target, source: source)
      }
    }
  }

  // MARK: Reports

  private struct Outcome {
    var object: JSONObject
    var heading: String
    var rows: [(String, String)]
    var next: [[String]]
  }

  private func report(_ outcome: Outcome, _ findings: Findings, json: Bool) {
    if json {
      var object = outcome.object
      for (key, value) in findings.object.members { object[key] = value }
      object["notes"] = notes.json
      object["next"] = outcome.next.map(Format.command).json
      Report.print(object)
      return
    }
    Report.print(outcome.heading)
    let rows = outcome.rows.filter { !findings.tellsSources || $0.0 != Self.from }
    Report.print(Report.facts(rows + findings.rows))
    for line in findings.lines { Report.print(line) }
    for note in Report.notes(notes) { Report.print(note) }
    if !outcome.next.isEmpty { Report.print(Report.next(outcome.next)) }
  }

  private static let from = "from"

  private var fileCount: Int {
    transfer.files.count + transfer.before.count + transfer.after.count + transfer.copies.count
      + (publication == nil ? 0 : 1)
  }

  private func common(_ status: String, _ target: String, _ workers: Int) -> JSONObject {
    JSONObject([
      "status": .string(status), "command": .string(name), "architecture": .string(architecture),
      "sources": sources.json, "destination": .string(target), "tensors": .integer(tensors),
      "tensorBytes": .integer(transfer.tensorBytes), "files": .integer(fileCount),
      "bytes": .integer(transfer.totalBytes), "workers": .integer(workers),
      "bufferBytes": .integer(transfer.memory(workers: workers)),
    ])
  }

  private func plan(workers: Int, target: String) -> Outcome {
    let free = Folder.freeBytes(Folder.existingAncestor(target))
    let read = transfer.tasks.reduce(0) { $0 + $1.count * $1.source.byteWidth }
    var object = common("planned", target, workers)
    object["readBytes"] = .integer(read)
    object["diskNeeded"] = .integer(transfer.totalBytes)
    object["diskFree"] = free.map { .integer($0) } ?? .null
    object["outputs"] = .array(
      transfer.files.map { file in
        .object(JSONObject(["path": .string(file.path), "bytes": .integer(file.size)]))
      })
    var rows: [(String, String)] = []
    var needed = transfer.totalBytes
    if let arriving {
      let coming = arriving.model.coming(for: transfer, all: arriving.takesAll)
      if Folder.areOnOneDisk(arriving.model.folder, Folder.existingAncestor(target)) {
        needed = needed.saturatingAdd(coming.bytes)
        object["diskNeeded"] = .integer(needed)
      }
      object["download"] = .object(
        JSONObject([
          "files": .integer(coming.files), "bytes": .integer(coming.bytes),
          "foundBytes": .integer(arriving.model.found),
        ]))
      rows.append(
        (
          "to download",
          coming.files == 0
            ? "nothing"
            : "\(Format.bytes(coming.bytes)) in \(Format.count(coming.files, "file")), into "
              + arriving.model.folder
        ))
    }
    let enough = free.map { $0 < needed ? ", too little" : "" } ?? ""
    return Outcome(
      object: object, heading: "Plan of the \(name); nothing was written.",
      rows: [("model", architecture), ("destination", target)] + rows + [
        ("tensors", "\(Format.count(tensors)) (\(Format.count(transfer.tasks.count)) pieces)"),
        ("to read", Format.bytes(read)),
        ("to write", "\(Format.bytes(transfer.totalBytes)) in \(Format.count(fileCount, "file"))"),
        (
          "memory",
          "\(Format.bytes(transfer.memory(workers: workers))) for the buffers of "
            + Format.count(workers, "worker")
        ),
        (
          "disk",
          "\(Format.bytes(needed)) needed, "
            + "\(free.map(Format.bytes) ?? "an unknown amount") free\(enough)"
        ),
      ], next: [])
  }

  private func result(workers: Int, target: String, seconds: Double) -> Outcome {
    var object = common("done", target, workers)
    object["seconds"] = .number((seconds * 1000).rounded() / 1000)
    let speed = seconds > 0 ? Int(Double(transfer.tensorBytes) / seconds) : 0
    return Outcome(
      object: object,
      heading: "\(verb) \(architecture): "
        + "\(Format.count(tensors, "tensor")), \(Format.bytes(transfer.tensorBytes)), in "
        + "\(Format.duration(seconds)) (\(Format.bytes(speed))/s).",
      rows: [
        (Self.from, sources.joined(separator: ", ")),
        ("to", target),
        ("files", "\(Format.count(fileCount)), \(Format.bytes(transfer.totalBytes))"),
      ], next: next)
  }
}

extension Folder {
  /// The path without links, of what exists.
  package static func resolved(_ path: String) -> String? {
    guard let text = realpath(path, nil) else { return nil }
    defer { free(text) }
    return String(cString: text)
  }

  /// The nearest folder above a path, or itself, that exists.
  package static func existingAncestor(_ path: String) -> String {
    var path = Folder.absolute(path)
    while path != "/", !isFolder(path) { path = parent(path) }
    return path
  }
}
