import ArgumentParser
import Checkpoints
import Console
import JSON
import SafeTensors
import Tensors

/// `convert roundtrip`: to Megatron and back, and a comparison of every byte.
struct RoundtripCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "roundtrip",
    abstract: "Converts a model to Megatron and back and compares every file byte for byte.",
    discussion: """
      Both results go to a temporary folder, which is removed afterwards. The way back starts from \
      the checkpoint and the model's small files alone, without its weights. Exit code 3 says that \
      something came back different.

      EXAMPLES
        convert roundtrip --hf-model ./llama
        convert roundtrip --hf-model org/name --tp 2 --pp 2 --work-dir /scratch
      """)

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Tensors") var tensors: RoundtripTensorOptions
  @OptionGroup(title: "Layout") var layout: LayoutOptions

  @Option(
    name: .customLong("work-dir"),
    help: ArgumentHelp(
      "Where the temporary folder is made. (default: TMPDIR, else /tmp)", valueName: "dir"))
  var workFolder: String?

  @Flag(
    name: .customLong("dry-run"),
    help: "Print the plan (tensors, bytes, memory, disk) and write nothing.")
  var isDryRun = false

  @OptionGroup(title: "Running") var running: RunOptions

  var wantsJSON: Bool { running.json }

  func run() throws {
    try layout.requireWritable()
    let folder = try model.folder()
    let source = try HuggingFaceModel(folder: folder, isStrict: !tensors.isLenient)
    try source.requireWayBack()
    var options = ConversionOptions()
    options.isStrict = !tensors.isLenient
    options.sizes = layout.sizes
    let plan = try ImportPlan(source, options)
    let workers = try running.workerCount(memory: plan.transfer.memory)
    let place = Folder.absolute(workFolder ?? Environment.temporaryFolder)
    // The way back is as large as the model itself.
    let needed = 2 * plan.transfer.totalBytes
    if isDryRun {
      printPlan(source, plan, place: place, needed: needed, workers: workers)
      return
    }
    let progress = TransferProgress()
    let size = source.weights?.totalBytes ?? 0
    let display = ProgressDisplay(
      "roundtrip", total: plan.transfer.tensorBytes + 2 * size, progress,
      style: running.progressStyle)
    let (found, seconds) = try display.during {
      try Interrupt.shared.stopping(progress) {
        let staged = try StagedFolder(
          destination: "\(place)/isthmus-roundtrip", overwrite: true, needed: needed)
        Interrupt.shared.onAbort { staged.discard() }
        defer { staged.discard() }
        try plan.transfer.run(in: "\(staged.path)/megatron", workers: workers, progress: progress)
        return try back(source, in: staged.path, options, workers: workers, progress)
      }
    }
    report(source, found, seconds: seconds)
    if !found.differences.isEmpty { throw ExitStatus.difference }
  }

  /// Exports what was imported, and compares.
  private func back(
    _ source: HuggingFaceModel, in work: String, _ options: ConversionOptions, workers: Int,
    _ progress: TransferProgress
  ) throws -> FolderComparison {
    // Without the weights at hand, nothing can come back but what the checkpoint holds.
    var small = Transfer()
    for name in source.sideFiles {
      small.copies.append((path: name, from: "\(source.folder)/\(name)"))
    }
    try small.run(in: "\(work)/model", workers: 1, progress: progress)
    let bare = try HuggingFaceModel(folder: "\(work)/model", isStrict: options.isStrict)
    let plan = try ExportPlan(
      bare, from: MegatronModel(path: "\(work)/megatron"), options)
    try plan.transfer.run(in: "\(work)/hf", workers: workers, progress: progress)
    return try FolderComparison(
      of: source, with: "\(work)/hf", workers: workers, progress: progress)
  }

  private func printPlan(
    _ source: HuggingFaceModel, _ plan: ImportPlan, place: String, needed: Int, workers: Int
  ) {
    let free = Folder.freeBytes(Folder.existingAncestor(place))
    let memory = plan.transfer.memory(workers: workers)
    let tensors = source.weights?.tensors.count ?? 0
    if running.json {
      Report.print(
        JSONObject([
          "status": .string("planned"), "command": .string("roundtrip"),
          "architecture": .string(source.architecture), "tensors": .integer(tensors),
          "workFolder": .string(place), "diskNeeded": .integer(needed),
          "diskFree": free.map { .integer($0) } ?? .null, "workers": .integer(workers),
          "bufferBytes": .integer(memory), "notes": plan.notes.json,
        ]))
      return
    }
    Report.print("Plan of the roundtrip; nothing was written.")
    Report.print(
      Report.facts([
        ("model", source.architecture), ("temporary folder in", place),
        ("tensors", Format.count(tensors)), ("to write", Format.bytes(needed)),
        (
          "memory",
          "\(Format.bytes(memory)) for the buffers of \(Format.count(workers, "worker"))"
        ),
        (
          "disk",
          "\(Format.bytes(needed)) needed, \(free.map(Format.bytes) ?? "an unknown amount") free"
        ),
      ]))
    for note in Report.notes(plan.notes) { Report.print(note) }
  }

  private func report(
    _ source: HuggingFaceModel, _ found: FolderComparison, seconds: Double
  ) {
    let next = ["convert", "import"] + model.words + ["--megatron-path", "DIR"]
    if running.json {
      Report.print(
        JSONObject([
          "status": .string(found.differences.isEmpty ? "equal" : "different"),
          "command": .string("roundtrip"), "architecture": .string(source.architecture),
          "files": .integer(found.files), "tensors": .integer(found.tensors),
          "bytes": .integer(found.bytes),
          "seconds": .number((seconds * 1000).rounded() / 1000),
          "differences": .array(
            found.differences.map {
              .object(JSONObject(["file": .string($0.file), "fact": .string($0.fact)]))
            }),
          "next": .array([.string(Format.command(next))]),
        ]))
      return
    }
    let counted =
      "\(Format.count(found.tensors, "tensor")) and \(Format.count(found.files, "file")) "
      + "(\(Format.bytes(found.bytes))) compared"
    guard !found.differences.isEmpty else {
      Report.print(
        "\(source.architecture) came back the same, byte for byte: \(counted), in "
          + "\(Format.duration(seconds)).")
      Report.print(Report.next([next]))
      return
    }
    Report.print(
      "\(source.architecture) came back different: "
        + "\(Format.count(found.differences.count, "difference")); \(counted).")
    Report.print(
      Format.table(
        found.differences.prefix(ComparisonReport.limit).map { [$0.file, $0.fact] }))
    if found.differences.count > ComparisonReport.limit {
      Report.print("  … and \(Format.count(found.differences.count - ComparisonReport.limit)) more")
    }
    Report.print(Report.next([["convert", "inspect", source.folder]]))
  }
}

/// What a roundtrip lets one say about tensors: a change of type would be a difference by itself.
struct RoundtripTensorOptions: ParsableArguments {
  @Flag(
    name: .customLong("not-strict"),
    help: "Convert what is understood; name the rest and leave it out.")
  var isLenient = false
}
