import Architectures
import Blueprint
import JSON
import SafeTensors
import Support
import Tensors
import Testing

struct CoverageTests {
  /// Classes that are other ones under a new name; their tests say so.
  static let retold: Set = ["GritLM"]

  @Test func everyArchitectureHasASourceCheckpoint() throws {
    let names = try (Case.huggingFace + Case.bridge).compactMap {
      try $0.configuration()["architectures"]?.array?.first?.string
    }
    for architecture in Registry.all where !Self.retold.contains(architecture.names[0]) {
      #expect(architecture.names.contains { names.contains($0) }, "\(architecture)")
    }
  }

  @Test(arguments: Case.huggingFace + Case.bridge)
  func everyKeyOfAPublishedConfigurationIsRead(_ item: Case) throws {
    let configuration = try item.configuration()
    #expect(throws: Never.self) { try Registry.blueprint(configuration, isStrict: true) }
  }

  @Test(arguments: Case.huggingFace + Case.bridge)
  func slotsAndDuplicatesAndBuffersAreExactlyTheTensorsOfTheFiles(_ item: Case) throws {
    let blueprint = try item.blueprint()
    let source = try ShardedFolder(item.folder.path)
    var parts: [String: Shape] = [:]
    for placed in blueprint.slots {
      for part in placed.slot.parts {
        #expect(parts.updateValue(part.shape, forKey: part.name) == nil, "\(part.name) twice")
      }
    }
    for (name, shape) in parts {
      #expect(source[name]?.shape == shape, "\(name)")
    }
    for name in source.names where parts[name] == nil {
      if let original = blueprint.everyDuplicate[name] {
        #expect(source[name]?.shape == source[original]?.shape, "\(name)")
      } else {
        #expect(blueprint.buffers.contains(name), "\(name) is left over")
      }
    }
  }

  @Test(arguments: Case.huggingFace)
  func duplicatesAndBuffersAndPredictorsAreThoseThePeerPassesBy(_ item: Case) throws {
    let blueprint = try item.blueprint()
    let meta = try readObject(Support.data(item.path + "/meta.json"))
    let source = try ShardedFolder(item.folder.path)
    let ignored = (meta["ignored_tensors"] ?? meta["tensors_without_gradient"])?.array ?? []
    let tied = (meta["tied_duplicates"]?.object?.members ?? []).map { ($0.key, $0.value.string) }
    let predictors = blueprint.slots.filter(\.isPredictor).flatMap { $0.slot.parts.map(\.name) }
    let passed = blueprint.buffers.union(predictors).union(blueprint.copies.keys)
    #expect(Set(source.names.filter(passed.contains)) == Set(ignored.compactMap(\.string)))
    #expect(
      Dictionary(uniqueKeysWithValues: tied)
        == blueprint.duplicates.filter { source[$0.key] != nil })
  }

  @Test(arguments: Case.huggingFace)
  func theCountOfParametersIsThePeers(_ item: Case) throws {
    let meta = try readObject(Support.data(item.path + "/meta.json"))
    let counts = try item.blueprint().counts
    #expect(counts.parameters - counts.predictors == meta["parameters"]?.integer)
  }

  @Test(arguments: Case.bridge)
  func keysAndShapesAndPrecisionsAreThoseTheBridgeWrites(_ item: Case) throws {
    let blueprint = try item.blueprint()
    let names = MegatronNames(blueprint)
    let expected = try readObject(
      Support.fixtures.appending(path: "megatron_keys/\(item.name).json"))
    var rows: [String: Int] = [:]
    for placed in blueprint.slots {
      for piece in names.pieces(of: placed) {
        let entry = expected[piece.key]?.object
        let shape = entry?["shape"]?.array?.compactMap(\.integer)
        #expect(shape == piece.keyShape.dimensions, "\(piece.key)")
        #expect(
          entry?["dtype"]?.string == (placed.slot.isFloat32 ? "float32" : "bfloat16"),
          "\(piece.key)")
        rows[piece.key, default: 0] += piece.shape.count
      }
    }
    #expect(Set(rows.keys) == Set(expected.keys))
    for (key, count) in rows {
      let whole = expected[key]?.object?["shape"]?.array?.compactMap(\.integer).reduce(1, *)
      #expect(count == whole, "\(key) is not filled once by all slots together")
    }
  }

  @Test(arguments: Case.huggingFace + Case.bridge)
  func everySpellingOfASlotHasTheSameNumberOfRows(_ item: Case) throws {
    let blueprint = try item.blueprint()
    let names = MegatronNames(blueprint)
    for placed in blueprint.slots {
      let spellings = names.spellings(of: placed)
      #expect(spellings.first?.map(\.key) == names.pieces(of: placed).map(\.key))
      for pieces in spellings {
        var row = 0
        for piece in pieces {
          #expect(piece.rows.lowerBound == row)
          #expect(piece.shape.count == piece.rows.count * placed.slot.rowWidth)
          row = piece.rows.upperBound
        }
        #expect(row == placed.slot.rows)
      }
    }
  }
}
