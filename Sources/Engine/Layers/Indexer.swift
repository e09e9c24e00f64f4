import Blueprint
import CKernels
import Kernels

extension Indexer {
  /// How many tokens' scores exist at once.
  private static let chunk = 64

  /// The keys that each token looks at; `nil` where all see so few that none is left out.
  ///
  /// A choice has no gradient: neither the input nor the indexer's own matrices get one.
  ///
  /// - Parameters:
  ///   - x: what the attention layer reads.
  ///   - latent: the normed latent of its queries.
  func selection(_ x: Node, _ latent: Node, _ pass: Pass) throws(EngineError) -> KeySelection? {
    let numbers = pass.model.numbers
    // Nothing of this is recorded.
    let tape = Tape(numbers, isRecording: false)
    tape.place = pass.tape.place
    tape.observer = pass.tape.observer
    let input = Node(x.value, isTracked: false)
    let key = tape.normalised(
      tape.linear(input, try pass.required(.indexer(.key))),
      NormRule(.layer(bias: true), eps: eps), weight: pass.parameter(.indexer(.keyNormWeight)),
      bias: pass.parameter(.indexer(.keyNormBias)), Stretches(width: headSize))
    tape.rotate(Heads(key, count: 1, headSize: headSize), pass.rotation(rotary))
    var keys = key.value
    if let cache = pass.cache {
      let state = cache.state(pass.block, "indexer") { KeptRows(headSize, numbers) }
      state.grow(by: keys.rows).copy(keys)
      keys = state.rows
    }
    let longest = pass.batch.longest
    guard longest > kept else { return nil }
    let queries = tape.linear(
      Node(latent.value, isTracked: false), try pass.required(.indexer(.queryUp)))
    tape.rotate(Heads(queries, count: heads, headSize: headSize), pass.rotation(rotary))
    let weights = tape.linear(input, try pass.required(.indexer(.headWeights)))

    let selection = KeySelection(queries: x.rows, keys: longest)
    for rows in pass.batch.sequences {
      let seen = pass.cache == nil ? keys.rows(rows) : keys
      for first in stride(from: rows.lowerBound, to: rows.upperBound, by: Self.chunk) {
        let chunk = first..<min(rows.upperBound, first + Self.chunk)
        select(
          queries.value.rows(chunk), weights.value.rows(chunk), seen,
          before: pass.batch.offset + first - rows.lowerBound, into: selection, first)
      }
    }
    return selection
  }

  /// Marks the keys of a few tokens of one sequence.
  ///
  /// - Parameters:
  ///   - keys: of the whole sequence.
  ///   - before: how many keys are before the first token's own.
  ///   - row: the first token's in the selection.
  private func select(
    _ queries: Matrix, _ weights: Matrix, _ keys: Matrix, before: Int,
    into selection: KeySelection, _ row: Int
  ) {
    let type = queries.numbers.kernel
    let scores = Matrix(queries.rows, keys.rows, queries.numbers.accumulated)
    scores.clear()
    let products = Matrix(queries.rows, keys.rows, queries.numbers.accumulated)
    let factor = 1 / (Double(headSize) * Double(heads)).squareRoot()
    for head in 0..<heads {
      Product.multiply(
        queries.columns(head * headSize..<(head + 1) * headSize), by: keys, rightTransposed: true,
        into: products)
      Team.split(queries.rows) { rows in
        add_index_scores(
          type, products.address(rows.lowerBound), products.stride,
          weights.address(rows.lowerBound, head), weights.stride, factor,
          scores.address(rows.lowerBound), scores.stride, rows.count, keys.rows)
      }
    }
    Team.split(queries.rows) { rows in
      select_highest(
        type, scores.address(rows.lowerBound), scores.stride, products.address(rows.lowerBound),
        products.stride, rows.count, before + rows.lowerBound + 1, kept,
        selection.bits.address((row + rows.lowerBound) * selection.words), selection.words)
    }
  }
}
