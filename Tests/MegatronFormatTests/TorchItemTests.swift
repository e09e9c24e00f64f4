import Foundation
import MegatronFormat
import Support
import Tensors
import Testing

@Suite struct TorchItemTests {
  /// Our item for a tensor equals the file that torch 2.13 wrote for it, to the last byte.
  @Test(
    arguments: TorchZipTests.examples.filter {
      !["zip_transposed", "zip_parameter"].contains($0.name)
    })
  func anItemEqualsTheFileOfTorch(example: TorchZipTests.Example) throws {
    let item = try TorchItem(dtype: example.dtype, shape: example.shape)
    #expect(item.dataLength == example.bytes.count)
    #expect(item.dataOffset % 64 == 0)
    let bytes = item.prefix + example.bytes + item.suffix(crc32: crc32(example.bytes))
    #expect(bytes.count == item.totalLength)
    #expect(bytes == (try Pickles.bytes("formats/\(example.name).pt")))
  }

  @Test(arguments: ["zip_none_list", "zip_bytesio"])
  func anArchiveWithoutTensorsEqualsTheFileOfTorch(name: String) throws {
    let zip = try TorchZip(path: Support.data("formats/\(name).pt").path)
    let bytes = TorchZip.archive(of: try zip.pickle(policy: .state))
    #expect(bytes == (try Pickles.bytes("formats/\(name).pt")))
  }

  @Test(arguments: DType.allCases.filter { !$0.isSubByte })
  func everyTypeIsWrittenAndReadBack(dtype: DType) throws {
    let shape: Shape = [2, 3, 1]
    let item = try TorchItem(dtype: dtype, shape: shape)
    let data = (0..<item.dataLength).map { UInt8($0) }
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "t.pt").path
      try OutputFile(creating: path)
        .write(item.prefix + data + item.suffix(crc32: crc32(data)), at: 0)
      let zip = try TorchZip(path: path)
      let tensor = try zip.soleTensor()
      #expect(tensor.dtype == dtype)
      #expect(tensor.shape == shape)
      #expect(tensor.offset == item.dataOffset)
      #expect(try TorchZipTests.bytes(of: tensor) == data)
      #expect(throws: Never.self) { try zip.verifyChecksums() }
    }
  }

  @Test func whatTorchCannotStoreIsRefused() {
    for dtype in DType.allCases where dtype.isSubByte {
      #expect(throws: TorchFileError.notStorable(dtype, [2])) {
        try TorchItem(dtype: dtype, shape: [2])
      }
    }
    for shape: Shape in [[-1], [.max, 2], [.max]] {
      #expect(throws: TorchFileError.notStorable(.float32, shape)) {
        try TorchItem(dtype: .float32, shape: shape)
      }
    }
  }

  @Test func anArchiveHoldsSeveralTensors() throws {
    let state = PickleDictionary([
      (.string("a"), try .tensor(key: "0", dtype: .int32, shape: [2])),
      (.string("b"), try .tensor(key: "1", dtype: .uint8, shape: [3])),
      (.string("n"), .integer(3)),
    ])
    let data: [[UInt8]] = [[1, 0, 0, 0, 2, 0, 0, 0], [7, 8, 9]]
    let bytes = TorchZip.archive(of: .dictionary(state), name: "train_state", tensors: data)
    #expect(String(decoding: bytes[30..<50], as: UTF8.self) == "train_state/data.pkl")
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "train_state.pt").path
      try OutputFile(creating: path).write(bytes, at: 0)
      let zip = try TorchZip(path: path)
      let tensors = try zip.tensors(in: zip.pickle(policy: .tensors))
      #expect(tensors.map(\.path) == ["a", "b"])
      #expect(try tensors.map { try TorchZipTests.bytes(of: $0.tensor) } == data)
      #expect(throws: Never.self) { try zip.verifyChecksums() }
    }
  }

  /// What torch 2.13 wrote around uint8 tensors of this many bytes, when its writer was given a sink
  /// that kept only the ends: the whole length and the CRC-32 of the first 640 and the last 2,000 bytes.
  struct Large: Sendable {
    let count: Int
    let total: Int
    let head: UInt32
    let tail: UInt32
    let crc32: UInt32
  }

  @Test(arguments: [
    Large(
      count: 0xFFFFFFFE, total: 4_294_968_905, head: 0xC06F171D,
      tail: 0x827C84AE, crc32: 0x0F6A7026),
    Large(
      count: 0xFFFFFFFF, total: 4_294_968_925, head: 0x9CF8E73E,
      tail: 0xBBF144AE, crc32: 0x00000000),
    Large(
      count: 0x100000040, total: 4_294_968_989, head: 0xFC3EE4CB,
      tail: 0x7BEF4B3C, crc32: 0x1DCDF777),
  ])
  func itemsAroundFourGigabytesAreLaidOutAsTorchDoes(large: Large) throws {
    let item = try TorchItem(dtype: .uint8, shape: [large.count])
    #expect(item.totalLength == large.total)
    #expect(crc32(Array(item.prefix.prefix(640))) == large.head)
    let suffix = item.suffix(crc32: large.crc32)
    let tail = [UInt8](repeating: 0, count: 2_000) + suffix
    #expect(crc32(Array(tail.suffix(2_000))) == large.tail)
    #expect(item.prefix.count + large.count + suffix.count == large.total)
  }
}
