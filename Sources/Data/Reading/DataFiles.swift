import Glibc
import JSON
import Tensors

/// Finds the files that a name stands for: a file, a folder of splits, a pattern, or several of them.
public struct DataFiles: Sendable {
  public var paths: [String]
  /// How the rows' columns are called, where a `dataset_info.json` says so.
  public var columns: ColumnMap?
  /// What was chosen among several, for the user to hear.
  public var notes: [String]

  private init(paths: [String], columns: ColumnMap? = nil, notes: [String] = []) {
    self.paths = paths
    self.columns = columns
    self.notes = notes
  }

  /// The names a split's files have in folders of the several programs.
  private static let splits = [
    ["train", "training"], ["validation", "valid", "val", "dev", "eval"], ["test", "testing"],
  ]

  private static let endings = [".jsonl", ".ndjson", ".json", ".txt"]

  /// - Parameters:
  ///   - names: paths; with `*`, `?` or `[` they are patterns.
  ///   - split: which files of a folder are meant.
  ///   - dataset: the entry of a folder's `dataset_info.json`.
  public init(
    _ names: [String], split: String = "train", dataset: String? = nil
  ) throws(DataError) {
    var all = DataFiles(paths: [])
    guard !names.isEmpty else { throw .wish("No data file is given.") }
    for name in names {
      let found = try Self.find(name, split: split, dataset: dataset)
      if let columns = found.columns {
        guard names.count == 1 else {
          throw .wish("\(name) has a dataset_info.json; give it alone.")
        }
        all.columns = columns
      }
      all.paths += found.paths
      all.notes += found.notes
    }
    self = all
  }

  private static func find(
    _ name: String, split: String, dataset: String?
  ) throws(DataError) -> DataFiles {
    switch Folder.kind(name) {
    case .file?:
      if Folder.name(name) == "dataset_info.json" {
        return try registered(Folder.parent(Folder.absolute(name)), dataset)
      }
      return DataFiles(paths: [name])
    case .folder?: return try folder(name, split: split, dataset: dataset)
    case .other?: throw .nothingFound(path: name, reason: "it is neither a file nor a folder")
    case nil: return try pattern(name)
    }
  }

