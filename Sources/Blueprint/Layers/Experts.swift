import Tensors

/// A mixture of experts: a router sends each token to a few of many feed-forward layers.
public struct Experts: Layer {
  public var width: Int
  public var count: Int
  public var inner: Int
  public var activation: Activation
  public var router: Router
  public var input: Input
  /// The down projection's name below `experts.{expert}`.
  public var down: String
  /// The folder of the experts' tensors: `mlp.experts`.
  public var prefix: String
  /// The expert that every token passes.
  public var shared: MLP?
  /// The narrower space the routed experts work in, with the names of the ways in and out.
  public var latent: (size: Int, down: String, up: String)?

  /// The names of an expert's input projection below `experts.{expert}`.
  public enum Input: Hashable, Sendable {
    case gated(gate: String, up: String)
    case plain(String)

    public var isGated: Bool { if case .plain = self { false } else { true } }
  }

  public init(
    _ width: Int, count: Int, inner: Int, _ activation: Activation, router: Router,
    input: Input = .gated(gate: "gate_proj", up: "up_proj"), down: String = "down_proj",
    prefix: String = "mlp.experts", shared: MLP? = nil,
    latent: (size: Int, down: String, up: String)? = nil
  ) {
    self.width = width
    self.count = count
    self.inner = inner
    self.activation = activation
    self.router = router
    self.input = input
    self.down = down
    self.prefix = prefix
    self.shared = shared
    self.shared?.isShared = true
    self.latent = latent
  }

  public var normBefore: NormPlace { .beforeExperts }

  public var slots: [Slot] {
    let expertWidth = latent?.size ?? width
    var slots = [Slot(.router, [Part(router.name + ".weight", [count, width])])]
    if let correction = router.correction {
      slots.append(Slot(.routerCorrection, [Part(correction, [count])], isFloat32: true))
    }
    if let latent {
      slots.append(Slot(.latentDown, [Part(latent.down + ".weight", [latent.size, width])]))
    }
    slots.append(firstBank(expertWidth))
    slots.append(
      Slot(
        .expertFC2,
        (0..<count).map { Part("\(prefix).\($0).\(down).weight", [expertWidth, inner]) },
        shape: [count, expertWidth, inner], split: .expertColumns))
    if let latent {
      slots.append(Slot(.latentUp, [Part(latent.up + ".weight", [width, latent.size])]))
    }
    return slots + (shared?.slots ?? [])
  }

  private func firstBank(_ expertWidth: Int) -> Slot {
    let names =
      switch input {
      case .gated(let gate, let up): [gate, up]
      case .plain(let up): [up]
      }
    return Slot(
      .expertFC1,
      (0..<count).flatMap { expert in
        names.map { Part("\(prefix).\(expert).\($0).weight", [inner, expertWidth]) }
      },
      shape: [count, names.count * inner, expertWidth], split: .expertRows,
      fragments: input.isGated ? Fragment.gated(inner) : [])
  }
}

/// How tokens choose experts.
public struct Router: Hashable, Sendable {
  public enum Score: Hashable, Sendable {
    case softmax
    case sigmoid
  }

  public var name: String
  public var score: Score
  public var perToken: Int
  /// Whether the chosen experts' weights are scaled to sum to one.
  public var isNormalized: Bool
  /// The factor on the chosen weights.
  public var scale: Double
  /// The tensor added to the scores when choosing, and only then.
  public var correction: String?
  /// Experts in groups, of which each token first keeps those with the two best scores in sum.
  public var groups: Groups?
  /// The factor on the training loss that keeps experts evenly used.
  public var balance: Double

  public struct Groups: Hashable, Sendable {
    public var count: Int
    public var kept: Int

    public init(count: Int, kept: Int) {
      self.count = count
      self.kept = kept
    }
  }

  public init(
    _ name: String, _ score: Score, perToken: Int, isNormalized: Bool, scale: Double = 1,
    correction: String? = nil, groups: Groups? = nil, balance: Double = 0
  ) {
    self.name = name
    self.score = score
    self.perToken = perToken
    self.isNormalized = isNormalized
    self.scale = scale
    self.correction = correction
    self.groups = groups
    self.balance = balance
  }
}
