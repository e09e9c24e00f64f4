import Blueprint
import Kernels

extension LatentAttention: Computed {
  func forward(_ x: Node, _ pass: Pass) throws(EngineError) -> Node {
    let tape = pass.tape
    let turning = rotary.dimensions
    var latent: Node?
    if let queryRank {
      latent = pass.normalised(
        tape.linear(x, try pass.required(.queryDown)), norm(queryRank, "q_a_layernorm"))
    }
    let packed = tape.linear(latent ?? x, try pass.required(latent == nil ? .query : .queryUp))
    let queries = Heads(packed, count: heads, headSize: plainSize + turning)
    tape.rotate(queries.part(plainSize..<plainSize + turning), pass.rotation(rotary))

    let down = tape.linear(x, try pass.required(.keyValueDown))
    let keyLatent = pass.normalised(down, norm(keyValueRank, "kv_a_layernorm"))
    let shared = Heads(node: down, count: 1, headSize: turning, first: keyValueRank, groupStep: 0)
    tape.rotate(shared, pass.rotation(rotary))

    let selection = try indexer?.selection(x, latent ?? x, pass)
    let kept = try pass.keptLatents(keyLatent, shared)
    let y: Node
    if let kept, kept.rows > x.rows {
      y = try absorbed(queries, kept, selection, pass)
    } else {
      y = try expanded(queries, keyLatent, shared, selection, pass)
    }
    return tape.linear(y, try pass.required(.attentionOutput(.weight)))
  }

  private func norm(_ width: Int, _ name: String) -> Norm {
    Norm(width, eps: eps, "\(prefix).\(name)")
  }

  /// Attention to keys and values that come out of the latents.
  private func expanded(
    _ queries: Heads, _ latent: Node, _ shared: Heads, _ selection: KeySelection?, _ pass: Pass
  ) throws(EngineError) -> Node {
    let up = pass.tape.linear(latent, try pass.required(.keyValueUp))
    let both = Heads(up, count: heads, headSize: plainSize + valueSize)
    return pass.tape.attention(
      queries: queries, keys: pass.tape.joined(both.part(0..<plainSize), shared),
      values: both.part(plainSize..<plainSize + valueSize), AttentionRule(self),
      AttentionSpans(pass.batch), selection: selection)
  }

  /// Attention to a cache of latents: (W k) · q = k · (Wᵀ q), so queries go down to the latents, all
  /// heads look at the same ones, and what they find there goes up to values.
  private func absorbed(
    _ queries: Heads, _ kept: Matrix, _ selection: KeySelection?, _ pass: Pass
  ) throws(EngineError) -> Node {
    let up = try pass.required(.keyValueUp).value
    let (rank, turning, tokens) = (keyValueRank, rotary.dimensions, queries.node.rows)
    func rows(_ head: Int, _ part: Range<Int>) -> Matrix {
      let first = head * (plainSize + valueSize)
      return up.rows(first + part.lowerBound..<first + part.upperBound)
    }
    let down = Matrix(tokens, heads * kept.columns, kept.numbers)
    for head in 0..<heads {
      let query = queries.node.value.columns(queries.columns(head))
      let target = down.columns(head * kept.columns..<(head + 1) * kept.columns)
      Product.multiply(
        query.columns(0..<plainSize), by: rows(head, 0..<plainSize), into: target.columns(0..<rank))
      target.columns(rank..<rank + turning)
        .copy(query.columns(plainSize..<plainSize + turning))
    }
    let cache = Node(kept, isTracked: false)
    let found = pass.tape.attention(
      queries: Heads(Node(down, isTracked: false), count: heads, headSize: kept.columns),
      keys: Heads(cache, count: 1, headSize: kept.columns),
      values: Heads(node: cache, count: 1, headSize: rank, groupStep: 0), AttentionRule(self),
      AttentionSpans(queries: tokens, keys: kept.rows, origin: 0), selection: selection
    ).value
    let y = Matrix(tokens, heads * valueSize, kept.numbers)
    for head in 0..<heads {
      Product.multiply(
        found.columns(head * rank..<(head + 1) * rank),
        by: rows(head, plainSize..<plainSize + valueSize), rightTransposed: true,
        into: y.columns(head * valueSize..<(head + 1) * valueSize))
    }
    return Node(y, isTracked: false)
  }
}

extension Pass {
  /// Adds the latents of this pass' tokens and their turned keys to the cache.
  ///
  /// - Returns: those of all tokens, [tokens so far, rank + turning]; `nil` where there is no cache.
  fileprivate func keptLatents(_ latent: Node, _ shared: Heads) throws(EngineError) -> Matrix? {
    guard let cache else { return nil }
    let rank = latent.columns
    let state = cache.state(block, "latent attention") {
      KeptRows(rank + shared.headSize, latent.numbers)
    }
    let room = state.grow(by: latent.rows)
    room.columns(0..<rank).copy(latent.value)
    room.columns(rank..<room.columns).copy(shared.node.value.columns(shared.columns(0)))
    return state.rows
  }
}

extension Heads {
  /// The columns of a head.
  func columns(_ head: Int) -> Range<Int> { column(head)..<column(head) + headSize }

  /// Some of the numbers of each head.
  func part(_ range: Range<Int>) -> Heads {
    var part = self
    part.first += range.lowerBound
    part.headSize = range.count
    return part
  }
}
