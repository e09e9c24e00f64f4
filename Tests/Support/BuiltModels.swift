import Foundation
import Synchronization

/// Models whose tensors' values are made up where only their headers lie in the repository.
///
/// `X.safetensors.header` is the beginning of the file X.safetensors up to its first value: every name,
/// type, shape and place. The values do not matter to what moves them and never computes with them.
enum BuiltModels {
  static let ending = ".header"

  private static let built = Mutex<[String: URL]>([:])

  /// Vanishes when the tests end.
  private static let root: URL = {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "isthmus-test-models-\(ProcessInfo.processInfo.processIdentifier)")
    atexit { try? FileManager.default.removeItem(at: BuiltModels.root) }
    return folder
  }()

  /// The model of `folder`, which has headers in place of weights, with values; built once.
  ///
  /// - Parameters:
  ///   - folder: a case's `hf` folder in the fixtures.
  ///   - name: the case.
  static func folder(from folder: URL, name: String) throws -> URL {
    try built.withLock { built in
      if let done = built[name] { return done }
      let target = root.appending(path: name)
      let files = FileManager.default
      try files.createDirectory(at: target, withIntermediateDirectories: true)
      let originals = try equalTensors(folder.deletingLastPathComponent())
      for file in try files.contentsOfDirectory(atPath: folder.path) {
        let source = folder.appending(path: file)
        if file.hasSuffix(ending) {
          let bytes = try filled(Data(contentsOf: source), originals)
          try bytes.write(to: target.appending(path: String(file.dropLast(ending.count))))
        } else {
          try files.copyItem(at: source, to: target.appending(path: file))
        }
      }
      built[name] = target
      return target
    }
  }

  /// The tensors that equal another one of the model, by the note beside the model.
  private static func equalTensors(_ folder: URL) throws -> [String: String] {
    let note = folder.appending(path: "meta.json")
    guard let data = try? Data(contentsOf: note) else { return [:] }
    let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
    return object?["tied_duplicates"] as? [String: String] ?? [:]
  }

  /// A whole safetensors file for a header.
  private static func filled(_ header: Data, _ originals: [String: String]) throws -> Data {
    let json = try JSONSerialization.jsonObject(with: header.dropFirst(8))
    let entries = (json as? [String: [String: Any]] ?? [:]).filter { $0.key != "__metadata__" }
    let end = entries.values.compactMap { ($0["data_offsets"] as? [Int])?.last }.max() ?? 0
    var values = [UInt8](repeating: 0, count: end)
    for (name, entry) in entries {
      guard let range = entry["data_offsets"] as? [Int], range.count == 2 else { continue }
      let mask: UInt64 =
        entry["dtype"] as? String == "BOOL" ? 0x0101_0101_0101_0101 : 0xBFFF_BFFF_BFFF_BFFF
      fill(&values, range[0]..<range[1], seed: originals[name] ?? name, mask)
    }
    return header + values
  }

  /// Fills a range with numbers that depend on the seed alone.
  ///
  /// The generator is splitmix64 (Steele, Lea and Flood 2014).
  ///
  /// - Parameter mask: clears the highest bit of the exponent in any floating-point format of two, four
  ///   or eight bytes, so that all numbers are finite.
  private static func fill(
    _ values: inout [UInt8], _ range: Range<Int>, seed: String, _ mask: UInt64
  ) {
    // FNV-1a
    var state = seed.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01B3
    }
    var index = range.lowerBound
    while index < range.upperBound {
      state &+= 0x9E37_79B9_7F4A_7C15
      var number = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
      number = (number ^ (number >> 27)) &* 0x94D0_49BB_1331_11EB
      number = (number ^ (number >> 31)) & mask
      for _ in 0..<min(8, range.upperBound - index) {
        values[index] = UInt8(truncatingIfNeeded: number)
        number >>= 8
        index += 1
      }
    }
  }
}
