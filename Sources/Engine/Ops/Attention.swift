import CKernels
import Kernels

extension Tape {
  /// softmax(scores) · values, head by head; no query sees what is behind it in its sequence, nor other
  /// sequences.
  ///
  /// No matrix of all scores is kept: they are computed in blocks, and again for the gradients
  /// (arXiv 2205.14135).
  ///
  /// - Parameters:
  ///   - queries: of `heads` heads, finished: normed and turned.
  ///   - keys: of `groups` heads of the queries' size, each for heads / groups queries that follow one
  ///     another; may have more rows than the queries, where a cache holds earlier ones.
  ///   - values: of `groups` heads, of any size.
  ///   - spans: the rows of each sequence.
  ///   - sinks: [heads], a score of each head that no value belongs to.
  ///   - selection: the keys that queries see at most.
  /// - Returns: [tokens, heads · value size].
  func attention(
    queries: Heads, keys: Heads, values: Heads, _ rule: AttentionRule, _ spans: AttentionSpans,
    sinks: Parameter? = nil, selection: KeySelection? = nil
  ) -> Node {
    precondition(queries.headSize == keys.headSize && keys.count == values.count)
    precondition(queries.count % keys.count == 0)
    let inputs = [queries.node, keys.node, values.node]
    let y = node(
      queries.node.rows, queries.count * values.headSize, from: inputs,
      isTrained: sinks?.isTrained ?? false)
    let statistics = Matrix(queries.count, y.rows, numbers.accumulated)
    let slopes = rule.slopes.isEmpty ? nil : Matrix(rule.slopes, .float64)
    /// What the kernels are told; its addresses are good while the matrices live.
    func job() -> CKernels.attention {
      var job = CKernels.attention()
      job.type = y.numbers.kernel
      (job.heads, job.groups) = (queries.count, keys.count)
      (job.key_size, job.value_size) = (keys.headSize, values.headSize)
      job.queries = queries.place(queries.node.value)
      job.keys = keys.place(keys.node.value)
      job.values = values.place(values.node.value)
      job.output = Heads(y, count: queries.count, headSize: values.headSize).place(y.value)
      rule.set(&job)
      job.slopes = slopes.map { .init($0.start) }
      job.sinks = sinks.map { .init($0.value.start) }
      job.selection = selection.map { .init($0.bits.address()) }
      job.selection_row = selection?.words ?? 0
      job.spans = .init(spans.numbers.address())
      job.span_count = spans.count
      job.statistics = statistics.start
      job.statistics_row = statistics.stride
      return job
    }
    forward("attention", y) {
      var job = job()
      let room = MemoryPool.shared.take(attention_room(&job, false))
      attention_forward(&job, room.start)
    }
    backward("attention", y) { dy in
      var job = job()
      var output = Heads(y, count: queries.count, headSize: values.headSize).place(dy)
      let all = [queries, keys, values]
      let adds = !all.allSatisfy { $0.node.gradient == nil && $0.node.isFilled(by: all) }
      func gradient(_ heads: Heads) -> head_place {
        guard heads.node.isTracked else { return head_place() }
        return heads.place(adds ? heads.node.gradientSum() : heads.node.gradientPlace().target)
      }
      var (dq, dk, dv) = (gradient(queries), gradient(keys), gradient(values))
      let ofSinks =
        sinks?.isTrained ?? false
        ? Matrix(spans.count, queries.count, self.numbers.accumulated) : nil
      let room = MemoryPool.shared.take(attention_room(&job, true))
      attention_backward(&job, &output, &dq, &dk, &dv, adds, ofSinks?.start, room.start)
      if let sinks, let ofSinks { Tape.addColumnSums(ofSinks, to: sinks.gradientSum()) }
    }
    return y
  }
}

extension Heads {
  /// As the kernels name it, in a matrix of the node's shape.
  func place(_ matrix: Matrix) -> head_place {
    head_place(
      start: matrix.start, row: matrix.stride, first: first, per_group: perGroup,
      group_step: groupStep, head_step: headStep)
  }
}

extension Node {
  /// Whether these heads are all that its rows hold.
  fileprivate func isFilled(by heads: [Heads]) -> Bool {
    heads.filter { $0.node === self }.reduce(0) { $0 + $1.count * $1.headSize } == columns
  }
}
