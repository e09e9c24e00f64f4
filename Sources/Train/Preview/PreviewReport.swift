import Console
import Data
import Dispatch
import Glibc
import JSON
import Synchronization
import Tokenizers
import Training

/// What a preview found, as text and as JSON.
struct PreviewReport {
  private let source: SampleSource
  private let counts: DataCounts
  private let packing: PackingFigures?
  private let samples: [Sample]

  /// - Parameter check: throws when the user wants to stop.
  init(_ source: SampleSource, shown: Int, check: @escaping () throws -> Void) throws {
    self.source = source
    samples = try (0..<min(shown, source.dataset.count)).map { try source.dataset.sample($0) }
    let counts = try Self.counts(source, check)
    self.counts = counts
    packing = try source.configuration.packedSize.map { size in
      try PackingFigures(counts.lengths, size: size, source.configuration.packing)
    }
  }

  // MARK: Counting

  /// Counts all samples, several at once.
  private static func counts(
    _ source: SampleSource, _ check: () throws -> Void
  ) throws -> DataCounts {
    let end = source.tokenizer?.end
    let chunk = 64
    let workers = Environment.processors
    var counts = DataCounts()
    var start = 0
    while start < source.dataset.count {
      try check()
      let chunks = min(workers, (source.dataset.count - start + chunk - 1) / chunk)
      let found = Mutex<[Int: Result<DataCounts, DataError>]>([:])
      DispatchQueue.concurrentPerform(iterations: chunks) { [start] index in
        let from = start + index * chunk
        let result = part(source, from..<min(source.dataset.count, from + chunk), end)
        found.withLock { $0[index] = result }
      }
      for index in 0..<chunks {
        if let part = found.withLock({ $0[index] }) { counts.add(try part.get()) }
      }
      start += chunks * chunk
    }
    return counts
  }

  private static func part(
    _ source: SampleSource, _ range: Range<Int>, _ end: Int32?
  ) -> Result<DataCounts, DataError> {
    var counts = DataCounts()
    do throws(DataError) {
      for index in range {
        let sample = try source.dataset.sample(index)
        let whole = try source.whole?.sample(index).count ?? sample.count
        counts.add(sample, whole: whole, end: end)
      }
      return .success(counts)
    } catch { return .failure(error) }
  }

  // MARK: Text

  func print() {
    let colours = Environment.hasColour(STDOUT_FILENO)
    for (index, sample) in samples.enumerated() {
      Report.print(
        "Sample \(index + 1): \(Format.count(sample.count, "token")), "
          + "\(Format.count(sample.trainedCount)) learnt")
      if let tokenizer = source.tokenizer?.tokenizer {
        let text = SampleText(sample, tokenizer)
        Report.print((colours ? text.coloured : text.marked) + "\n")
      } else {
        Report.print(sample.tokens.map(String.init).joined(separator: " ") + "\n")
      }
    }
    Report.print(Report.facts(facts))
    for note in Report.notes(notes) { Report.print(note) }
  }

  private var facts: [(String, String)] {
    let options = source.configuration.format
    var rows: [(String, String)] = []
    rows.append(("data", source.dataset.origin))
    if source.kind != nil {
      rows.append(("style", "\(options.style.rawValue), learning \(options.trained.rawValue)"))
    }
    rows += [
      (
        "rows",
        Format.count(source.rows)
          + (source.rows == counts.samples
            ? "" : ", of which \(Format.count(counts.samples)) are taken")
      ),
      ("tokens", Format.count(counts.tokens)),
      ("learnt", "\(Format.count(counts.trained)) (\(Self.share(counts.trained, counts.tokens)))"),
      (
        "lengths",
        "\(Format.count(counts.shortest)) to \(Format.count(counts.longest)), mean \(Format.fixed(counts.mean, 1)), median \(Format.count(counts.median))"
      ),
      ("", Self.bars(counts.histogram(32)) + "  0 to \(Format.count(counts.longest))"),
    ]
    if let length = options.length {
      rows.append(
        (
          "cut",
          "\(Format.count(counts.cut, "sample")) (\(Self.share(counts.cut, counts.samples))) at \(Format.count(length)) tokens"
        ))
    }
    if let packing { rows += packing.facts }
    return rows
  }

  private var notes: [String] {
    var notes = source.notes
    if counts.untrained > 0 {
      notes.append("nothing is learnt of \(Format.count(counts.untrained, "sample"))")
    }
    if counts.ended == 0, let tokenizer = source.tokenizer, let end = tokenizer.end {
      notes.append(
        "no sample learns to end with \(tokenizer.tokenizer.token(end) ?? "its last token"); what is "
          + "trained so does not know where to stop")
    }
    if let length = source.configuration.format.length, counts.longest > length {
      notes.append(
        "samples longer than \(Format.count(length)) tokens are kept whole (truncation is off)")
    }
    return notes
  }

  private static func share(_ part: Int, _ whole: Int) -> String {
    whole == 0 ? "0 %" : Format.fixed(100 * Double(part) / Double(whole), 1) + " %"
  }

  /// A line of bars, the highest a full one.
  static func bars(_ counts: [Int]) -> String {
    let marks = Array("▁▂▃▄▅▆▇█")
    let most = max(1, counts.max() ?? 1)
    return String(
      counts.map { count in
        count == 0 ? " " : marks[min(7, count * 8 / most)]
      })
  }

  // MARK: JSON

  var object: JSONObject {
    let options = source.configuration.format
    var object = JSONObject([
      "status": .string("done"), "command": .string("preview"),
      "data": .string(source.dataset.origin),
      "kind": source.kind.map { .string("\($0)") } ?? .null,
      "style": .string(options.style.rawValue), "trainOn": .string(options.trained.rawValue),
      "rows": .integer(source.rows), "samples": .integer(counts.samples),
      "tokens": .integer(counts.tokens), "trained": .integer(counts.trained),
      "shortest": .integer(counts.shortest), "longest": .integer(counts.longest),
      "mean": .number(counts.mean), "median": .integer(counts.median),
      "histogram": .array(counts.histogram(32).map { .integer($0) }),
      "untrained": .integer(counts.untrained), "ended": .integer(counts.ended),
      "cut": .integer(counts.cut),
    ])
    if let packing { object["packing"] = .object(packing.object) }
    object["shown"] = .array(samples.map { .object(shown($0)) })
    object["notes"] = notes.json
    return object
  }

  private func shown(_ sample: Sample) -> JSONObject {
    var object = JSONObject([
      "tokens": .array(sample.tokens.map { .integer(Int($0)) }),
      "trained": .array(
        sample.trained.indices.map { .integer($0 > 0 && sample.trained[$0] ? 1 : 0) }),
    ])
    if let tokenizer = source.tokenizer?.tokenizer {
      object["runs"] = .array(
        SampleText(sample, tokenizer).runs.map { run in
          .object([
            "text": .string(run.text), "trained": .bool(run.isTrained),
            "tokens": .integer(run.count),
          ])
        })
    }
    return object
  }
}
