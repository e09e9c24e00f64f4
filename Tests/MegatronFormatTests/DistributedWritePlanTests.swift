import Foundation
import Support
import Tensors
import Testing

@testable import MegatronFormat

/// Planned checkpoints written out, read back, and spoilt.
@Suite struct DistributedWritePlanTests {
  /// The bytes of element `index` of a tensor are those of `index` as an int32.
  static func plan() throws -> DistributedLayout {
    var plan = DistributedWritePlan()
    // Row-parallel halves, then one chunk per layer, a tensor of no dimensions, an odd length.
    for (rank, offset) in [0, 3].enumerated() {
      try plan.add(
        tensor: "proj.weight", dtype: .int32, shape: [5, 6], offsets: [0, offset], sizes: [5, 3],
        file: DistributedWritePlan.fileName(rank: rank))
    }
    for layer in 0..<3 {
      try plan.add(
        tensor: "layers.fc.weight", dtype: .int32, shape: [3, 2, 4], offsets: [layer, 0, 0],
        sizes: [1, 2, 4], file: DistributedWritePlan.fileName(rank: layer % 2))
    }
    try plan.add(
      tensor: "step", dtype: .int32, shape: [], offsets: [], sizes: [],
      file: DistributedWritePlan.fileName(rank: 0))
    plan.add(
      object: "fc._extra_state/shard_0_1", bytes: try CommonState.emptyExtraState(),
      file: DistributedWritePlan.fileName(rank: 1))
    return try plan.finish()
  }

  static func write(_ layout: DistributedLayout, to folder: URL) throws {
    var files: [String: OutputFile] = [:]
    for file in layout.files {
      files[file.name] = try OutputFile(creating: folder.appending(path: file.name).path)
    }
    for object in layout.objects {
      try files[object.file]?.write(object.bytes, at: object.offset)
    }
    for item in layout.items {
      let file = try #require(files[item.file])
      let shape = try #require(layout.metadata.tensors[item.key]).shape
      var data: [UInt8] = []
      for index in 0..<item.sizes.count {
        // The element's place in the chunk, then in the tensor.
        var rest = index
        var place = 0
        for (axis, stride) in item.sizes.strides.enumerated() {
          place += (rest / stride + item.offsets[axis]) * shape.strides[axis]
          rest %= stride
        }
        withUnsafeBytes(of: Int32(place).littleEndian) { data += $0 }
      }
      try file.write(item.archive.prefix, at: item.offset)
      try file.write(data, at: item.offset + item.archive.dataOffset)
      try file.write(
        item.archive.suffix(crc32: crc32(data)),
        at: item.offset + item.archive.dataOffset + item.archive.dataLength)
    }
    try Data(layout.encodedMetadata()).write(to: folder.appending(path: ".metadata"))
  }

