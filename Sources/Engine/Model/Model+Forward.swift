import Blueprint
import Kernels

extension Model {
  /// What enters each block and what leaves the last one, before the final norm.
  ///
  /// - Parameter keeps: whether all are kept rather than the last alone.
  public func hidden(_ pass: Pass, keepingAll keeps: Bool = false) throws(EngineError) -> [Node] {
    try blueprint.check(pass.batch)
    let tape = pass.tape
    var x = try embedded(pass)
    var states = [x]
    var entered: [Int: Node] = [:]
    for index in blueprint.blocks.indices {
      let skips = blueprint.skips
      if skips.contains(where: { $0.from == index }) { entered[index] = x }
      for skip in skips where skip.to == index {
        guard let earlier = entered[skip.from] else { continue }
        let share = pass.isTraining ? skip.trainingShare : skip.share
        x = tape.sum(tape.scaled(x, by: 1 - share), earlier, scale: share)
      }
      x = try computed(index, x, pass)
      if keeps { states.append(x) } else { states = [x] }
    }
    return states
  }

  private func computed(_ index: Int, _ x: Node, _ pass: Pass) throws(EngineError) -> Node {
    func run(_ x: Node) throws(EngineError) -> Node {
      pass.block = index
      pass.tape.place = pass.place
      var y = x
      for layer in blueprint.blocks[index].layers { y = try pass.compute(layer, y) }
      return y
    }
    // Gradients of keys that other blocks reuse come back to the first ones only.
    guard recomputes, !lendsKeys.contains(index) else { return try run(x) }
    do {
      return try pass.tape.recomputing(
        x, isTrained: blocks[index].byName.values.contains(where: \.learns), run)
    } catch let error as EngineError {
      throw error
    } catch {
      throw .unknownPiece("\(error)", block: pass.place)
    }
  }

  private func embedded(_ pass: Pass) throws(EngineError) -> Node {
    let tape = pass.tape
    tape.place = "the embedding"
    guard let table = surroundings.byRole[.wordEmbeddings] else {
      throw .missingParameter("the embedding", block: "the model")
    }
    var x = tape.embedding(pass.batch.tokens, table, scale: blueprint.embeddingScale ?? 1)
    if let inputs = blueprint.layerInputs { pass.layerInputs = try inputs.computed(x, pass) }
    if let positions = surroundings.byRole[.positionEmbeddings] {
      x = tape.sum(x, tape.embedding(pass.batch.positions, positions))
    }
    return x
  }

  /// What the output layer reads.
  public func finished(_ last: Node, _ pass: Pass) -> Node {
    pass.tape.place = "the final norm"
    return pass.normalised(last, blueprint.final) { surroundings.byName[$0] }
  }

  /// The logits of all tokens, [tokens, vocabulary].
  public func logits(_ last: Node, _ pass: Pass) throws(EngineError) -> Matrix {
    let x = finished(last, pass)
    pass.tape.place = "the output layer"
    return pass.tape.logits(x, head: try outputLayer(pass), bias: headBias, logitRule)
  }

  /// The mean cross entropy of a batch's labels; gradients gather when the tape runs back.
  ///
  /// - Parameter divisor: the number of labels of the whole step; `nil` takes the batch's own.
  /// - Throws: `EngineError`.
  public func loss(
    _ last: Node, _ pass: Pass, divisor: Int? = nil
  ) throws(EngineError) -> Double {
    guard let divisor = divisor ?? Optional(pass.batch.trained), divisor > 0 else {
      throw .nothingToLearn
    }
    let x = finished(last, pass)
    pass.tape.place = "the output layer"
    return pass.tape.crossEntropy(
      x, head: try outputLayer(pass), bias: headBias, labels: pass.batch.labels,
      divisor: Double(divisor), logitRule)
  }

  /// The cross entropy of each label of a batch, in nats, in the labels' order; nothing is learned from them.
  ///
  /// Logits are made of the tokens with a label alone: where prompts are masked, of few.
  ///
  /// - Throws: `EngineError`.
  public func losses(_ batch: Batch) throws(EngineError) -> [Double] {
    let pass = Pass(self, Tape(numbers, isRecording: false), batch)
    guard let last = try hidden(pass).last else { throw .emptyBatch }
    let labelled = batch.labels.indices.filter { batch.labels[$0] >= 0 }
    guard !labelled.isEmpty else { return [] }
    let rows = Matrix(labelled.count, last.value.columns, last.value.numbers)
    for (index, row) in labelled.enumerated() {
      rows.rows(index..<index + 1).copy(last.value.rows(row..<row + 1))
    }
    let x = finished(Node(rows, isTracked: false), pass)
    pass.tape.place = "the output layer"
    return pass.tape.crossEntropies(
      x, head: try outputLayer(pass), bias: headBias, labels: labelled.map { batch.labels[$0] },
      logitRule)
  }

  private func outputLayer(_ pass: Pass) throws(EngineError) -> Parameter {
    guard let head else { throw .missingParameter("the output layer", block: "the model") }
    guard blueprint.normalizesHead else { return head }
    guard head.change == nil else {
      throw .unknownPiece("an adapter on an output layer of rows of length one", block: "the model")
    }
    guard let cache = pass.cache else { return pass.tape.unitRows(head) }
    // It stays the same while one sequence grows.
    return cache.state(blueprint.blocks.count, "unit rows") {
      UnitRows(pass.tape.unitRows(head))
    }.rows
  }

  private final class UnitRows: CacheState {
    let rows: Parameter

    init(_ rows: Parameter) { self.rows = rows }

    func drop(_ tokens: Int) -> Bool { true }
  }

  private var headBias: Parameter? { surroundings.byRole[.outputLayer(.bias)] }

  private var logitRule: LogitRule {
    var rule = LogitRule()
    rule.scale = blueprint.logitScale ?? 1
    rule.cap = blueprint.logitSoftCap ?? 0
    rule.silenced = blueprint.silencedTokens.map(Int32.init)
    return rule
  }
}
