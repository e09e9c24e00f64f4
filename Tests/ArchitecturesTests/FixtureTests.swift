import Architectures
import Foundation
import JSON
import SafeTensors
import Support
import Tensors
import Testing

/// The cases themselves: none is left out in silence, and the copies in the repository are true.
struct FixtureTests {
  static let cases = ["hf", "bridge"].flatMap { folder in
    Support.names(in: folder).map { "\(folder)/\($0)" }
  }

  @Test(arguments: cases) func everyCaseIsOfARegisteredClass(_ path: String) throws {
    let configuration = try readObject(Support.data(path + "/hf/config.json"))
    let name = try #require(configuration["architectures"]?.array?.first?.string)
    #expect(Registry.architecture(named: name) != nil, "\(name)")
  }

  @Test func theRepositoryHasEveryCase() {
    let fixtures = Set(
      ["hf", "bridge"].flatMap { folder in
        names(in: Support.fixtures.appending(path: folder)).map { "\(folder)/\($0)" }
      })
    #expect(fixtures == Set(Self.cases))
  }

  @Test(.enabled(if: Support.reference != nil), arguments: cases)
  func whatTheRepositoryHasOfACaseIsTheReferenceSets(_ path: String) throws {
    let reference = try #require(Support.reference).appending(path: path + "/hf")
    let copy = Support.fixtures.appending(path: path + "/hf")
    var weights = 0
    for name in names(in: copy) {
      let isHeader = name.hasSuffix(".header")
      let bytes = try Data(contentsOf: copy.appending(path: name))
      let whole = try Data(
        contentsOf: reference.appending(path: isHeader ? String(name.dropLast(7)) : name))
      #expect(isHeader ? whole.starts(with: bytes) : whole == bytes, "\(name)")
      weights += name.contains(".safetensors") ? 1 : 0
    }
    #expect(names(in: copy).count == names(in: reference).count && weights > 0)
  }

  @Test(arguments: ["hf/falcon_7b", "hf/deepseek_v3"])
  func madeUpValuesAreFiniteAndDifferFromTensorToTensor(_ path: String) throws {
    let item = Case(path: path)
    let model = try ShardedFolder(Support.builtModel(path).path)
    let duplicates = try item.blueprint().duplicates
    var seen: [[UInt8]: String] = [:]
    for name in model.names {
      let runs = try model.runs(of: name)
      let buffer = ByteBuffer(capacity: max(1, runs.byteCount))
      try buffer.fill(runs)
      let bytes = buffer.bytes(0..<runs.byteCount)
      let other = seen.updateValue(name, forKey: bytes)
      #expect(other == nil || duplicates[name] == other || duplicates[other ?? ""] == name)
      #expect(Set(bytes).count > 1)
      let type = try #require(model[name]?.dtype)
      // The exponents of bfloat16 and float32 are not all ones.
      if type == .bfloat16 || type == .float32 {
        let highest = stride(from: type.byteWidth - 1, to: bytes.count, by: type.byteWidth)
        #expect(highest.allSatisfy { bytes[$0] & 0x40 == 0 })
      }
    }
    #expect(duplicates.keys.allSatisfy { model[$0] == nil } == (path != "hf/falcon_7b"))
  }

  private func names(in folder: URL) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
  }
}
