import JSON

extension DataError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .file(let error): error.description
    case .indexed(let error): error.description
    case .damaged(let file, let offset, let kind):
      "\(file) is damaged: at byte \(offset) it is not \(kind.rawValue) any more. Copy or download it again."
    case .cutShort(let file, let offset, let kind):
      "\(file) ends at byte \(offset) within its \(kind.rawValue) data; it is cut short. "
        + "Copy or download it again."
    case .noMemory(let file): "There is no memory left to decompress \(file)."
    case .notRows(let file, let found): foreign(file, found)
    case .rowTooLong(let file, let line, let limit):
      "\(file):\(line): the row is longer than \(limit) bytes, the limit of a row. "
        + "Split it, or allow more with --max-row."
    case .tooMuchToHold(let file, let limit):
      "\(file) is compressed, so that its text must be held in memory, but it has more than \(limit) bytes. "
        + "Decompress the file, which is then read row by row, or split it."
    case .changed(let file): "\(file) was changed while it was being read. Run the command again."
    case .nothingFound(let path, let reason): "\(path): \(reason)."
    case .noRows(let path): "\(path) holds no rows."
    default: rowDescription
    }
  }

  private func foreign(_ file: String, _ found: ForeignKind) -> String {
    switch found {
    case .parquet, .arrow:
      let reader = if case .parquet = found { "read_parquet" } else { "read_feather" }
      return "\(file) is a \(found) file, which is not read here. Convert it: "
        + "python3 -c \"import pandas; pandas.\(reader)('\(file)').to_json('rows.jsonl', orient='records', lines=True)\""
    case .unknown:
      return "\(file) begins neither as JSON does (with { or [) nor as gzip or zstd do. "
        + "If it is plain text, one row to a line, give it a name that ends in .txt."
    }
  }

  private var rowDescription: String {
    switch self {
    case .json(let place, let error): "\(place): \(Self.reason(error))"
    case .invalidUTF8(let place): "\(place): the text is not UTF-8. Save it as UTF-8."
    case .notAnObject(let place):
      "\(place): a row is a JSON object, beginning with {, but this is something else."
    case .unknownKind(let place, let keys):
      "\(place): no kind of row has the keys \(keys.joined(separator: ", ")). Known are messages; conversations; "
        + "prompt and completion (also input and output, question and answer, instruction and output); "
        + "context, question and answers; text; input_ids and labels. Rename the keys, or map them."
    case .mixedKinds(let place, let found, let expected, let first):
      "\(place): the row is of the kind \(found), but the first one (\(first.file):\(first.line)) is of the kind "
        + "\(expected). Put the two kinds into files of their own."
    case .row(let place, let fault):
      "\(place): \(fault.key) \(fault.problem)." + (fault.advice.isEmpty ? "" : " " + fault.advice)
    case .inRow(let place, let sentence): "\(place): \(sentence)"
    case .noTemplate(let need):
      "The tokenizer has no chat template, which \(need) needs. Put chat_template.jinja into its folder, or name one "
        + "with --chat-template."
    case .tokenizer(let error), .template(let error): "\(error)"
    case .noToken(let name, let need):
      "The tokenizer has no \(name), which \(need) needs."
    case .promptTemplate(let template, let problem):
      "The prompt template “\(template)” \(problem)."
    case .configuration(let place, let problem): "\(place): \(problem)"
    case .wish(let sentence): sentence
    default: ""
    }
  }

  /// What a JSON text is wrong in, without its place.
  static func reason(_ error: JSONError) -> String {
    switch error {
    case .syntax(_, let expected, nil):
      "the JSON ends where \(expected) is expected; the row is cut short."
    case .syntax(_, let expected, let found?):
      "the JSON is wrong: \(expected) is expected, \(named(found)) is found."
    case .duplicateName(let name, _):
      "the key “\(name)” stands twice in one object. Remove one."
    case .tooDeep(_, let limit): "the JSON is nested more than \(limit) deep."
    case .invalidUTF8: "the text is not UTF-8. Save it as UTF-8."
    case .loneSurrogate:
      "the \\u escape is half of a surrogate pair, which is no character. Remove it."
    case .numberOutOfRange: "the number is too large for a double."
    case .trailingText: "something follows the JSON value of this row; a line holds one row."
    }
  }

  private static func named(_ byte: UInt8) -> String {
    byte > 0x20 && byte < 0x7F ? "“\(Unicode.Scalar(byte))”" : "the byte \(byte)"
  }
}