  private func values(_ tensor: DistributedTensor) throws -> [Int32] {
    let runs = try tensor.runs()
    let buffer = ByteBuffer(capacity: runs.byteCount)
    try buffer.fill(runs)
    let bytes = buffer.bytes(0..<runs.byteCount)
    return stride(from: 0, to: bytes.count, by: 4).map { start in
      Int32(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * $1) })
    }
  }

  /// Calls `body` with the folder of a written checkpoint.
  private func withCheckpoint(_ body: (URL) throws -> Void) throws {
    try Support.withTemporaryFolder { folder in
      try Self.write(Self.plan(), to: folder)
      try body(folder)
    }
  }

  @Test func objectsStandFirstAndItemsTouch() throws {
    let layout = try Self.plan()
    #expect(layout.files.map(\.name) == ["__1_0.distcp", "__0_0.distcp"])
    #expect(layout.objects.map(\.offset) == [0])
    for file in layout.files {
      var places = layout.items.filter { $0.file == file.name }
        .map { $0.offset..<$0.offset + $0.archive.totalLength }
      places += layout.objects.filter { $0.file == file.name }
        .map { $0.offset..<$0.offset + $0.bytes.count }
      places.sort { $0.lowerBound < $1.lowerBound }
      #expect(places.first?.lowerBound == 0)
      #expect(places.last?.upperBound == file.size)
      #expect(zip(places, places.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
    }
  }

  @Test func whatIsPlannedAndWrittenReadsBackEqual() throws {
    try withCheckpoint { folder in
      let checkpoint = try DistributedCheckpoint(folder: folder.path)
      #expect(
        checkpoint.keys == ["proj.weight", "layers.fc.weight", "step", "fc._extra_state/shard_0_1"])
      for tensor in checkpoint.tensors.values {
        #expect(try values(tensor) == (0..<Int32(tensor.shape.count)).map { $0 })
      }
      #expect(checkpoint.tensors["layers.fc.weight"]?.chunkCount == 3)
      try checkpoint.verify()
      let state = try checkpoint.object("fc._extra_state/shard_0_1")
      let tensor = try checkpoint.objectArchive("fc._extra_state/shard_0_1").tensor(from: state)
      #expect(tensor.shape == [0])
    }
  }

  @Test func chunksThatDoNotTileAreNotPlanned() throws {
    var plan = DistributedWritePlan()
    try plan.add(
      tensor: "w", dtype: .float32, shape: [4], offsets: [0], sizes: [3], file: "__0_0.distcp")
    #expect {
      try plan.finish()
    } throws: {
      guard case .badChunks(_, let faults)? = $0 as? MegatronError else { return false }
      return faults == [.gap(key: "w", offsets: [3], sizes: [1])]
    }
  }

  @Test func aTypeThatPyTorchLacksIsNotPlanned() {
    var plan = DistributedWritePlan()
    #expect(throws: MegatronError.self) {
      try plan.add(
        tensor: "w", dtype: .float4, shape: [4], offsets: [0], sizes: [4], file: "__0_0.distcp")
    }
  }

  // MARK: Spoilt

  @Test func aFileCutShortIsRefusedWithEveryItemBehindTheCut() throws {
    try withCheckpoint { folder in
      let path = folder.appending(path: "__1_0.distcp")
      try Data(contentsOf: path).dropLast().write(to: path)
      #expect {
        try DistributedCheckpoint(folder: folder.path)
      } throws: {
        guard case .badChunks(_, let faults)? = $0 as? MegatronError, faults.count == 1,
          case .beyondFile("layers.fc.weight", "__1_0.distcp", _, _, _) = faults[0]
        else { return false }
        return true
      }
    }
  }

  @Test func aMissingFileIsRefused() throws {
    try withCheckpoint { folder in
      try FileManager.default.removeItem(at: folder.appending(path: "__1_0.distcp"))
      #expect {
        try DistributedCheckpoint(folder: folder.path)
      } throws: {
        guard case .badChunks(_, let faults)? = $0 as? MegatronError else { return false }
        return faults.map(\.key) == [
          "proj.weight", "layers.fc.weight", "fc._extra_state/shard_0_1",
        ]
      }
    }
  }

  @Test func aFolderWithoutMetadataIsRefused() throws {
    try Support.withTemporaryFolder { folder in
      let path = folder.path
      #expect(throws: MegatronError.self) { try DistributedCheckpoint(folder: path) }
    }
  }

  /// Rewrites `.metadata` and expects that reading a tensor then fails.
  private func expectRefusal(
    of key: String, _ spoil: (inout DistributedMetadata) -> Void,
    _ isExpected: (MegatronError) -> Bool
  ) throws {
    try withCheckpoint { (folder: URL) in
      var metadata = try DistributedCheckpoint(folder: folder.path).metadata
      spoil(&metadata)
      try Data(metadata.encoded()).write(to: folder.appending(path: ".metadata"))
      let checkpoint = try DistributedCheckpoint(folder: folder.path)
      let tensor = try #require(checkpoint.tensors[key])
      #expect {
        try tensor.runs()
      } throws: {
        ($0 as? MegatronError).map(isExpected) ?? false
      }
    }
  }

  @Test func anItemOfAnotherShapeIsRefused() throws {
    try expectRefusal(of: "proj.weight") {
      guard let other = $0.tensors["layers.fc.weight"]?.chunks[0].storage else { return }
      $0.tensors["proj.weight"]?.chunks[0].storage = other
    } _: {
      guard case .wrongItem(_, _, "proj.weight", let expected, let found) = $0 else { return false }
      return expected.contains("[5, 3]") && found.contains("[1, 2, 4]")
    }
  }

  @Test func anItemOfAnotherTypeIsRefused() throws {
    try expectRefusal(of: "proj.weight") {
      $0.tensors["proj.weight"]?.dtype = .float32
    } _: {
      if case .wrongItem(_, _, "proj.weight", "F32 of shape [5, 3]", _) = $0 { true } else { false }
    }
  }

  @Test func aPlaceInTheMiddleOfAnItemIsRefused() throws {
    try expectRefusal(of: "proj.weight") {
      $0.tensors["proj.weight"]?.chunks[0].storage.offset += 1
      $0.tensors["proj.weight"]?.chunks[0].storage.length -= 1
    } _: {
      if case .wrongItem = $0 { true } else { false }
    }
  }

  @Test func anItemOfASingleByteIsRefused() throws {
    try expectRefusal(of: "proj.weight") {
      $0.tensors["proj.weight"]?.chunks[0].storage.length = 1
    } _: {
      if case .wrongItem = $0 { true } else { false }
    }
  }

  /// Written by PyTorch 2.13 with `SerializationFormat.SAFETENSORS`, a bare item has exactly the
  /// tensor's bytes.
  @Test func safetensorsItemsAreRefusedAsSuch() throws {
    try expectRefusal(of: "proj.weight") {
      $0.tensors["proj.weight"]?.chunks[0].storage.offset += 4
      $0.tensors["proj.weight"]?.chunks[0].storage.length = 60
    } _: {
      if case .safetensorsItem(_, "proj.weight") = $0 { true } else { false }
    }
  }

  @Test func aByteThatChangedIsFoundByVerifying() throws {
    try withCheckpoint { folder in
      let item = try #require(try Self.plan().items.first)
      let path = folder.appending(path: item.file)
      var bytes = try Data(contentsOf: path)
      bytes[item.offset + item.archive.dataOffset + 5] ^= 1
      try bytes.write(to: path)
      let checkpoint = try DistributedCheckpoint(folder: folder.path)
      #expect {
        try checkpoint.verify()
      } throws: {
        guard case .torchFile(.checksum(_, record: "data/0", _, _))? = $0 as? MegatronError else {
          return false
        }
        return true
      }
    }
  }
}
