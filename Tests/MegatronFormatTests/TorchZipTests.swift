import Foundation
import MegatronFormat
import Support
import Tensors
import Testing

@Suite struct TorchZipTests {
  /// What torch 2.13 prints for an example: dtype, shape, stride(), bytes of the row-major tensor.
  struct Example: Sendable {
    let name: String
    let dtype: DType
    let shape: Shape
    let strides: [Int]
    let bytes: [UInt8]
  }

  static func floats(_ values: Float...) -> [UInt8] {
    values.flatMap { value in (0..<4).map { UInt8(value.bitPattern >> (8 * $0) & 0xFF) } }
  }

  static let examples = [
    Example(
      name: "zip_f32_2x3", dtype: .float32, shape: [2, 3], strides: [3, 1],
      bytes: floats(0, 1, 2, 3, 4, 5)),
    Example(
      name: "zip_transposed", dtype: .float32, shape: [3, 2], strides: [1, 3],
      bytes: floats(0, 3, 1, 4, 2, 5)),
    Example(
      name: "zip_bf16_3", dtype: .bfloat16, shape: [3], strides: [1],
      bytes: [0x80, 0x3F, 0x00, 0x40, 0x00, 0xBF]),
    Example(
      name: "zip_f8e4m3", dtype: .float8E4M3, shape: [3], strides: [1], bytes: [0x38, 0x40, 0x48]),
    Example(
      name: "zip_scalar_i64", dtype: .int64, shape: [], strides: [],
      bytes: [3, 0, 0, 0, 0, 0, 0, 0]),
    Example(name: "zip_empty", dtype: .float32, shape: [0], strides: [1], bytes: []),
    Example(
      name: "zip_parameter", dtype: .float32, shape: [2], strides: [1], bytes: floats(1, 1)),
  ]

  static func bytes(of tensor: StoredTensor, _ region: [Range<Int>]? = nil) throws -> [UInt8] {
    let runs = tensor.runs(region)
    let buffer = ByteBuffer(capacity: max(1, runs.byteCount))
    try buffer.fill(runs)
    return buffer.bytes(0..<runs.byteCount)
  }

  @Test(arguments: examples)
  func aLoneTensorIsRead(example: Example) throws {
    let zip = try TorchZip(path: Support.data("formats/\(example.name).pt").path)
    let tensor = try zip.soleTensor()
    #expect(tensor.dtype == example.dtype)
    #expect(tensor.shape == example.shape)
    #expect(tensor.strides == example.strides)
    #expect(try Self.bytes(of: tensor) == example.bytes)
    #expect(throws: Never.self) { try zip.verifyChecksums() }
  }

  @Test func aRegionOfATransposedTensorIsRead() throws {
    let zip = try TorchZip(path: Support.data("formats/zip_transposed.pt").path)
    let tensor = try zip.soleTensor()
    #expect(try Self.bytes(of: tensor, [1..<3, 0..<1]) == Self.floats(1, 2))
  }

  @Test func viewsShareTheirStorage() throws {
    let zip = try TorchZip(path: Support.data("formats/zip_two_views.pt").path)
    let tensors = try zip.tensors(in: zip.pickle(policy: .tensors))
    #expect(tensors.map(\.path) == ["0", "1"])
    #expect(try Self.bytes(of: tensors[0].tensor) == Self.floats(0, 1, 2))
    #expect(try Self.bytes(of: tensors[1].tensor) == Self.floats(3, 4, 5))
    #expect(tensors[1].tensor.offset - tensors[0].tensor.offset == 12)
  }

