import Foundation
import MegatronFormat
import Support
import Tensors
import Testing

@Suite struct DamagedTorchZipTests {
  /// Writes bytes to a file and gives it to `body`.
  private func with<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "t.pt").path
      try OutputFile(creating: path).write(bytes, at: 0)
      return try body(path)
    }
  }

  private func failure(_ bytes: [UInt8]) throws -> TorchFileError? {
    try with(bytes) { path in
      do throws(TorchFileError) {
        let zip = try TorchZip(path: path)
        _ = try zip.soleTensor()
        try zip.verifyChecksums()
        return nil
      } catch {
        return error
      }
    }
  }

  /// zip_f32_2x3.pt with bytes replaced: its directory begins at 0x3F8, the entry of data/0 at 0x502,
  /// the zip64 end record at 0x5C7, the end record at 0x613.
  private func damaged(_ changes: [Int: UInt8]) throws -> TorchFileError? {
    var bytes = try Pickles.bytes("formats/zip_f32_2x3.pt")
    for (offset, byte) in changes { bytes[offset] = byte }
    return try failure(bytes)
  }

  @Test func damageToTheStructureIsRefused() throws {
    // Of data/0: method 8, encrypted, size, offset far away, offset of another record.
    for (changes, isExpected) in [
      ([0x50C: 8], { if case .compressed(_, "archive/data/0") = $0 { true } else { false } }),
      ([0x50A: 9], { if case .compressed = $0 { true } else { false } }),
      ([0x51A: 0x19], { if case .malformed = $0 { true } else { false } }),
      ([0x52F: 0x7F], { if case .malformed = $0 { true } else { false } }),
      ([0x52C: 0x57], { if case .malformed = $0 { true } else { false } }),
      // Its size in both places, past the directory and merely wrong.
      ([0x517: 0x40, 0x51B: 0x40], { if case .malformed = $0 { true } else { false } }),
      ([0x516: 0x10, 0x51A: 0x10], { if case .storageSize = $0 { true } else { false } }),
      // The directory's place, its size, the number of its entries, in both end records.
      ([0x5F7: 0, 0x623: 0], { if case .malformed = $0 { true } else { false } }),
      ([0x5F8: 0x7F, 0x624: 0x7F], { if case .malformed = $0 { true } else { false } }),
      ([0x5FE: 0x80], { if case .malformed = $0 { true } else { false } }),
      ([0x5E7: 8, 0x61D: 8], { if case .malformed = $0 { true } else { false } }),
      ([0x5E7: 6, 0x61D: 6], { if case .malformed = $0 { true } else { false } }),
      (
        [0x5EE: 0x7F, 0x61D: 0xFF, 0x61E: 0xFF], { if case .malformed = $0 { true } else { false } }
      ),
      // The end records themselves.
      ([0x5C7: 4], { if case .malformed = $0 { true } else { false } }),
      ([0x607: 9], { if case .malformed = $0 { true } else { false } }),
      ([0x616: 0], { if case .notTorch = $0 { true } else { false } }),
      // The local header of data/0, a bit of its data, the byte order.
      ([0x256: 0], { if case .malformed = $0 { true } else { false } }),
      ([0x2C0: 1], { if case .checksum(_, "data/0", 0x91E7_9017, _) = $0 { true } else { false } }),
      ([0x240: 0x62], { if case .byteOrder(_, "bittle") = $0 { true } else { false } }),
    ] as [([Int: UInt8], (TorchFileError) -> Bool)] {
      let error = try damaged(changes)
      #expect(error.map(isExpected) == true, "\(changes): \(String(describing: error))")
    }
  }

  @Test func aRecordTwiceIsRefused() throws {
    var bytes = TorchZip.archive(of: .none, tensors: [[1], [2]])
    for index in bytes.indices.dropLast(6)
    where Array(bytes[index..<index + 6]) == Array("data/1".utf8) {
      bytes[index + 5] = UInt8(ascii: "0")
    }
    let error = try failure(bytes)
    guard case .duplicateRecord(_, "data/0") = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func aFileCutAnywhereIsRefused() throws {
    let bytes = try Pickles.bytes("formats/zip_f32_2x3.pt")
    for end in stride(from: 0, to: bytes.count, by: 7) {
      #expect(try failure(Array(bytes[..<end])) != nil)
    }
  }

  @Test func flippedBitsNeverTrap() throws {
    var seed: UInt64 = 11
    for name in ["zip_f32_2x3", "zip_transposed", "zip_parameter", "zip_f8e4m3"] {
      let bytes = try Pickles.bytes("formats/\(name).pt")
      for _ in 0..<500 {
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        var damaged = bytes
        damaged[Int(seed >> 33) % bytes.count] ^= 1 << UInt8(seed >> 20 & 7)
        try with(damaged) { path in
          guard let tensor = try? TorchZip(path: path).soleTensor() else { return }
          _ = try? TorchZipTests.bytes(of: tensor)
        }
      }
    }
  }

  /// A tensor of float32 in a storage of six elements.
  private func tensor(
    offset: Int = 0, shape: [PickleValue], strides: [PickleValue], count: Int = 6,
    storage: PickleValue = .global(module: "torch", name: "FloatStorage"), key: String = "0"
  ) -> PickleValue {
    let fields: [PickleValue] = [
      .string("storage"), storage, .string(key), .string("cpu"), .integer(count),
    ]
    return .object(
      PickleObject(
        module: "torch._utils", name: "_rebuild_tensor_v2",
        arguments: [
          .persistent(PickleReference(.tuple(fields))), .integer(offset), .tuple(shape),
          .tuple(strides), .bool(false),
          .object(PickleObject(module: "collections", name: "OrderedDict")),
        ]))
  }

  @Test func aTensorThatLeavesItsStorageIsRefused() throws {
    let six = [PickleValue.integer(6)]
    let one = [PickleValue.integer(1)]
    let two = [PickleValue.integer(2)]
    let far = PickleValue.integer(1 << 62)
    func isOutside(_ error: TorchFileError?) -> Bool {
      if case .outsideStorage = error { true } else { false }
    }
    func isMalformed(_ error: TorchFileError?) -> Bool {
      if case .malformedTensor = error { true } else { false }
    }
    func isSize(_ error: TorchFileError?) -> Bool {
      if case .storageSize = error { true } else { false }
    }
    func isUnknown(_ error: TorchFileError?) -> Bool {
      if case .unknownStorage = error { true } else { false }
    }
    func isMissing(_ error: TorchFileError?) -> Bool {
      if case .missingRecord(_, "data/7") = error { true } else { false }
    }
    let cases: [(PickleValue, (TorchFileError?) -> Bool)] = [
      (tensor(shape: six, strides: one), { $0 == nil }),
      (tensor(offset: 1, shape: six, strides: one), isOutside),
      (tensor(shape: six, strides: two), isOutside),
      (tensor(offset: 1 << 60, shape: one, strides: one), isOutside),
      (tensor(offset: .max, shape: one, strides: one), isMalformed),
      (tensor(offset: 7, shape: [.integer(0)], strides: one), isOutside),
      (tensor(shape: [.integer(7)], strides: [.integer(0)]), isOutside),
      (tensor(shape: six, strides: [far]), isMalformed),
      (tensor(shape: [far, far], strides: [far, far]), isMalformed),
      (tensor(shape: six, strides: [.integer(-1)]), isMalformed),
      (tensor(offset: -1, shape: six, strides: one), isMalformed),
      (tensor(shape: [.integer(-6)], strides: one), isMalformed),
      (tensor(shape: six, strides: one + one), isMalformed),
      (tensor(shape: [.string("6")], strides: one), isMalformed),
      (
        tensor(
          shape: Array(repeating: .integer(1), count: 65),
          strides: Array(repeating: .integer(1), count: 65)), isMalformed
      ),
      (tensor(shape: six, strides: one, count: 7), isSize),
      (tensor(shape: two, strides: one, count: 2), isSize),
      (tensor(shape: six, strides: one, count: .max), isMalformed),
      (
        tensor(shape: six, strides: one, storage: .global(module: "torch", name: "Size")), isUnknown
      ),
      (tensor(shape: six, strides: one, storage: .none), isMalformed),
      (tensor(shape: six, strides: one, key: "7"), isMissing),
    ]
    for (value, isExpected) in cases {
      let error = try failure(
        TorchZip.archive(of: value, tensors: [[UInt8](repeating: 1, count: 24)]))
      #expect(isExpected(error), "\(Pickles.text(value)): \(String(describing: error))")
    }
  }

  @Test func anythingButATensorIsNoTensor() throws {
    for value in [
      PickleValue.none, .object(PickleObject(module: "collections", name: "OrderedDict")),
    ] {
      let error = try failure(TorchZip.archive(of: value))
      guard case .notATensor = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
  }
}
