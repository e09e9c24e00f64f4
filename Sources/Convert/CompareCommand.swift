import ArgumentParser
import Checkpoints
import Console
import JSON
import Tensors

/// `convert compare`: two checkpoints, tensor by tensor, whatever their formats.
struct CompareCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compares two checkpoints tensor by tensor, across formats.",
    discussion: """
      A Hugging Face folder and a Megatron checkpoint are compared in Hugging Face's names; any two \
      others by the names as stored. Of two HDF5 files of `train capture` the first layer that diverges \
      is named. Without --tolerance, types and bits must be the same. Exit code \
      3 says that they differ.

      EXAMPLES
        convert compare ./llama ./llama-megatron
        convert compare run/iter_0000500 run/iter_0001000 --tolerance 0.001
        convert compare model.safetensors expected.safetensors --json
        convert compare ours.h5 theirs.h5 --tolerance 1e-4
      """)

  @Argument(help: ArgumentHelp("A file, folder or reference.", valueName: "a"))
  var first: String

  @Argument(help: ArgumentHelp("What it should be equal to.", valueName: "b"))
  var second: String

  @Option(
    help: ArgumentHelp(
      "Count |a - b| up to this as equal, also across types. (default: equal bits)",
      valueName: "t"))
  var tolerance: Double?

  @OptionGroup(title: "Running") var running: RunOptions

  var wantsJSON: Bool { running.json }

  func validate() throws {
    if let tolerance, !(tolerance >= 0) {
      throw ValidationError("--tolerance must be a number that is not negative.")
    }
  }

  func run() throws {
    let workers = try running.workerCount(memory: Comparison.memory)
    let captures = try ComparablePair(captures: first, second)
    let pair = try captures ?? ComparablePair(StoredThing(first), StoredThing(second))
    let progress = TransferProgress()
    let total = pair.left.tensors.reduce(0) { $0 + $1.byteCount }
    let display = ProgressDisplay("compare", total: total, progress, style: running.progressStyle)
    let (comparison, seconds) = try display.during {
      try Comparison(
        pair.left, pair.right, tolerance: tolerance, workers: workers, progress: progress)
    }
    let report = ComparisonReport(comparison, pair, tolerance: tolerance)
    if running.json {
      var object = report.object
      object["a"] = .string(first)
      object["b"] = .string(second)
      object["seconds"] = .number((seconds * 1000).rounded() / 1000)
      Report.print(object)
    } else {
      Report.print(report.lines.joined(separator: "\n"))
      if captures != nil, comparison.differences.isEmpty { return }
      let next =
        captures != nil
        ? ["convert", "compare", first, second, "--json"]
        : comparison.differences.isEmpty
          ? ["convert", "inspect", first] : ["convert", "inspect", first, "--tensors"]
      Report.print(Report.next([next]))
    }
    if !comparison.differences.isEmpty { throw ExitStatus.difference }
  }
}

/// What a comparison found, in words and as JSON.
struct ComparisonReport {
  private let comparison: Comparison
  private let pair: ComparablePair
  private let tolerance: Double?

  /// How many differences the table shows.
  static let limit = 20

  init(_ comparison: Comparison, _ pair: ComparablePair, tolerance: Double?) {
    self.comparison = comparison
    self.pair = pair
    self.tolerance = tolerance
  }

  private var equality: String {
    tolerance.map { "equal within \(Format.difference($0))" } ?? "equal bit for bit"
  }

  var lines: [String] {
    let compared =
      "\(Format.count(comparison.compared, "tensor")), \(Format.bytes(comparison.bytes))"
    let found = comparison.differences
    guard let first = found.first else {
      return ["The two are \(equality): \(compared)."] + Report.notes(pair.notes)
    }
    var lines = [
      "The two differ in \(Format.count(found.count, "tensor")); \(compared) compared.",
      "  first:    \(first.name)\(CaptureOrder.place(first.name)): \(Self.words(first))",
    ]
    if let (worst, values) = largest {
      lines.append(
        "  largest:  \(worst.name)\(Self.position(values.largestAt, worst.shape)): "
          + "|a - b| = \(Format.difference(values.largest))")
    }
    lines.append("")
    lines.append(Format.table(found.prefix(Self.limit).map { [$0.name, Self.words($0)] }))
    if found.count > Self.limit {
      lines.append("  … and \(Format.count(found.count - Self.limit)) more")
    }
    return lines + Report.notes(pair.notes)
  }

  /// The tensor with the largest difference of values.
  private var largest: (Comparison.Difference, ByteBuffer.Differences)? {
    var best: (Comparison.Difference, ByteBuffer.Differences)?
    for difference in comparison.differences {
      guard case .values(let values) = difference.kind else { continue }
      if let current = best, current.1.largest >= values.largest { continue }
      best = (difference, values)
    }
    return best
  }

  static func words(_ difference: Comparison.Difference) -> String {
    switch difference.kind {
    case .missing: return "only in b"
    case .extra: return "only in a"
    case .shape(let a, let b): return "shape \(a) in a, \(b) in b"
    case .dtype(let a, let b): return "type \(a.name) in a, \(b.name) in b"
    case .values(let values):
      return
        "\(Format.count(values.count)) of \(Format.count(difference.shape.count)) values differ"
        + ", first at\(position(values.first, difference.shape))"
        + ", largest |a - b| = \(Format.difference(values.largest))"
    }
  }

  /// ` [row, column]` of an element.
  static func position(_ index: Int?, _ shape: Shape) -> String {
    guard var rest = index else { return "" }
    var place: [Int] = []
    for dimension in shape.dimensions.reversed() {
      place.append(rest % max(1, dimension))
      rest /= max(1, dimension)
    }
    return " \(Shape(Array(place.reversed())))"
  }

  var object: JSONObject {
    var object = JSONObject([
      "status": .string(comparison.differences.isEmpty ? "equal" : "different"),
      "compared": .integer(comparison.compared), "bytes": .integer(comparison.bytes),
      "tolerance": tolerance.map { .number($0) } ?? .null,
      "differences": .array(comparison.differences.map { .object(Self.object($0)) }),
    ])
    if let first = comparison.differences.first { object["first"] = .string(first.name) }
    if let (worst, values) = largest {
      object["largest"] = .object(
        JSONObject(["name": .string(worst.name), "difference": Self.json(values.largest)]))
    }
    object["notes"] = pair.notes.json
    return object
  }

  private static func object(_ difference: Comparison.Difference) -> JSONObject {
    var object = JSONObject(["name": .string(difference.name)])
    switch difference.kind {
    case .missing: object["kind"] = .string("missing")
    case .extra: object["kind"] = .string("extra")
    case .shape(let a, let b):
      object["kind"] = .string("shape")
      object["a"] = .array(a.dimensions.map { .integer($0) })
      object["b"] = .array(b.dimensions.map { .integer($0) })
    case .dtype(let a, let b):
      object["kind"] = .string("dtype")
      object["a"] = .string(a.name)
      object["b"] = .string(b.name)
    case .values(let values):
      object["kind"] = .string("values")
      object["differing"] = .integer(values.count)
      object["of"] = .integer(difference.shape.count)
      object["first"] = values.first.map { .integer($0) } ?? .null
      object["largest"] = json(values.largest)
    }
    return object
  }

  /// A number; JSON has no infinity, so that one becomes a text.
  private static func json(_ value: Double) -> JSON {
    value.isFinite ? .number(value) : .string("infinity")
  }
}