  @Test func recordsAreThoseThatPythonLists() throws {
    let zip = try TorchZip(path: Support.data("formats/zip_f32_2x3.pt").path)
    // The places of the hex listing in zip_f32_2x3.txt.
    #expect(
      zip.records == [
        "data.pkl": 0x40..<0xDA, ".format_version": 0x140..<0x141,
        ".storage_alignment": 0x1C0..<0x1C2, "byteorder": 0x240..<0x246,
        "data/0": 0x2C0..<0x2D8, "version": 0x340..<0x342, ".data/serialization_id": 0x3C0..<0x3E8,
      ])
  }

  @Test func objectsWithoutTensorsAreRead() throws {
    let list = try TorchZip(path: Support.data("formats/zip_none_list.pt").path)
    #expect(Pickles.text(try list.pickle(policy: .state)) == "[None]")
    let io = try TorchZip(path: Support.data("formats/zip_bytesio.pt").path)
    #expect(
      Pickles.text(try io.pickle(policy: .state))
        == "[_io.BytesIO:newObject()<(bytes([104, 101, 108, 108, 111]), 0, None)>]")
    #expect(throws: TorchFileError.self) { try io.soleTensor() }
  }

  @Test func numpyAndPythonRandomStatesAreRead() throws {
    let zip = try TorchZip(path: Support.data("formats/zip_numpy_mix.pt").path)
    let value = try #require(zip.pickle(policy: .state).dictionary)
    #expect(Pickles.text(try #require(value["dt"])) == "torch.bfloat16")
    #expect(Pickles.text(try #require(value["sz"])) == "torch.Size:reduce((1, 2))")
    let numpy = try #require(value["np"]?.tuple)
    #expect(numpy[0].string == "MT19937")
    let array = try #require(numpy[1].object)
    #expect(array.name == "_reconstruct")
    let state = try #require(array.state?.tuple)
    #expect(Pickles.text(state[1]) == "(624)")
    guard case .bytes(let words) = state[4] else {
      Issue.record("the array's bytes are \(state[4].kind)")
      return
    }
    // 624 words of four bytes: 0, 1, …
    #expect(words.count == 2_496)
    #expect(words.prefix(8) == [0, 0, 0, 0, 1, 0, 0, 0])
    let python = try #require(value["py"]?.tuple)
    #expect(python[1].tuple?.count == 625)
    #expect(python[1].tuple?.prefix(2).compactMap(\.integer) == [2_147_483_648, 766_982_754])
  }

  @Test func theTrainStateOfBridgeIsRead() throws {
    let path = "formats/bridge_train_state/iter_0000010/train_state.pt"
    let zip = try TorchZip(path: Support.data(path).path)
    let tensors = try zip.tensors(in: zip.pickle(policy: .state))
    let json = try JSONSerialization.jsonObject(
      with: Data(contentsOf: Support.data("formats/bridge_train_state.expected.json")))
    let expected = try #require(json as? [String: NSNumber])
    #expect(Set(tensors.map(\.path)) == Set(expected.keys))
    for (name, tensor) in tensors {
      let bytes = try Self.bytes(of: tensor)
      let number = bytes.number(tensor.dtype)
      #expect(tensor.shape == [])
      #expect(number == expected[name]?.doubleValue, "\(name)")
    }
  }

  @Test(
    arguments: Pickles.files(named: "common.pt", in: "formats")
      + Pickles.files(named: "common.pt", in: "bridge"))
  func everyCommonFileIsRead(path: String) throws {
    let zip = try TorchZip(path: Support.data(path).path)
    let value = try #require(zip.pickle(policy: .state).dictionary)
    #expect(value.items.contains { $0.key.string != nil })
    #expect(throws: Never.self) { try zip.verifyChecksums() }
  }

  @Test func anItemInsideALargerFileIsReadInPlace() throws {
    let inner = try Pickles.bytes("formats/zip_f32_2x3.pt")
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "items").path
      let file = try OutputFile(creating: path)
      try file.write(Array(repeating: 0x50, count: 777) + inner + inner + inner, at: 0)
      let input = try InputFile(path)
      for index in 0..<3 {
        let start = 777 + index * inner.count
        let zip = try TorchZip(file: input, range: start..<start + inner.count)
        #expect(try Self.bytes(of: zip.soleTensor()) == Self.floats(0, 1, 2, 3, 4, 5))
        #expect(zip.records["data/0"] == start + 0x2C0..<start + 0x2D8)
      }
      for range in [777..<776 + inner.count, 778..<777 + inner.count, 0..<777, 5..<5] {
        #expect(throws: TorchFileError.self) {
          try TorchZip(file: input, range: range).soleTensor()
        }
      }
      #expect(throws: TorchFileError.self) {
        try TorchZip(file: input, range: 0..<input.size + 1)
      }
      // Two items are no item: offsets count from the start of the range.
      #expect(throws: TorchFileError.self) {
        try TorchZip(file: input, range: 777..<777 + 2 * inner.count).soleTensor()
      }
    }
  }
}

extension [UInt8] {
  /// The single element of a tensor as PyTorch's `item()`.
  fileprivate func number(_ dtype: DType) -> Double {
    var bits: UInt64 = 0
    for byte in reversed() { bits = bits << 8 | UInt64(byte) }
    return switch dtype {
    case .float32: Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
    case .float64: Double(bitPattern: bits)
    case .int32: Double(Int32(truncatingIfNeeded: Int(bits)))
    case .bool: Double(bits)
    default: Double(Int(truncatingIfNeeded: bits))
    }
  }
}
