import Foundation
import Support
import Tensors
import Testing

@testable import MegatronFormat

/// What `.metadata` says, written and read, and everything that can be wrong with it.
@Suite struct DistributedMetadataTests {
  static let files: [URL] =
    (Support.names(in: "formats").filter { $0.hasPrefix("td_") || $0.hasPrefix("plain_dcp_") }
    .map { "formats/" + $0 } + ["formats/minimal_written"]
    + ["megatron", "megatron_tp2", "megatron_v031"].map { "bridge/llama/" + $0 })
    .flatMap { path in
      ["", "/iter_0000010", "/iter_0000000"].map { Support.data(path + $0 + "/.metadata") }
    }
    .filter { FileManager.default.fileExists(atPath: $0.path) }

  private func read(_ file: URL) throws -> DistributedMetadata {
    try DistributedMetadata(decoding: Array(Data(contentsOf: file)), file: file.path)
  }

  /// The faults that decoding reports.
  private func faults(_ bytes: [UInt8]) -> [ChunkFault] {
    do {
      _ = try DistributedMetadata(decoding: bytes, file: "test")
      return []
    } catch {
      guard case .badChunks("test", let faults) = error else {
        Issue.record(error)
        return []
      }
      return faults
    }
  }

  /// A tensor of shape (2, 4) of chunks at these boxes, each in a place of its own.
  private func metadata(
    _ boxes: [(offsets: [Int], sizes: [Int])], keys: [String] = ["w"]
  ) -> DistributedMetadata {
    var metadata = DistributedMetadata()
    for key in keys {
      metadata.keys.append(key)
      metadata.tensors[key] = .init(
        dtype: .float32, shape: [2, 4],
        chunks: boxes.enumerated().map { index, box in
          .init(
            offsets: box.offsets, sizes: box.sizes,
            storage: .init(file: "__0_0.distcp", offset: index * 100, length: 100))
        })
    }
    return metadata
  }

