import Foundation
import MegatronFormat
import Support
import Tensors
import Testing

@Suite struct LegacyTorchFileTests {
  /// torch 2.13: `d = OrderedDict(w=arange(6, dtype=bfloat16).reshape(2, 3),
  /// t=arange(6.).reshape(2, 3).t(), n=7); d['v'] = d['w'][1];
  /// torch.save({'model': d, 'step': 3}, f, _use_new_zipfile_serialization=False)`.
  private static let file =
    Data(
      base64Encoded:
        "gAKKCmz8nEb5IGqoUBkugAJN6QMugAJ9cQAoWBAAAABwcm90b2NvbF92ZXJzaW9ucQFN6QNYDQAAAGxpdHRs"
        + "ZV9lbmRpYW5xAohYCgAAAHR5cGVfc2l6ZXNxA31xBChYBQAAAHNob3J0cQVLAlgDAAAAaW50cQZLBFgEAAAA"
        + "bG9uZ3EHSwR1dS6AAn1xAChYBQAAAG1vZGVscQFjY29sbGVjdGlvbnMKT3JkZXJlZERpY3QKcQIpUnEDKFgB"
        + "AAAAd3EEY3RvcmNoLl91dGlscwpfcmVidWlsZF90ZW5zb3JfdjIKcQUoKFgHAAAAc3RvcmFnZXEGY3RvcmNo"
        + "CkJGbG9hdDE2U3RvcmFnZQpxB1gOAAAAOTQ2NDAwNzA5MDEzMjhxCFgDAAAAY3B1cQlLBk50cQpRSwBLAksD"
        + "hnELSwNLAYZxDIloAilScQ10cQ5ScQ9YAQAAAHRxEGgFKChoBmN0b3JjaApGbG9hdFN0b3JhZ2UKcRFYDgAA"
        + "ADk0NjM5OTg0NDgwNjI0cRJoCUsGTnRxE1FLAEsDSwKGcRRLAUsDhnEViWgCKVJxFnRxF1JxGFgBAAAAbnEZ"
        + "SwdYAQAAAHZxGmgFKChoBmgHWA4AAAA5NDY0MDA3MDkwMTMyOHEbaAlLBk50cRxRSwNLA4VxHUsBhXEeiWgC"
        + "KVJxH3RxIFJxIXVYBAAAAHN0ZXBxIksDdS6AAl1xAChYDgAAADk0NjM5OTg0NDgwNjI0cQFYDgAAADk0NjQw"
        + "MDcwOTAxMzI4cQJlLgYAAAAAAAAAAAAAAAAAgD8AAABAAABAQAAAgEAAAKBABgAAAAAAAAAAAIA/AEBAQIBA"
        + "oEA="
    ).map { [UInt8]($0) } ?? []

  private func with<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "old.pt").path
      try OutputFile(creating: path).write(bytes, at: 0)
      return try body(path)
    }
  }

  @Test func itsTensorsAndItsObjectAreRead() throws {
    try with(Self.file) { path in
      #expect(LegacyTorchFile.matches(try InputFile(path)))
      let file = try LegacyTorchFile(path: path)
      let value = try file.pickle(policy: .state)
      #expect(value.dictionary?["step"]?.integer == 3)
      #expect(value.dictionary?["model"]?.dictionary?["n"]?.integer == 7)
      let tensors = try file.tensors(in: value)
      #expect(tensors.map(\.path) == ["model.w", "model.t", "model.v"])
      #expect(tensors.map(\.tensor.shape) == [[2, 3], [3, 2], [3]])
      #expect(tensors.map(\.tensor.dtype) == [.bfloat16, .float32, .bfloat16])
      let bytes = try tensors.map { try TorchZipTests.bytes(of: $0.tensor) }
      #expect(bytes[0] == [0, 0, 0x80, 0x3F, 0, 0x40, 0x40, 0x40, 0x80, 0x40, 0xA0, 0x40])
      #expect(bytes[1] == TorchZipTests.floats(0, 3, 1, 4, 2, 5))
      #expect(bytes[2] == [0x40, 0x40, 0x80, 0x40, 0xA0, 0x40])
    }
  }

  @Test func aFileCutAnywhereIsRefused() throws {
    for end in 0..<Self.file.count {
      try with(Array(Self.file[..<end])) { path in
        _ = #expect(throws: TorchFileError.self) { try LegacyTorchFile(path: path) }
      }
    }
  }

  @Test func aZipIsNoneOfThese() throws {
    let path = Support.data("formats/zip_f32_2x3.pt").path
    #expect(throws: TorchFileError.notTorch(.init(path: path, offset: 0))) {
      try LegacyTorchFile(path: path)
    }
  }

  @Test func flippedBitsNeverTrap() throws {
    var seed: UInt64 = 13
    for _ in 0..<1_000 {
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      var damaged = Self.file
      damaged[Int(seed >> 33) % damaged.count] ^= 1 << UInt8(seed >> 20 & 7)
      try with(damaged) { path in
        guard let file = try? LegacyTorchFile(path: path),
          let tensors = try? file.tensors(in: file.pickle(policy: .inert))
        else { return }
        for (_, tensor) in tensors { _ = try? TorchZipTests.bytes(of: tensor) }
      }
    }
  }
}
