import Dispatch
import Glibc
import JSON
import Synchronization
import Tensors

/// The content of an index file.
struct WeightIndex {
  let bytes: [UInt8]
  let metadata: JSONObject?
  /// The file of each tensor, in the order of the index.
  let files: [(tensor: String, file: String)]
}

/// Gathers a folder's files and tensors, and all that is wrong with them.
struct ShardedFolderLoader {
  let folder: String
  /// The names in the folder.
  let present: [String]
  /// Files that are not in the folder yet, by their names.
  var arriving: [String: InputFile] = [:]
  var faults: [FolderFault] = []
  var files: [SafeTensorsFile] = []
  var fileNames: [String] = []
  var names: [String] = []
  var tensors: [String: ShardedFolder.Location] = [:]
  /// Files that could not be opened: what should be in them is not called missing as well.
  private var unopened: Set<String> = []

  /// - Parameter besides: names of files that are to come into the folder.
  init(folder: String, besides: [String] = []) throws(SafeTensorsError) {
    self.folder = folder
    do {
      let names = try Folder.names(in: folder)
      present = besides.isEmpty ? names : Self.sorted(Set(names).union(besides))
    } catch { throw .file(error) }
  }

  private func path(_ name: String) -> String {
    folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
  }

  // MARK: - Index

  /// The index, or `nil` if there is none; a fault is recorded if it cannot be understood.
  mutating func readIndex() throws(SafeTensorsError) -> WeightIndex? {
    let name = ShardedFolder.indexName
    guard present.contains(name) else { return nil }
    let file = path(name)
    let bytes: [UInt8]
    do { bytes = try InputFile(file).readAll() } catch { throw .file(error) }
    let json: JSON
    do { json = try JSON(parsing: bytes) } catch {
      throw .folder(folder, [.index(file: name, error)])
    }
    guard let weightMap = json.object?["weight_map"]?.object else {
      throw .folder(
        folder,
        [
          .indexField(
            file: name, field: "weight_map", expected: "an object",
            found: described(json.object?["weight_map"]))
        ])
    }
    var entries: [(tensor: String, file: String)] = []
    for (tensor, value) in weightMap.members {
      if let file = value.string {
        entries.append((tensor, file))
      } else {
        faults.append(
          .indexField(
            file: name, field: tensor, expected: "a file's name", found: described(value)))
      }
    }
    return WeightIndex(
      bytes: bytes, metadata: json.object?["metadata"]?.object, files: entries)
  }

  /// Whether a name stays inside the folder; a NUL would end it early in a system call.
  private func isPlain(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && !name.utf8.contains(UInt8(ascii: "/"))
      && !name.utf8.contains(0)
  }

  // MARK: - Which files

  /// The names of the files to open, in order.
  mutating func fileNames(_ index: WeightIndex?) -> [String] {
    guard let index else { return fileNamesWithoutIndex() }
    var plain: [String] = []
    for name in Self.sorted(Set(index.files.map(\.file))) {
      if isPlain(name) {
        plain.append(name)
      } else {
        faults.append(.unsafeFileName(file: ShardedFolder.indexName, name))
        unopened.insert(name)
      }
    }
    if index.files.isEmpty, faults.isEmpty {
      faults.append(
        .indexField(
          file: ShardedFolder.indexName, field: "weight_map", expected: "a list of tensors",
          found: "empty"))
    }
    return plain
  }

  private mutating func fileNamesWithoutIndex() -> [String] {
    if present.contains("model.safetensors") { return ["model.safetensors"] }
    let candidates = present.filter {
      $0.hasSuffix(".safetensors") && !$0.hasPrefix("consolidated")
    }
    let shards = candidates.filter { shardNumbers($0) != nil }
    let totals = Set(shards.compactMap { shardNumbers($0)?.count })
    if let total = totals.first {
      guard totals.count == 1 else {
        faults.append(.ambiguous(shards))
        return []
      }
      let wanted = (1...total).map { ShardedFolder.fileName($0, of: total) }
      let found = Set(shards)
      let missing = wanted.filter { !found.contains($0) }
      if !missing.isEmpty { faults.append(.incompleteSet(missing: missing)) }
      return shards
    }
    switch candidates.count {
    case 1: return candidates
    case 0:
      let others = present.filter { name in
        [".safetensors", ".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack"].contains {
          name.hasSuffix($0)
        }
      }
      faults.append(.noWeights(found: others))
    default: faults.append(.ambiguous(candidates))
    }
    return []
  }

