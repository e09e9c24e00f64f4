import Foundation
import JSON
import SafeTensors
import Support
import Tensors
import Testing

private let index = ShardedFolder.indexName

/// A folder whose files hold one byte for each tensor named.
private func withFolder(
  _ files: [String: [String]], index text: String? = nil, _ body: (URL) throws -> Void
) throws {
  try Support.withTemporaryFolder { folder in
    for (name, tensors) in files {
      try SafeTensorsWriter.write(
        path: folder.appending(path: name).path,
        tensors: tensors.map { .init(name: $0, dtype: .uint8, shape: [1], bytes: [7]) })
    }
    if let text { try Data(text.utf8).write(to: folder.appending(path: index)) }
    try body(folder)
  }
}

private func weightMap(_ map: KeyValuePairs<String, String>) -> String {
  var files = JSONObject()
  for (tensor, file) in map { files[tensor] = .string(file) }
  return JSON.object(["weight_map": .object(files)]).serialized()
}

/// The faults of a folder that must not open.
private func faults(_ folder: URL) -> [FolderFault] {
  let error = #expect(throws: SafeTensorsError.self) { try ShardedFolder(folder.path) }
  guard case .folder(folder.path, let faults)? = error else {
    Issue.record("\(String(describing: error))")
    return []
  }
  return faults
}

private func shard(_ number: Int, _ count: Int) -> String {
  "model-0000\(number)-of-0000\(count).safetensors"
}

@Test func foldersOfTransformersOpenWithTheirIndex() throws {
  let url = Support.fixtures.appending(path: "safetensors/sharded")
  let folder = try ShardedFolder(url.path)
  #expect(
    folder.files.map { ($0.path as NSString).lastPathComponent } == (1...5).map { shard($0, 5) })
  let bytes = [UInt8](try Data(contentsOf: url.appending(path: index)))
  #expect(folder.indexBytes == bytes)
  let object = try #require(try JSON(parsing: bytes).object)
  #expect(folder.indexMetadata == object["metadata"]?.object)
  #expect(folder.totalBytes == object["metadata"]?.object?["total_size"]?.integer)
  let map = try #require(object["weight_map"]?.object)
  #expect(folder.names.count == map.count)
  for (tensor, file) in map.members {
    let location = try #require(folder.tensors[tensor])
    #expect(folder.files[location.file].path.hasSuffix("/" + (file.string ?? "")))
    #expect(try folder.runs(of: tensor).byteCount == location.entry.byteCount)
  }
}

@Test func indexIsWrittenAsTransformersWritesIt() throws {
  let folder = try ShardedFolder(Support.fixtures.appending(path: "safetensors/sharded").path)
  let map = folder.tensors.mapValues { location in
    (folder.files[location.file].path as NSString).lastPathComponent
  }
  let written = ShardedFolder.indexJSON(
    weightMap: map, totalSize: folder.totalBytes,
    extraMetadata: ["total_parameters": .integer(folder.totalBytes / 4)])
  #expect(
    String(decoding: written, as: UTF8.self)
      == String(decoding: try #require(folder.indexBytes), as: UTF8.self))
}

@Test func tensorsAreDividedAmongFilesAsTheHubDoes() throws {
  let url = Support.fixtures.appending(path: "safetensors/plans.json")
  let cases = try #require(try JSON(parsing: [UInt8](try Data(contentsOf: url))).array)
  #expect(cases.count == 40)
  for value in cases {
    let object = try #require(value.object)
    let tensors = try #require(object["tensors"]?.array).map { pair in
      (name: pair.array?[0].string ?? "?", byteCount: pair.array?[1].integer ?? -1)
    }
    let plan = ShardedFolder.plan(
      tensors: tensors, maximum: try #require(object["maximum"]?.integer))
    let expected = try #require(object["files"]?.array).map { pair in
      [pair.array?[0].string ?? "?"] + (pair.array?[1].array ?? []).compactMap(\.string)
    }
    #expect(plan.map { [$0.file] + $0.tensors } == expected)
  }
  #expect(ShardedFolder.plan(tensors: []).isEmpty)
}

