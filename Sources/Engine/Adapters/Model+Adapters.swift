import Blueprint
import Kernels

extension Model {
  /// All that training changes: parameters and the factors of adapters.
  public var learned: [LearnedMatrix] {
    parameters.flatMap { parameter in
      [parameter as LearnedMatrix] + (parameter.change?.pairs.flatMap(\.learned) ?? [])
    }.filter(\.isTrained)
  }

  /// The places of all matrices that adapters can be put on.
  ///
  /// - Parameters:
  ///   - isFused: one for each packed matrix, as Megatron-Bridge's LoRA; else one for each tensor.
  ///   - accepts: given the slot and the name of the tensor (of a fused place, of its first).
  public func adapterPlaces(
    isFused: Bool = false, where accepts: (PlacedSlot, String) -> Bool = { _, _ in true }
  ) -> [AdapterPlace] {
    parameters.flatMap { parameter -> [AdapterPlace] in
      let slot = parameter.slot.slot
      guard slot.takesAdapters else { return [] }
      guard !isFused else {
        return accepts(parameter.slot, parameter.name) ? [AdapterPlace(parameter.name)] : []
      }
      return (0..<slot.partsOfMatrix).compactMap { part in
        accepts(parameter.slot, slot.parts[part].name)
          ? AdapterPlace(parameter.name, .part(part)) : nil
      }
    }
  }

  /// Puts adapters on the model, in place of those of the same parameters, and freezes everything else.
  ///
  /// - Parameters:
  ///   - pairs: each with its place; several may share a parameter.
  ///   - seed: of fresh factors.
  ///   - keepsTraining: the parameters that are trained as a whole besides.
  /// - Throws: `EngineError.noPlaceForAdapter`.
  public func attach(
    _ pairs: [PlannedPair], seed: UInt64 = 0, keepsTraining: (Parameter) -> Bool = { _ in false }
  ) throws(EngineError) {
    let byName = Dictionary(
      parameters.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var planned: [String: [PlannedPair]] = [:]
    for pair in pairs {
      guard let parameter = byName[pair.place.parameter], parameter.slot.slot.takesAdapters else {
        throw .noPlaceForAdapter(
          pair.place.parameter, reason: "no matrix of the model that adapters can be put on")
      }
      planned[parameter.name, default: []].append(pair)
    }
    for parameter in parameters where !keepsTraining(parameter) { parameter.isTrained = false }
    for (name, pairs) in planned {
      guard let parameter = byName[name] else { continue }
      var built: [LowRankPair] = []
      for pair in pairs { built.append(try LowRankPair(pair, on: parameter, seed: seed)) }
      let change = LowRankChange(built, on: parameter, matrices: parameter.slot.slot.matrices)
      let wanting = zip(built, pairs).filter { $1.hasMagnitude && !$1.start.hasMagnitude }.map(\.0)
      change.startMagnitudes(of: wanting)
      parameter.change = change
    }
  }

  /// Adds what the adapters have learned to the weights, and takes the adapters off.
  public func mergeAdapters() {
    for parameter in parameters {
      guard let change = parameter.change else { continue }
      parameter.value = change.merged()
      parameter.change = nil
    }
  }
}

extension PlannedPair.Start {
  fileprivate var hasMagnitude: Bool {
    if case .given(_, _, .some) = self { true } else { false }
  }
}

extension LowRankPair {
  /// Makes the factors of a planned pair.
  convenience init(
    _ plan: PlannedPair, on parameter: Parameter, seed: UInt64
  ) throws(EngineError) {
    let slot = parameter.slot.slot
    func fault(_ reason: String) -> EngineError {
      .noPlaceForAdapter(parameter.name, reason: reason)
    }
    guard plan.rank > 0 else { throw fault("a pair of the rank \(plan.rank) changes nothing") }
    guard let spans = slot.spans(plan.place.rows) else {
      throw fault("it has no rows of its own for \(plan.place.rows)")
    }
    let height = Span.height(spans)
    let (numbers, width) = (parameter.value.numbers, parameter.value.columns)
    let inputRows = (plan.place.sharesInputs ? 1 : slot.matrices) * plan.rank
    let outputRows = (plan.place.sharesOutputs ? 1 : slot.matrices) * height
    let base = slot.adapterName(plan.place.rows)
    let (a, b): (Matrix, Matrix)
    var m: Matrix?
    switch plan.start {
    case .given(let inputs, let outputs, let magnitude):
      (a, b) = (inputs.copied(as: numbers), outputs.copied(as: numbers))
      m = magnitude
      guard a.rows == inputRows, a.columns == width, b.rows == outputRows, b.columns == plan.rank,
        m.map({ $0.count == slot.matrices * height }) ?? true
      else {
        throw fault(
          "A must be [\(inputRows), \(width)] and is [\(a.rows), \(a.columns)]; B must be "
            + "[\(outputRows), \(plan.rank)] and is [\(b.rows), \(b.columns)]")
      }
    case .fresh(let fresh):
      a = Matrix(inputRows, width, numbers)
      b = Matrix(outputRows, plan.rank, numbers)
      b.clear()
      RandomStream(seed: seed, base + ".lora_A").fill(
        a, fresh.spread(inputs: width, rank: plan.rank))
    }
    if plan.hasMagnitude || m != nil {
      let lengths = Matrix(1, slot.matrices * height, numbers.accumulated)
      if let m { lengths.copy(m.reshaped(1, m.count)) } else { lengths.clear() }
      m = lengths
    }
    func learned(_ name: String, _ value: Matrix, decays: Bool) -> LearnedMatrix {
      let matrix = LearnedMatrix(base + name, value, isTrained: true, decays: decays)
      matrix.gradientNumbers = numbers.accumulated
      return matrix
    }
    self.init(
      plan.place, spans, scale: plan.scale, inputs: learned(".lora_A", a, decays: true),
      outputs: learned(".lora_B", b, decays: true),
      magnitude: m.map { learned(".lora_magnitude", $0, decays: false) })
  }
}

extension Slot {
  /// What the factors of a pair are called: the tensor's name, with the rows where it is not one's own.
  fileprivate func adapterName(_ rows: AdapterPlace.Rows) -> String {
    func module(_ part: Int) -> String {
      let name = parts.indices.contains(part) ? parts[part].name : "\(role)"
      return name.hasSuffix(".weight") ? String(name.dropLast(".weight".count)) : name
    }
    switch rows {
    case .part(let part): return module(part)
    case .all: return partsOfMatrix == 1 ? module(0) : module(0) + "+\(partsOfMatrix - 1)"
    case .packed(let ranges):
      return module(0) + "[\(ranges.map { "\($0)" }.joined(separator: ","))]"
    }
  }
}
