import ArgumentParser
import Console
import Hub
import JSON
import Tensors

/// `convert push`: a folder that is there to the hub.
struct PushCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "push",
    abstract: "Puts a folder on the hub, in one commit.",
    discussion: """
      The repository is made if it is not there. Large files go into the hub's storage first, several at \
      once; those that arrived before are not sent again. Nothing can be seen there before everything \
      has arrived and the one commit is made.

      A repository that holds a model is refused without --overwrite; with it, weights, configuration and \
      tokenizer files that the folder does not have are deleted in the same commit. A card (README.md) \
      that is there stays without --overwrite.

      EXAMPLES
        convert push ./out org/name
        convert push ./out org/name@trial --private
        convert push ./out org/name --overwrite --commit-message "Train longer"
        convert push ./out org/name --exclude "*.gguf" --dry-run

      The token is HF_TOKEN, or that of `hf auth login`; it needs the right to write. \
      HF_ENDPOINT names another hub.
      """)

  struct What: ParsableArguments {
    @Option(
      help: ArgumentHelp(
        "Push the files that match; may be given again. * matches slashes, too.",
        valueName: "pattern"))
    var include: [String] = []

    @Option(help: ArgumentHelp("Leave out the files that match.", valueName: "pattern"))
    var exclude: [String] = []
  }

  struct Way: ParsableArguments {
    @Flag(help: "Replace a model and a card that are there.") var overwrite = false

    @Flag(name: .customLong("dry-run"), help: "Print what would be done, and do nothing.")
    var isDryRun = false

    @Option(
      name: [.customLong("max-workers"), .customLong("workers")],
      help: ArgumentHelp("Files that are sent at once.", valueName: "n"))
    var workers = 8

    @Flag(name: .customLong("no-progress"), help: "Show no progress.")
    var hidesProgress = false

    @Flag(name: .customLong("json"), help: "Print the result as one JSON object.")
    var json = false

    func validate() throws {
      guard (1...256).contains(workers) else {
        throw ValidationError("--max-workers must be a number from 1 to 256, not \(workers).")
      }
    }
  }

  @Argument(help: ArgumentHelp("The folder.", valueName: "folder")) var folder: String

  @Argument(
    help: ArgumentHelp(
      "The repository: org/name, or org/name@branch for another branch than main.",
      valueName: "ref"))
  var reference: String

  @OptionGroup(title: "What") var what: What
  @OptionGroup(title: "Where") var manner: PushManner
  @OptionGroup(title: "Running") var way: Way

  var wantsJSON: Bool { way.json }

  func run() throws {
    let hub = Hub.current.with { $0.workers = way.workers }
    let place = Folder.absolute(folder)
    let files = try HubFolder(place, include: what.include, exclude: what.exclude)
    // What is there already may be this very folder.
    let target = try hub.target(
      reference, isPrivate: manner.isPrivate, overwrites: way.overwrite, refusesModels: false)
    if way.isDryRun {
      if try !hub.holds(files, target) { try hub.requireRoom(target) }
      plan(files, target)
      return
    }
    let start = ContinuousClock.now
    let pushed = try hub.pushAgain(
      files, to: target, summary: manner.message ?? "Upload \(Folder.name(place)) with Isthmus",
      details: "Made with Isthmus \(HubSettings.version).")
    let (whole, rest) = (ContinuousClock.now - start).components
    report(pushed, target, seconds: Double(whole) + Double(rest) * 1e-18)
  }

  private func plan(_ files: HubFolder, _ target: HubTarget) {
    let told = PushReport(target).planned(files.files.map(\.path))
    if way.json {
      Report.print(object("planned", told))
      return
    }
    let bytes = files.files.reduce(0) { $0 + $1.size }
    Report.print("Plan of the push; nothing was changed.")
    Report.print(
      Report.facts(
        [
          ("folder", files.path),
          ("files", "\(Format.count(files.files.count)), \(Format.bytes(bytes))"),
        ] + told.rows))
    for line in told.lines { Report.print(line) }
  }

  private func report(_ pushed: HubPushed, _ target: HubTarget, seconds: Double) {
    let told = PushReport(target).done(pushed)
    let next = [["convert", "download", PushReport.reference(target)]]
    if way.json {
      var object = object("done", told)
      object["seconds"] = .number((seconds * 1000).rounded() / 1000)
      object["next"] = next.map(Format.command).json
      Report.print(object)
      return
    }
    Report.print(
      pushed.isNew
        ? "Pushed \(Format.count(pushed.files.count, "file")) in \(Format.duration(seconds)); "
          + "\(Format.bytes(pushed.sentBytes)) went into the hub's storage."
        : "Everything is there already; nothing was committed.")
    Report.print(Report.facts([("from", Folder.absolute(folder))] + told.rows))
    for line in told.lines { Report.print(line) }
    if !Folder.isFile("\(folder)/README.md"), !pushed.keptCard {
      for note in Report.notes(["The folder has no model card (README.md)."]) { Report.print(note) }
    }
    Report.print(Report.next(next))
  }

  private func object(_ status: String, _ told: PushReport.Told) -> JSONObject {
    JSONObject([
      "status": .string(status), "command": .string("push"),
      "folder": .string(Folder.absolute(folder)), "push": .object(told.object),
    ])
  }
}