@Test func singleFilesAndWholeSetsOpenWithoutAnIndex() throws {
  for files in [
    ["model.safetensors": ["a", "b"], "other.safetensors": ["c"]],
    [shard(1, 2): ["a"], shard(2, 2): ["b"]],
    ["weights.safetensors": ["a", "b"], "consolidated.safetensors": ["x"]],
    [shard(1, 2): ["a"], shard(2, 2): ["b"], "consolidated.safetensors": ["a"]],
  ] {
    try withFolder(files) { url in
      let folder = try ShardedFolder(url.path)
      #expect(folder.names == ["a", "b"])
      #expect(folder.indexBytes == nil)
      #expect(folder.totalBytes == 2)
    }
  }
}

@Test func symbolicLinksAreFollowedAsInTheHubCache() throws {
  try withFolder(["blob1": ["a"], "blob2": ["b"], "blob3": []]) { url in
    let snapshot = url.appending(path: "snapshots/1")
    try FileManager.default.createDirectory(at: snapshot, withIntermediateDirectories: true)
    let map = weightMap(["a": "m1.safetensors", "b": "m2.safetensors"])
    try Data(map.utf8).write(to: url.appending(path: "blob4"))
    for (name, blob) in ["m1.safetensors": "blob1", "m2.safetensors": "blob2", index: "blob4"] {
      try FileManager.default.createSymbolicLink(
        atPath: snapshot.appending(path: name).path, withDestinationPath: "../../\(blob)")
    }
    #expect(try ShardedFolder(snapshot.path).names == ["a", "b"])
    // The same through a link to the folder, and with a slash at its end.
    let link = url.appending(path: "link").path
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "snapshots/1")
    #expect(try ShardedFolder(link + "/").names == ["a", "b"])
    try FileManager.default.removeItem(at: url.appending(path: "blob2"))
    #expect(faults(snapshot) == [.missingFile("m2.safetensors", tensors: 1)])
  }
}

@Test func folderWithoutWeightsIsRefusedNamingWhatIsThere() throws {
  try withFolder(["consolidated.safetensors": ["a"]]) { url in
    try Data().write(to: url.appending(path: "pytorch_model.bin"))
    try Data().write(to: url.appending(path: "config.json"))
    #expect(
      faults(url) == [.noWeights(found: ["consolidated.safetensors", "pytorch_model.bin"])])
  }
  #expect(throws: SafeTensorsError.self) { try ShardedFolder("/nowhere/at/all") }
}

@Test func severalUnrelatedFilesAreRefused() throws {
  try withFolder(["b.safetensors": ["a"], "a.safetensors": ["b"]]) { url in
    #expect(faults(url) == [.ambiguous(["a.safetensors", "b.safetensors"])])
  }
  try withFolder([shard(1, 1): ["a"], shard(1, 2): ["b"]]) { url in
    #expect(faults(url) == [.ambiguous([shard(1, 1), shard(1, 2)])])
  }
}

@Test func missingShardOfASetIsNamed() throws {
  try withFolder([shard(2, 4): ["b"], shard(3, 4): ["c"]]) { url in
    #expect(faults(url) == [.incompleteSet(missing: [shard(1, 4), shard(4, 4)])])
  }
  // One file alone is no model if its name says that there are more.
  try withFolder([shard(1, 2): ["a"]]) { url in
    #expect(faults(url) == [.incompleteSet(missing: [shard(2, 2)])])
  }
}

@Test func indexNamingAMissingFileIsRefused() throws {
  try withFolder(
    ["1.safetensors": ["a"]],
    index: weightMap(["a": "1.safetensors", "b": "2.safetensors", "c": "2.safetensors"])
  ) { url in
    #expect(faults(url) == [.missingFile("2.safetensors", tensors: 2)])
  }
}

@Test func indexNamingATensorThatIsElsewhereOrNowhereIsRefused() throws {
  try withFolder(
    ["1.safetensors": ["a"], "2.safetensors": ["b"]],
    index: weightMap(["a": "2.safetensors", "b": "2.safetensors", "c": "1.safetensors"])
  ) { url in
    #expect(
      faults(url) == [
        .missingTensor("a", file: "2.safetensors", actual: "1.safetensors"),
        .missingTensor("c", file: "1.safetensors", actual: nil),
      ])
  }
}

