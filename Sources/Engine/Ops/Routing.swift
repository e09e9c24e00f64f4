import CKernels
import Kernels

extension Tape {
  /// The experts that each token chooses by its logits, and what they weigh.
  ///
  /// The gradient goes through the weights of the chosen alone; the choice is what it is. Of equal scores
  /// the lower expert's counts as more, where torch.topk leaves open which one wins.
  ///
  /// - Parameters:
  ///   - logits: [tokens, experts], of the type of sums.
  ///   - correction: [experts], added to the scores when choosing, and only then.
  ///   - expertScale: [experts], the factor on each expert's weight.
  /// - Returns: the weights, [tokens, perToken], of the type of sums, and the experts in the same order.
  func routed(
    _ logits: Node, _ rule: router_rule, correction: Parameter? = nil,
    expertScale: Parameter? = nil
  ) -> (weights: Node, choice: Indices) {
    let perToken = rule.per_token
    let learnsScale = expertScale?.isTrained ?? false
    let weights = node(
      logits.rows, perToken, from: [logits], isTrained: learnsScale, numbers: logits.numbers)
    let choice = Indices(repeatElement(0, count: logits.rows * perToken))
    let type = logits.numbers.kernel
    forward("router", weights) {
      Team.split(logits.rows, grain: Sums.rows(8 * logits.columns)) { rows in
        var rule = rule
        router_forward(
          type, &rule, logits.value.address(rows.lowerBound), logits.value.stride,
          correction?.value.start, expertScale?.value.start,
          choice.address(rows.lowerBound * perToken), weights.value.address(rows.lowerBound),
          rows.count)
      }
    }
    backward("router", weights) { gradient in
      let (target, accumulates) =
        logits.isTracked
        ? logits.gradientPlace() : (Matrix(logits.rows, logits.columns, logits.numbers), false)
      let scales = Matrix(1, logits.columns, logits.numbers)
      scales.clear()
      Sums.reduce(logits.rows, into: scales) { rows, sums in
        var rule = rule
        router_backward(
          type, &rule, logits.value.address(rows.lowerBound), logits.value.stride,
          expertScale?.value.start, choice.address(rows.lowerBound * perToken),
          gradient.address(rows.lowerBound), target.address(rows.lowerBound), target.stride,
          learnsScale ? sums.start : nil, rows.count, accumulates)
      }
      if let expertScale, learnsScale { Sums.add(1, scales, to: expertScale.gradientSum()) }
    }
    return (weights, choice)
  }
}

/// What a router adds to the loss besides the model's own, so that it uses its experts evenly and its
/// logits stay small.
struct RouterPenalty {
  /// The factor on E / (k · n²) · Σₑ countₑ · Σₜ pₜₑ, with n tokens, E experts of which each token takes k,
  /// and p the probabilities: arXiv 2101.03961 as Megatron computes it, for each layer by itself.
  var balance = 0.0
  /// The factor on the mean of (ln Σ e^logit)² (arXiv 2202.08906).
  var level = 0.0
  /// The rows over which balance is taken, each by itself; the loss is their mean.
  var stretches: [Range<Int>]
}

extension Tape {
  /// A router's penalty; its gradient goes to the logits at once.
  ///
  /// - Parameter logits: [tokens, experts], of the type of sums.
  func routerPenalty(_ logits: Node, _ rule: router_rule, _ penalty: RouterPenalty) -> Double {
    let type = logits.numbers.kernel
    let count = logits.columns
    let target = isRecording && logits.isTracked ? logits.gradientSum() : nil
    var loss = 0.0
    for stretch in penalty.stretches where !stretch.isEmpty {
      let rows = Double(stretch.count)
      let value = logits.value.rows(stretch)
      let sums = Matrix(1, 2 * count + 1, logits.numbers)
      sums.clear()
      Sums.reduce(stretch.count, into: sums) { range, sums in
        var rule = rule
        router_usage(
          type, &rule, value.address(range.lowerBound), value.stride, range.count, sums.start)
      }
      let factor =
        penalty.balance * Double(count)
        / (Double(rule.per_token) * rows * rows * Double(penalty.stretches.count))
      let level = penalty.level / Double(logits.rows)
      let slopes = Matrix(1, count, logits.numbers)
      for expert in 0..<count {
        loss += factor * sums[0, expert] * sums[0, count + expert]
        slopes[0, expert] = factor * sums[0, count + expert]
      }
      loss += level * sums[0, 2 * count]
      guard let part = target?.rows(stretch) else { continue }
      Team.split(stretch.count, grain: Sums.rows(8 * count)) { range in
        var rule = rule
        router_usage_backward(
          type, &rule, value.address(range.lowerBound), value.stride, slopes.start,
          level, part.address(range.lowerBound), part.stride, range.count)
      }
    }
    return loss
  }
}
