import Blueprint
import Kernels
import Tensors

/// A blueprint with numbers: everything that a forward pass needs.
public final class Model {
  public let blueprint: Blueprint
  public let numbers: Numbers
  /// In the order of the forward pass, without those of predictors.
  public let parameters: [Parameter]
  /// The parameters outside the blocks, and those of each block.
  let surroundings: ParameterTable
  let blocks: [ParameterTable]
  /// Whether each block is computed again when gradients come back, rather than kept.
  public var recomputes = false
  /// The blocks whose finished keys and values later ones reuse.
  let lendsKeys: Set<Int>
  /// How heads turn, in each way that a layer turns them.
  let rotaries: Set<Rotary>
  let rotations: RotationTables

  /// A model whose numbers somebody else knows.
  ///
  /// - Parameter fill: gives a slot's packed numbers, as a matrix of the shape and type asked for.
  public init(
    _ blueprint: Blueprint, _ numbers: Numbers,
    _ fill: (_ slot: PlacedSlot, _ rows: Int, _ columns: Int, _ numbers: Numbers) throws -> Matrix
  ) throws {
    self.blueprint = blueprint
    self.numbers = numbers
    let slots = blueprint.slots.filter { !$0.isPredictor && !$0.slot.parts.isEmpty }
    parameters = try slots.map { placed in
      let slot = placed.slot
      let columns = slot.shape.dimensions.count > 1 ? max(1, slot.rowWidth) : 1
      let isVector = columns == 1 && !slot.isMatrix
      let rows = slot.shape.count / max(1, columns)
      let type = slot.isMatrix ? numbers : numbers.accumulated
      let value = try isVector ? fill(placed, 1, rows, type) : fill(placed, rows, columns, type)
      return Parameter(placed, value)
    }
    // Slots inside the blocks stand in the order of the blocks.
    var surroundings = ParameterTable()
    var tables: [ParameterTable] = []
    var inside: [Parameter] = []
    for parameter in parameters {
      if case .block = parameter.slot.section {
        inside.append(parameter)
      } else {
        surroundings.add(parameter, relative: parameter.name)
      }
    }
    var next = inside.makeIterator()
    for block in blueprint.blocks {
      var table = ParameterTable()
      for slot in block.slots where !slot.parts.isEmpty {
        guard let parameter = next.next() else { break }
        table.add(parameter, relative: slot.parts[0].name)
      }
      tables.append(table)
    }
    self.surroundings = surroundings
    blocks = tables
    let layers = blueprint.blocks.flatMap(\.leaves)
    lendsKeys = Set(
      layers.compactMap {
        if case .block(let block)? = ($0 as? Attention)?.keySource { block } else { nil }
      })
    rotaries = Set(
      layers.flatMap { layer in
        let latent = layer as? LatentAttention
        return [(layer as? Attention)?.rotary, latent?.rotary, latent?.indexer?.rotary]
      }.compactMap(\.self))
    rotations = RotationTables(numbers.accumulated)
  }

  /// The output layer's matrix: its own, or the embedding.
  var head: Parameter? {
    surroundings.byRole[.outputLayer(.weight)] ?? surroundings.byRole[.wordEmbeddings]
  }
}

/// Parameters by what they are for and by their names.
struct ParameterTable {
  private(set) var byRole: [Role: Parameter] = [:]
  private(set) var byName: [String: Parameter] = [:]

  mutating func add(_ parameter: Parameter, relative name: String) {
    byRole[parameter.role] = parameter
    byName[name] = parameter
  }
}