@Test func tensorInTwoShardsIsRefused() throws {
  for map in [
    weightMap(["a": "1.safetensors", "b": "2.safetensors"]),
    weightMap(["a": "2.safetensors", "b": "1.safetensors"]),
  ] {
    try withFolder(["1.safetensors": ["a", "b"], "2.safetensors": ["b", "a"]], index: map) { url in
      let both = ["1.safetensors", "2.safetensors"]
      #expect(
        faults(url) == [.duplicateTensor("a", files: both), .duplicateTensor("b", files: both)])
    }
  }
  try withFolder([shard(1, 2): ["a"], shard(2, 2): ["a"]]) { url in
    #expect(faults(url) == [.duplicateTensor("a", files: [shard(1, 2), shard(2, 2)])])
  }
}

@Test func tensorsThatTheIndexDoesNotNameAreAllListed() throws {
  try withFolder(
    ["1.safetensors": ["x", "a", "y"], "2.safetensors": ["b", "z"]],
    index: weightMap(["a": "1.safetensors", "b": "2.safetensors"])
  ) { url in
    let found = faults(url)
    #expect(
      found == [
        .unlistedTensors(file: "1.safetensors", ["x", "y"]),
        .unlistedTensors(file: "2.safetensors", ["z"]),
      ])
    let text = SafeTensorsError.folder(url.path, found).description
    for name in ["x, y", "z", "1.safetensors", url.path] { #expect(text.contains(name)) }
  }
}

@Test func shardThatIsDamagedIsReportedWithTheOtherFaults() throws {
  try withFolder(
    ["1.safetensors": ["a", "x"]],
    index: weightMap(["a": "1.safetensors", "b": "2.safetensors", "c": "3.safetensors"])
  ) { url in
    let damaged = url.appending(path: "2.safetensors").path
    try Data([1, 2, 3]).write(to: URL(filePath: damaged))
    #expect(
      faults(url) == [
        .unreadable(.header(file: damaged, .noLength(fileSize: 3))),
        .missingFile("3.safetensors", tensors: 1),
        .unlistedTensors(file: "1.safetensors", ["x"]),
      ])
  }
}

@Test func shardThatIsAFolderIsUnreadable() throws {
  try withFolder([:], index: weightMap(["a": "1.safetensors"])) { url in
    let path = url.appending(path: "1.safetensors").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    #expect(faults(url) == [.unreadable(.file(.notARegularFile(path: path)))])
  }
}

@Test(arguments: [
  "../model.safetensors", "/etc/passwd", "sub/model.safetensors", "..", ".", "",
  "model.safetensors\0.txt", "./model.safetensors",
])
func indexNamingAFileOutsideTheFolderIsRefused(name: String) throws {
  try withFolder(["model.safetensors": ["a"]], index: weightMap(["a": name])) { url in
    // The tensor is not called unlisted: the index does name it.
    #expect(faults(url) == [.unsafeFileName(file: index, name)])
  }
}

@Test(arguments: [
  ("", nil), ("[]", "weight_map"), ("{}", "weight_map"), (#"{"weight_map":[]}"#, "weight_map"),
  (#"{"weight_map":{}}"#, "weight_map"), (#"{"weight_map":{"a":1}}"#, "a"),
  (#"{"weight_map":{"a":null}}"#, "a"),
  (#"{"weight_map":{"a":"m","a":"m"}}"#, nil), (#"{"weight_map":{}} x"#, nil),
])
func indexOfAnotherFormIsRefused(text: String, field: String?) throws {
  try withFolder([:], index: text) { url in
    let found = faults(url)
    #expect(found.count == 1)
    switch found.first {
    case .index(index, _)?: #expect(field == nil)
    case .indexField(index, let name, _, _)?: #expect(name == field)
    default: Issue.record("\(found)")
    }
  }
}