  private static func pattern(_ name: String) throws(DataError) -> DataFiles {
    guard name.contains(where: { "*?[".contains($0) }) else {
      let isReference = name.split(separator: "/").count == 2 && !name.hasPrefix("/")
      throw .nothingFound(
        path: name,
        reason: isReference
          ? "there is no such file or folder, and data sets of the hub are not downloaded; "
            + "download it, and give the folder" : "there is no such file or folder")
    }
    var found = glob_t()
    defer { globfree(&found) }
    guard glob(name, 0, nil, &found) == 0 else {
      throw .nothingFound(path: name, reason: "no file matches the pattern")
    }
    var paths: [String] = []
    for index in 0..<Int(found.gl_pathc) {
      if let path = found.gl_pathv[index].map({ String(cString: $0) }), Folder.isFile(path) {
        paths.append(path)
      }
    }
    guard !paths.isEmpty else {
      throw .nothingFound(path: name, reason: "no file matches the pattern")
    }
    return DataFiles(paths: paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
  }

  private static func folder(
    _ path: String, split: String, dataset: String?
  ) throws(DataError) -> DataFiles {
    let names: [String]
    do throws(FileError) { names = try Folder.names(in: path) } catch { throw .file(error) }
    if names.contains("dataset_info.json"), dataset != nil || !hasSplits(names) {
      return try registered(path, dataset)
    }
    let data = names.filter { stem($0) != nil && $0 != "dataset_info.json" }
    // A split goes under any of its names.
    let wanted = splits.first { $0.contains(split) } ?? [split]
    let exact = data.filter { name in stem(name).map(wanted.contains) ?? false }
    // `train-00000-of-00002.jsonl`, `dev-v1.1.json`.
    let numbered = data.filter { name in
      wanted.contains { stem(name)?.hasPrefix($0 + "-") ?? false }
    }
    let chosen = exact.isEmpty ? numbered : exact
    if !chosen.isEmpty {
      // Two spellings of one split would be the same rows twice.
      let stems = Set(chosen.compactMap(stem))
      guard exact.isEmpty || stems.count == 1, exact.count <= 1 else {
        throw .nothingFound(
          path: path,
          reason: "it holds the split \(split) more than once (\(chosen.joined(separator: ", "))); "
            + "give the file")
      }
      return DataFiles(
        paths: chosen.map { path + "/" + $0 },
        notes: ["\(path): the split \(split) is \(chosen.joined(separator: ", "))"])
    }
    guard !hasSplits(names), wanted.contains("train"), !data.isEmpty else {
      let parquet = names.contains { $0.hasSuffix(".parquet") }
      throw .nothingFound(
        path: path,
        reason: "it holds no file of the split \(split) (as \(wanted[0]).jsonl)"
          + (parquet ? "; its parquet files must be converted to .jsonl first" : ""))
    }
    return DataFiles(
      paths: data.map { path + "/" + $0 },
      notes: ["\(path) has no splits; all of its \(data.count) files are taken"])
  }

  private static func hasSplits(_ names: [String]) -> Bool {
    let all = splits.flatMap { $0 }
    return names.contains { name in stem(name).map(all.contains) ?? false }
  }

  /// A data file's name without its endings; `nil` for other files.
  private static func stem(_ name: String) -> String? {
    var name = name
    for ending in [".gz", ".zst"] where name.hasSuffix(ending) {
      name.removeLast(ending.utf8.count)
    }
    guard let ending = endings.first(where: name.hasSuffix) else { return nil }
    return String(name.dropLast(ending.utf8.count))
  }

  // MARK: LLaMA-Factory

  /// An entry of a folder's `dataset_info.json`.
  private static func registered(
    _ folder: String, _ dataset: String?
  ) throws(DataError) -> DataFiles {
    let path = folder + "/dataset_info.json"
    let scanner = try RowScanner(path)
    guard let text = try scanner.next(), let all = try text.json(in: path, ReadingLimits()).object
    else { throw .notAnObject(Place(file: path, line: 1)) }
    let known = all.keys.joined(separator: ", ")
    guard let name = dataset ?? (all.count == 1 ? all.keys.first : nil) else {
      throw .nothingFound(path: path, reason: "it lists \(known); say which with --dataset")
    }
    guard let entry = all[name] else {
      throw .nothingFound(path: path, reason: "it lists \(known), but not \(name)")
    }
    do throws(RowFault) {
      let entry = try RowReader.object(entry, name)
      guard let file = entry["file_name"] else {
        throw RowFault(
          "\(name).file_name", "is missing", "Data sets of a hub are not downloaded.")
      }
      let columns = try ColumnMap(entry, name)
      return DataFiles(
        paths: [folder + "/" + (try RowReader.string(file, "\(name).file_name"))],
        columns: columns, notes: ["\(path): \(name)"])
    } catch { throw .row(text.place(0, in: path), error) }
  }
}

extension ColumnMap {
  /// The columns and tags of an entry of `dataset_info.json`.
  init(_ entry: JSONObject, _ name: String) throws(RowFault) {
    let formatting =
      try entry["formatting"].map { value throws(RowFault) in
        try RowReader.string(value, "\(name).formatting")
      } ?? "alpaca"
    let columns = try Self.strings(entry["columns"], "\(name).columns")
    func own(_ column: String, _ otherwise: String) -> String { columns[column] ?? otherwise }
    switch formatting {
    case "alpaca":
      self.init(names: [
        Pair(known: "instruction", own: own("prompt", "instruction")),
        Pair(known: "input", own: own("query", "input")),
        Pair(known: "output", own: own("response", "output")),
        Pair(known: "system", own: own("system", "system")),
        Pair(known: "history", own: own("history", "history")),
      ])
    case "sharegpt":
      var tags = Tags()
      for (tag, value) in try Self.strings(entry["tags"], "\(name).tags") {
        switch tag {
        case "role_tag": tags.role = value
        case "content_tag": tags.content = value
        case "user_tag": tags.user = value
        case "assistant_tag": tags.assistant = value
        case "observation_tag": tags.observation = value
        case "function_tag": tags.function = value
        case "system_tag": tags.system = value
        default: throw RowFault("\(name).tags.\(tag)", "is not known")
        }
      }
      self.init(
        names: [
          Pair(known: "conversations", own: own("messages", "conversations")),
          Pair(known: "system", own: own("system", "system")),
          Pair(known: "tools", own: own("tools", "tools")),
        ], tags: tags)
    default:
      throw RowFault("\(name).formatting", "is “\(formatting)”", "It is alpaca or sharegpt.")
    }
  }

  private static func strings(_ value: JSON?, _ key: String) throws(RowFault) -> [String: String] {
    guard let value else { return [:] }
    var result: [String: String] = [:]
    for (name, value) in try RowReader.object(value, key).members where !value.isNull {
      result[name] = try RowReader.string(value, "\(key).\(name)")
    }
    return result
  }
}
