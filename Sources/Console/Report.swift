import Checkpoints
import Glibc
import Hub
import JSON

/// How results and errors are written: one JSON object, or calm text.
package enum Report {
  /// How many entries of a kind a text lists before it refers to `--json`.
  package static let limit = 50

  package static func print(_ object: JSONObject) {
    write(JSON.object(object).serialized(.indented(2)) + "\n", to: STDOUT_FILENO)
  }

  package static func print(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }

  /// Writes a message to standard error.
  ///
  /// - Parameter label: stands before it, in red on a terminal; empty for none.
  package static func error(_ text: String, label: String = "error") {
    var prefix = label.isEmpty ? "" : label + ": "
    if !label.isEmpty, Environment.hasColour(STDERR_FILENO) {
      prefix = "\u{1B}[31m\(label):\u{1B}[0m "
    }
    write(prefix + text + "\n", to: STDERR_FILENO)
  }

  /// Writes all of a text; a reader that went away is nobody's error.
  package static func write(_ text: String, to descriptor: Int32) {
    write(Array(text.utf8), to: descriptor)
  }

  package static func write(_ bytes: [UInt8], to descriptor: Int32) {
    var bytes = bytes[...]
    while !bytes.isEmpty {
      let count = Glibc.write(descriptor, Array(bytes), bytes.count)
      if count < 0 {
        if errno == EINTR { continue }
        return
      }
      bytes = bytes.dropFirst(count)
    }
  }

  // MARK: Errors

  /// An error as sentences; long lists are cut.
  package static func sentences(_ error: any Error) -> String {
    if case ConversionError.coverage(let coverage, in: let place) = error {
      return sentences(coverage, in: place)
    }
    if let error = error as? HubError, let near = nearest(error) {
      return "\(error) Did you mean \(near)?"
    }
    return "\(error)"
  }

  /// What there is that is written almost like what there is not.
  private static func nearest(_ error: HubError) -> String? {
    switch error {
    case .noFile(_, _, let path, let known): Spelling.nearest(to: path, among: known)
    case .noRevision(_, let revision, let known): Spelling.nearest(to: revision, among: known)
    default: nil
    }
  }

  private static func sentences(_ coverage: Coverage, in place: String) -> String {
    var lines = ["\(place) does not hold the tensors its configuration describes."]
    func list(_ title: String, _ entries: [String]) {
      guard !entries.isEmpty else { return }
      lines.append("  \(title) (\(Format.count(entries.count))):")
      lines += entries.prefix(limit).map { "    \($0)" }
      if entries.count > limit {
        lines.append("    … and \(Format.count(entries.count - limit)) more (see --json)")
      }
    }
    list("missing", coverage.missing)
    list("of another shape", coverage.wrongShape.map(describe))
    list("not known", coverage.extra)
    lines.append(
      "Check that config.json belongs to these weights; --not-strict converts what is there.")
    return lines.joined(separator: "\n")
  }

  private static func describe(_ entry: Coverage.WrongShape) -> String {
    "\(entry.name): expected \(entry.expected), found \(entry.found)"
  }

  /// A failure as JSON, with everything that a list of tensors would cut.
  package static func failure(_ error: any Error) -> JSONObject {
    var object = JSONObject([
      "status": .string("failed"), "error": .string(sentences(error)),
    ])
    if let failure = error as? PushFailure {
      object["destination"] = .string(failure.folder)
      object["next"] = [Format.command(failure.command)].json
    }
    if case ConversionError.coverage(let coverage, in: let place) = error {
      object["place"] = .string(place)
      object["missing"] = .array(coverage.missing.map { .string($0) })
      object["wrongShape"] = .array(
        coverage.wrongShape.map { entry in
          .object(
            JSONObject([
              "name": .string(entry.name),
              "expected": .array(entry.expected.dimensions.map { .integer($0) }),
              "found": .array(entry.found.dimensions.map { .integer($0) }),
            ]))
        })
      object["unknown"] = .array(coverage.extra.map { .string($0) })
    }
    return object
  }

  // MARK: Text

  /// Labelled values, aligned.
  package static func facts(_ rows: [(String, String)]) -> String {
    Format.table(rows.map { [$0.0, $0.1] })
  }

  package static func notes(_ notes: [String]) -> [String] {
    let shown = notes.prefix(limit).map { "note: \($0)" }
    guard notes.count > limit else { return shown }
    return shown + ["note: … and \(Format.count(notes.count - limit)) more (see --json)"]
  }

  /// The commands that make sense next.
  package static func next(_ commands: [[String]]) -> String {
    (["Next:"] + commands.map { "  " + Format.command($0) }).joined(separator: "\n")
  }
}

extension Array where Element == String {
  /// The strings as a JSON array.
  package var json: JSON { .array(map { .string($0) }) }
}
