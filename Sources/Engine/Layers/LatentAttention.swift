import Blueprint
import Kernels

extension LatentAttention: Continuing {
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
    let y = try attended(queries, pass.latents(keyLatent, shared), selection, pass)
    return tape.linear(y, try pass.required(.attentionOutput(.weight)))
  }

  private func norm(_ width: Int, _ name: String) -> Norm {
    Norm(width, eps: eps, "\(prefix).\(name)")
  }

  /// Attention to keys and values out of latents, in the way that costs less.
  private func attended(
    _ queries: Heads, _ latents: Latents, _ selection: KeySelection?, _ pass: Pass
  ) throws(EngineError) -> Node {
    let up = try pass.required(.keyValueUp)
    if let kept = latents.kept, up.change == nil {
      // Products by head, for each key: those of each query's longer way, and those of a key's way up.
      let longer = 2 * keyValueRank - plainSize - valueSize
      if queries.node.rows * longer < keyValueRank * (plainSize + valueSize) {
        return absorbed(queries, kept, up.value, latents.spans, selection, pass)
      }
    }
    let both = Heads(
      pass.tape.linear(latents.node, up), count: heads, headSize: plainSize + valueSize)
    return pass.tape.attention(
      queries: queries, keys: pass.tape.joined(both.part(0..<plainSize), latents.shared),
      values: both.part(plainSize..<plainSize + valueSize), AttentionRule(self), latents.spans,
      selection: selection)
  }

  /// Attention to a cache of latents: (W k) · q = k · (Wᵀ q), so queries go down to the latents, all
  /// heads look at the same ones, and what they find there goes up to values.
  private func absorbed(
    _ queries: Heads, _ kept: Matrix, _ up: Matrix, _ spans: AttentionSpans,
    _ selection: KeySelection?, _ pass: Pass
  ) -> Node {
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
      spans, selection: selection
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

/// What keys and values come out of: those of a pass' tokens, or of all in a cache.
private struct Latents {
  /// [keys, rank].
  var node: Node
  /// The turned key that all heads share.
  var shared: Heads
  var spans: AttentionSpans
  /// Both in one, where there is a cache of more tokens than the pass has.
  var kept: Matrix?
}

extension Pass {
  /// The latents that the pass' tokens look at; theirs are added to the cache where there is one.
  fileprivate func latents(_ latent: Node, _ shared: Heads) -> Latents {
    guard let cache else {
      return Latents(node: latent, shared: shared, spans: AttentionSpans(batch))
    }
    let (rank, size) = (latent.columns, shared.headSize)
    let state = cache.state(block, "latent attention") { KeptRows(rank + size, latent.numbers) }
    let room = state.grow(by: latent.rows)
    room.columns(0..<rank).copy(latent.value)
    room.columns(rank..<rank + size).copy(shared.node.value.columns(shared.columns(0)))
    let kept = state.rows
    return Latents(
      node: Node(kept.columns(0..<rank), isTracked: false),
      shared: Heads(
        node: Node(kept, isTracked: false), count: 1, headSize: size, first: rank, groupStep: 0),
      spans: AttentionSpans(queries: latent.rows, keys: kept.rows, origin: 0),
      kept: kept.rows > latent.rows ? kept : nil)
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
