import Blueprint
import CKernels
import Kernels

/// What routers add to the loss when a model is trained.
///
/// The numbers of reference files are those of the model's loss alone, so nothing is added unless asked.
public struct RouterLosses: Hashable, Sendable {
  /// The factor on each router's own `balance`.
  public var balance = 0.0
  /// The factor on the mean of (ln Σ e^logit)² (arXiv 2202.08906).
  public var level = 0.0
  /// How much of a step this pass is: the factor on both.
  public var share = 1.0

  public init() {}
}

extension Router {
  /// The experts of each token and their weights, [tokens, perToken], of the type of sums.
  ///
  /// Logits are computed in float32 whatever the model's precision: a rounded logit sends tokens to other
  /// experts, and the product is small.
  ///
  /// - Parameter x: what the experts read, [tokens, width].
  func routed(
    _ x: Node, experts: Int, _ pass: Pass
  ) throws(EngineError) -> (weights: Node, choice: Indices) {
    let tape = pass.tape
    let logits = tape.preciseLinear(
      try read(x, pass), try pass.required(.router(.weight)), bias: pass.parameter(.router(.bias)))
    let rule = rule(experts: experts)
    penalise(logits, rule, pass)
    return tape.routed(
      logits, rule, correction: pass.parameter(.routerCorrection),
      expertScale: pass.parameter(.routerScale(.experts)))
  }

  /// What the logits are made of: the experts' input, or x / rms(x) · s / √width of the stream.
  private func read(_ x: Node, _ pass: Pass) throws(EngineError) -> Node {
    guard let input else { return x }
    guard let stream = pass.stream else {
      throw .unknownPiece("a router that reads the stream, outside a residual", block: pass.place)
    }
    let normed = pass.tape.normalised(
      stream, NormRule(.rms, eps: input.eps), weight: try pass.required(.routerScale(.input)),
      bias: nil, Stretches(width: stream.columns))
    return pass.tape.scaled(normed, by: 1 / Double(stream.columns).squareRoot())
  }

  private func penalise(_ logits: Node, _ rule: router_rule, _ pass: Pass) {
    let losses = pass.routerLosses
    let penalty = RouterPenalty(
      balance: losses.share * losses.balance * balance, level: losses.share * losses.level,
      stretches: balancesSequences ? pass.batch.sequences : [0..<logits.rows])
    guard penalty.balance != 0 || penalty.level != 0 else { return }
    // By name, because a pass that recomputes comes here twice.
    pass.auxiliaryLosses["\(pass.place).\(name)"] = pass.tape.routerPenalty(logits, rule, penalty)
  }

  /// As the kernels are told.
  func rule(experts: Int) -> router_rule {
    let (kind, jitter): (router_score, Double) =
      switch score {
      case .softmax: (ROUTER_SOFTMAX, 0)
      case .sigmoid: (ROUTER_SIGMOID, 0)
      case .sparseMixer(let jitter): (ROUTER_SPARSE_MIXER, jitter)
      }
    return router_rule(
      score: kind, experts: experts, per_token: perToken, normalises: isNormalized,
      // Sigmoids may all be 0; DeepSeek adds this much to their sum.
      minimum: max(normMinimum, 1e-20), scale: scale, groups: groups?.count ?? 1,
      kept: groups?.kept ?? 1, ranked: groups?.ranked ?? 1, jitter: jitter)
  }
}
