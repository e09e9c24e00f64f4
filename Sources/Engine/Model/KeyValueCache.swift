import Kernels

/// Rows that a layer keeps of earlier tokens, in one piece of memory; the oldest go where nobody sees
/// them any more.
final class KeptRows: CacheState {
  /// The position of the first row that is kept.
  private(set) var origin = 0
  private(set) var count = 0
  /// How many rows back the layer sees, the newest included; `nil` sees all.
  let reach: Int?
  private var memory: Matrix

  init(_ columns: Int, _ numbers: Numbers, reach: Int? = nil) {
    self.reach = reach
    memory = Matrix(0, columns, numbers)
  }

  /// The rows, oldest first; good until more come.
  var rows: Matrix { memory.rows(0..<count) }

  /// Makes room for rows behind the others, and lets go of those that not even the first of the new
  /// ones sees.
  ///
  /// - Returns: where they go.
  func grow(by new: Int) -> Matrix {
    if count + new > memory.rows {
      let kept = min(count, reach.map { $0 - 1 } ?? count)
      let room = Matrix(max(64, 2 * (kept + new)), memory.columns, memory.numbers)
      room.rows(0..<kept).copy(memory.rows(count - kept..<count))
      memory = room
      origin += count - kept
      count = kept
    }
    count += new
    return memory.rows(count - new..<count)
  }

  func drop(_ tokens: Int) -> Bool {
    guard tokens <= count else { return false }
    count -= tokens
    // The next token may see rows that went when later ones came.
    return origin == 0 || reach.map { count >= $0 - 1 } ?? false
  }
}

/// The finished keys and values of one layer.
final class KeyValueCache: CacheState {
  let keys: KeptRows
  let values: KeptRows
  /// How many heads keys and values have.
  private let groups: Int

  init(keys: Heads, values: Heads, _ rule: AttentionRule) {
    groups = keys.count
    self.keys = KeptRows(keys.count * keys.headSize, keys.node.numbers, reach: rule.reach)
    self.values = KeptRows(values.count * values.headSize, values.node.numbers, reach: rule.reach)
  }

  /// Adds the keys and values of a pass.
  func append(keys: Heads, values: Heads) {
    keys.gather(into: self.keys.grow(by: keys.node.rows))
    values.gather(into: self.values.grow(by: values.node.rows))
  }

  func drop(_ tokens: Int) -> Bool { keys.drop(tokens) && values.drop(tokens) }

  /// Attention of queries that stand at the last of the kept positions.
  func attended(
    _ queries: Heads, _ rule: AttentionRule, _ tape: Tape, sinks: Parameter? = nil,
    selection: KeySelection? = nil
  ) -> Node {
    func heads(_ rows: Matrix) -> Heads {
      Heads(Node(rows, isTracked: false), count: groups, headSize: rows.columns / groups)
    }
    return tape.attention(
      queries: queries, keys: heads(keys.rows), values: heads(values.rows), rule,
      AttentionSpans(queries: queries.node.rows, keys: keys.count, origin: keys.origin),
      sinks: sinks, selection: selection)
  }
}

extension Heads {
  /// Copies the heads side by side.
  fileprivate func gather(into rows: Matrix) {
    for head in 0..<count {
      rows.columns(head * headSize..<(head + 1) * headSize)
        .copy(node.value.columns(column(head)..<column(head) + headSize))
    }
  }
}

extension Pass {
  /// Attention of this pass' queries to its keys and, where there is a cache, to all earlier ones.
  ///
  /// - Parameters:
  ///   - keys: finished, of this pass' tokens; with a cache they are added to it.
  ///   - source: the block whose keys and values these are, where it is an earlier one: they are in its
  ///     cache already.
  ///   - selection: counts the keys of a cache too.
  /// - Returns: [tokens, heads · value size].
  func attention(
    queries: Heads, keys: Heads, values: Heads, _ rule: AttentionRule, from source: Int? = nil,
    sinks: Parameter? = nil, selection: KeySelection? = nil
  ) -> Node {
    guard let cache else {
      return tape.attention(
        queries: queries, keys: keys, values: values, rule, AttentionSpans(batch), sinks: sinks,
        selection: selection)
    }
    let state = cache.state(source ?? block, "attention") {
      KeyValueCache(keys: keys, values: values, rule)
    }
    if source == nil { state.append(keys: keys, values: values) }
    return state.attended(queries, rule, tape, sinks: sinks, selection: selection)
  }
}