  /// Number and count of a name like `model-00001-of-00003.safetensors`, written in that very way.
  private func shardNumbers(_ name: String) -> (number: Int, count: Int)? {
    guard name.hasPrefix("model-"), name.hasSuffix(".safetensors") else { return nil }
    let parts = name.dropFirst(6).dropLast(12).split(
      separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[1] == "of", let number = Int(parts[0]), let count = Int(parts[2]),
      number >= 1, number <= count, count <= 99_999,
      ShardedFolder.fileName(number, of: count) == name
    else { return nil }
    return (number, count)
  }

  private static func sorted(_ names: some Sequence<String>) -> [String] {
    names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  // MARK: - Files and tensors

  mutating func open(_ names: [String], _ index: WeightIndex?) {
    var counts: [String: Int] = [:]
    for (_, file) in index?.files ?? [] { counts[file, default: 0] += 1 }
    for (name, result) in zip(names, openAll(names)) {
      do throws(SafeTensorsError) {
        files.append(try result.get())
        fileNames.append(name)
      } catch {
        unopened.insert(name)
        if case .file(.cannotOpen(_, errno: ENOENT)) = error, let count = counts[name] {
          faults.append(.missingFile(name, tensors: count))
        } else {
          faults.append(.unreadable(error))
        }
      }
    }
  }

  /// Opens files side by side: a large model has hundreds, and a network's disk answers each slowly.
  private func openAll(_ names: [String]) -> [Result<SafeTensorsFile, SafeTensorsError>] {
    let paths = names.map(path)
    let files = names.map { arriving[$0] }
    let opened = Mutex([Int: Result<SafeTensorsFile, SafeTensorsError>]())
    DispatchQueue.concurrentPerform(iterations: paths.count) { position in
      let result: Result<SafeTensorsFile, SafeTensorsError>
      do throws(SafeTensorsError) {
        if let file = files[position] {
          result = .success(try SafeTensorsFile(file))
        } else {
          result = .success(try SafeTensorsFile(paths[position]))
        }
      } catch {
        result = .failure(error)
      }
      opened.withLock { $0[position] = result }
    }
    return opened.withLock { opened in names.indices.compactMap { opened[$0] } }
  }

  mutating func placeTensors() {
    let count = files.reduce(0) { $0 + $1.header.tensors.count }
    tensors.reserveCapacity(count)
    names.reserveCapacity(count)
    var repeated: [String: [String]] = [:]
    for (position, file) in files.enumerated() {
      for entry in file.header.tensors {
        let location = ShardedFolder.Location(file: position, entry: entry)
        if let first = tensors.updateValue(location, forKey: entry.name) {
          repeated[entry.name, default: [fileNames[first.file]]].append(fileNames[position])
          tensors[entry.name] = first
        } else {
          names.append(entry.name)
        }
      }
    }
    for name in names {
      if let files = repeated[name] { faults.append(.duplicateTensor(name, files: files)) }
    }
  }

  /// Holds the index against the files, both ways.
  mutating func compare(_ index: WeightIndex) {
    for (tensor, file) in index.files {
      if unopened.contains(file) { continue }
      let location = tensors[tensor]
      if let location, fileNames[location.file] == file { continue }
      // A tensor in two files is reported as such, even if one of them is the one named.
      if fileNames.firstIndex(of: file).map({ files[$0][tensor] != nil }) == true { continue }
      faults.append(
        .missingTensor(tensor, file: file, actual: location.map { fileNames[$0.file] }))
    }
    // The index names each tensor once: as many names as tensors, all found, leave none over.
    if faults.isEmpty, index.files.count == names.count { return }
    let listed = Set(index.files.map(\.tensor))
    for (file, name) in zip(files, fileNames) {
      let unlisted = file.header.tensors.map(\.name).filter { !listed.contains($0) }
      if !unlisted.isEmpty { faults.append(.unlistedTensors(file: name, unlisted)) }
    }
  }
}