  /// The object tree of an example's `.metadata`, to be spoilt.
  private func tree() throws -> (value: PickleValue, root: PickleDictionary) {
    let bytes = Array(
      try Data(contentsOf: Support.data("formats/td_gpt_tp1/iter_0000010/.metadata")))
    let value = try Unpickler.load(bytes, policy: .metadata)
    return (value, try #require(value.object?.state?.dictionary))
  }

  @Test func examplesAreThere() { #expect(Self.files.count > 1) }

  @Test(arguments: files)
  func whatIsWrittenReadsBackEqual(file: URL) throws {
    let metadata = try read(file)
    #expect(!metadata.keys.isEmpty)
    let again = try DistributedMetadata(decoding: metadata.encoded(), file: "ours")
    #expect(again == metadata)
  }

  @Test func longKeysManyChunksAndFarOffsetsReadBackEqual() throws {
    var metadata = DistributedMetadata()
    for index in 0..<100 {
      let key = String(repeating: "k", count: index) + "\(index)"
      metadata.keys.append(key)
      metadata.tensors[key] = .init(
        dtype: .bfloat16, shape: [index + 1, 70_000, 1, 1],
        chunks: (0...index).map {
          .init(
            offsets: [$0, 0, 0, 0], sizes: [1, 70_000, 1, 1],
            storage: .init(file: "__\($0)_0.distcp", offset: $0 << 40, length: 1 << 31))
        })
    }
    #expect(try DistributedMetadata(decoding: metadata.encoded(), file: "ours") == metadata)
  }

  @Test(arguments: files.prefix(3))
  func metadataCutShortIsRefused(file: URL) throws {
    let bytes = Array(try Data(contentsOf: file))
    let step = max(1, bytes.count / 400)
    for count in Array(stride(from: 0, to: bytes.count, by: step)) + [bytes.count - 1] {
      #expect(throws: MegatronError.self, "\(count)") {
        try DistributedMetadata(decoding: Array(bytes[..<count]), file: "cut")
      }
    }
  }

  @Test(arguments: files.prefix(2))
  func metadataWithABrokenByteIsReadOrRefusedButNeverTraps(file: URL) throws {
    let bytes = Array(try Data(contentsOf: file))
    var refused = 0
    for index in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 700)) {
      var broken = bytes
      broken[index] ^= 0x55
      if (try? DistributedMetadata(decoding: broken, file: "broken")) == nil { refused += 1 }
    }
    #expect(refused > 0)
  }

  @Test func aPickleThatCallsSomethingElseIsRefusedByName() throws {
    let call = Array("cposix\nsystem\n(S'true'\ntR.".utf8)
    #expect {
      try DistributedMetadata(decoding: call, file: "test")
    } throws: {
      "\($0)".contains("posix.system")
    }
  }

  // MARK: Tiling

  @Test func chunksThatTileAreAccepted() {
    #expect(faults(metadata([([0, 0], [2, 4])]).encoded()).isEmpty)
    #expect(
      faults(metadata([([0, 0], [2, 1]), ([0, 1], [1, 3]), ([1, 1], [1, 3])]).encoded()).isEmpty)
    // No row or column goes through: a brick pattern.
    #expect(
      faults(
        metadata([([0, 0], [1, 3]), ([0, 3], [1, 1]), ([1, 0], [1, 1]), ([1, 1], [1, 3])])
          .encoded()
      ).isEmpty)
  }

  @Test func aGapIsReportedWithItsPlace() {
    #expect(
      faults(metadata([([0, 0], [1, 4]), ([1, 0], [1, 2])]).encoded())
        == [.gap(key: "w", offsets: [1, 2], sizes: [1, 2])])
    #expect(faults(metadata([]).encoded()) == [.gap(key: "w", offsets: [0, 0], sizes: [2, 4])])
  }

  @Test func anOverlapIsReportedWithItsPlace() {
    #expect(
      faults(metadata([([0, 0], [2, 3]), ([0, 2], [2, 2])]).encoded())
        == [.overlap(key: "w", offsets: [0, 2], sizes: [2, 1])])
  }

  /// The volumes add up here, so that only a look at the places finds it.
  @Test func anOverlapThatAGapMakesUpForIsReported() {
    #expect(
      faults(metadata([([0, 0], [1, 4]), ([1, 0], [1, 2]), ([1, 1], [1, 2])]).encoded())
        == [
          .overlap(key: "w", offsets: [1, 1], sizes: [1, 1]),
          .gap(key: "w", offsets: [1, 3], sizes: [1, 1]),
        ])
  }

  @Test(arguments: [
    ([0, 3], [2, 2]), ([2, 0], [1, 4]), ([0], [2]), ([0, Int.max], [2, 4]),
  ])
  func aChunkOutsideItsTensorIsReported(offsets: [Int], sizes: [Int]) {
    #expect(
      faults(metadata([(offsets, sizes)]).encoded())
        == [.outside(key: "w", offsets: offsets, sizes: sizes, shape: [2, 4])])
  }

  @Test func allBadKeysAreReported() {
    let found = faults(metadata([([0, 0], [1, 4])], keys: ["a", "b", "c"]).encoded())
    #expect(found.map(\.key) == ["a", "b", "c"])
  }

  @Test func manyChunksOnOneAnotherAreRefusedQuickly() {
    var metadata = DistributedMetadata()
    metadata.keys = ["w"]
    metadata.tensors["w"] = .init(
      dtype: .float32, shape: [40_000],
      chunks: (0..<20_000).map {
        .init(
          offsets: [$0], sizes: [20_000],
          storage: .init(file: "__0_0.distcp", offset: $0, length: 1))
      })
    #expect(!metadata.tilingFaults().isEmpty)
  }

  @Test func anEmptyTensorNeedsNoChunk() {
    var metadata = metadata([])
    metadata.tensors["w"]?.shape = [0, 4]
    #expect(metadata.tilingFaults().isEmpty)
  }

  // MARK: Storages

  @Test func aChunkWithoutStorageIsReported() throws {
    let (value, root) = try tree()
    let storages = try #require(root["storage_data"]?.dictionary)
    let index = try #require(
      storages.items.firstIndex {
        $0.key.object?.state?.dictionary?["fqn"]?.string == "output_layer.weight"
      })
    storages.items.remove(at: index)
    let found = faults(Pickler.dump(value, protocol: 4))
    #expect(found.contains(.withoutStorage(key: "output_layer.weight", offsets: [0, 0])))
    #expect(found.allSatisfy { $0.key == "output_layer.weight" })
  }

  @Test func aStorageWithoutChunkIsReported() throws {
    let (value, root) = try tree()
    let entries = try #require(root["state_dict_metadata"]?.dictionary)
    let index = try #require(
      entries.items.firstIndex { $0.key.string == "output_layer.weight" })
    entries.items.remove(at: index)
    #expect(
      faults(Pickler.dump(value, protocol: 4))
        == [.withoutChunk(key: "output_layer.weight", offsets: [0, 0])])
  }

  @Test(arguments: [2, 8, 9, 40])
  func chunksFindTheirStorageInWhateverOrder(count: Int) throws {
    var metadata = metadata([], keys: ["v", "w"])
    for key in metadata.keys {
      metadata.tensors[key]?.shape = [count, 4]
      metadata.tensors[key]?.chunks = (0..<count).map {
        .init(
          offsets: [$0, 0], sizes: [1, 4],
          storage: .init(file: "__\($0 % 3)_0.distcp", offset: $0 * 100, length: 100))
      }
    }
    let value = try Unpickler.load(metadata.encoded(), policy: .metadata)
    let root = try #require(value.object?.state?.dictionary)
    let storages = try #require(root["storage_data"]?.dictionary)
    for order in 0..<3 {
      storages.items =
        switch order {
        case 0: storages.items.reversed()
        // Each third entry, then each third of the rest: the keys' entries are mixed as well.
        case 1:
          (0..<3).flatMap { start in
            stride(from: start, to: storages.items.count, by: 3).map { storages.items[$0] }
          }
        default: storages.items.shuffled()
        }
      let shuffled = Pickler.dump(value, protocol: 4)
      #expect(try DistributedMetadata(decoding: shuffled, file: "test") == metadata)
    }
  }

  @Test func twoKeysThatSwiftTakesForOneAreRefused() throws {
    // The letter é, and e with an accent: Python tells them apart.
    let composed = metadata([([0, 0], [2, 4])], keys: ["\u{E9}"])
    let value = try Unpickler.load(composed.encoded(), policy: .metadata)
    let root = try #require(value.object?.state?.dictionary)
    for name in ["state_dict_metadata", "storage_data"] {
      let table = try #require(root[name]?.dictionary)
      let other = metadata([([0, 0], [2, 4])], keys: ["e\u{301}"])
      let theirs = try Unpickler.load(other.encoded(), policy: .metadata)
      table.items += theirs.object?.state?.dictionary?[name]?.dictionary?.items ?? []
    }
    #expect {
      try DistributedMetadata(decoding: Pickler.dump(value, protocol: 4), file: "test")
    } throws: {
      guard case .malformedMetadata("test", _, "one entry", "two")? = $0 as? MegatronError else {
        return false
      }
      return true
    }
  }

  @Test func transformsAreRefusedByName() throws {
    let (value, root) = try tree()
    let info = try #require(root["storage_data"]?.dictionary?.items.first?.value.object)
    info.state?.dictionary?.items.append(
      (.string("transform_descriptors"), .list(PickleList([.string("zstd")]))))
    #expect {
      try DistributedMetadata(decoding: Pickler.dump(value, protocol: 4), file: "test")
    } throws: {
      guard case .unsupportedTransforms("test", _, ["zstd"])? = $0 as? MegatronError else {
        return false
      }
      return true
    }
  }

  @Test(arguments: ["../x", "/etc/passwd", "a/b", "", ".", "..", "x\0y"])
  func aNameThatLeavesTheFolderIsReported(name: String) {
    var metadata = metadata([([0, 0], [2, 4])])
    metadata.tensors["w"]?.chunks[0].storage.file = name
    #expect(
      metadata.storageFaults { _ in 1 << 40 } == [.unsafeName(key: "w", name: name)])
  }

  @Test(arguments: [(0, 101), (1, 100), (-1, 5), (5, -1), (Int.max, Int.max)])
  func anItemOutsideItsFileIsReported(offset: Int, length: Int) {
    var metadata = metadata([([0, 0], [2, 4])])
    metadata.tensors["w"]?.chunks[0].storage.offset = offset
    metadata.tensors["w"]?.chunks[0].storage.length = length
    #expect(
      metadata.storageFaults { _ in 100 }
        == [
          .beyondFile(key: "w", name: "__0_0.distcp", offset: offset, length: length, size: 100)
        ])
  }

  @Test func aMissingFileIsReportedForEachItem() {
    let metadata = metadata([([0, 0], [2, 2]), ([0, 2], [2, 2])])
    #expect(
      metadata.storageFaults { _ in nil }
        == Array(repeating: .missingFile(key: "w", name: "__0_0.distcp"), count: 2))
  }
}
