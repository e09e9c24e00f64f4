import Tensors

/// A mixture of experts: a router sends each token to a few of many feed-forward layers.
public struct Experts: Layer {
  public var width: Int
  public var count: Int
  public var inner: Int
  public var activation: Activation
  public var router: Router
  public var storage: Storage
  public var hasBias = false
  /// As in `MLP`: what the gate is cut at, and what is added to the gated half.
  public var limit: Double?
  public var offset = 0.0
  /// The expert that every token passes.
  public var shared: MLP?
  /// The matrix [1, width] whose sigmoid scales the shared expert's output: its name.
  public var sharedGate: String?
  /// The narrower space the routed experts work in, with the names of the ways in and out.
  public var latent: (size: Int, down: String, up: String)?

  /// How the Hugging Face side stores the experts.
  public enum Storage: Hashable, Sendable {
    /// A tensor for each expert's matrix, below `prefix.{expert}`.
    case listed(prefix: String, Input, down: String)
    /// Tensors of all experts, [count, rows, columns]: the gate's rows and then the up rows.
    ///
    /// Transposed they are [count, columns, rows]; alternating, the input's rows are gate, up, gate,
    /// up, … Biases are called as the tensor, with `_bias` behind.
    case stacked(
      input: String, down: String, isTransposed: Bool = false, alternates: Bool = false)

    public var isGated: Bool {
      switch self {
      case .listed(_, .plain, _): false
      case .listed(_, .gated, _), .stacked: true
      }
    }
  }

  /// The names of an expert's input projection below `experts.{expert}`.
  public enum Input: Hashable, Sendable {
    case gated(gate: String, up: String)
    case plain(String)
  }

  public init(
    _ width: Int, count: Int, inner: Int, _ activation: Activation, router: Router,
    storage: Storage, shared: MLP? = nil, sharedGate: String? = nil,
    latent: (size: Int, down: String, up: String)? = nil
  ) {
    self.width = width
    self.count = count
    self.inner = inner
    self.activation = activation
    self.router = router
    self.storage = storage
    self.shared = shared
    self.shared?.isShared = true
    self.sharedGate = sharedGate
    self.latent = latent
  }

  /// Experts that are stored one by one.
  public init(
    _ width: Int, count: Int, inner: Int, _ activation: Activation, router: Router,
    input: Input = .gated(gate: "gate_proj", up: "up_proj"), down: String = "down_proj",
    prefix: String = "mlp.experts", shared: MLP? = nil, sharedGate: String? = nil,
    latent: (size: Int, down: String, up: String)? = nil
  ) {
    self.init(
      width, count: count, inner: inner, activation, router: router,
      storage: .listed(prefix: prefix, input, down: down), shared: shared, sharedGate: sharedGate,
      latent: latent)
  }

  public var normBefore: NormPlace { .beforeExperts }
  public var normAfter: NormPlace { .afterExperts }

  public var slots: [Slot] {
    let expertWidth = latent?.size ?? width
    var slots = router.slots(width: width, count: count)
    if let latent {
      slots.append(Slot(.latentDown, [Part(latent.down + ".weight", [latent.size, width])]))
    }
    slots += [firstBank(expertWidth, .weight), secondBank(expertWidth, .weight)]
    if hasBias { slots += [firstBank(expertWidth, .bias), secondBank(expertWidth, .bias)] }
    if let latent {
      slots.append(Slot(.latentUp, [Part(latent.up + ".weight", [width, latent.size])]))
    }
    slots += shared?.slots ?? []
    if let sharedGate { slots.append(Slot(.sharedGate, [Part(sharedGate, [1, width])])) }
    return slots
  }

  private func firstBank(_ expertWidth: Int, _ kind: Role.Kind) -> Slot {
    let rows = storage.isGated ? 2 * inner : inner
    let columns = kind == .weight ? [expertWidth] : []
    let fragments = storage.isGated ? Fragment.gated(inner) : []
    let shape = Shape([count, rows] + columns)
    switch storage {
    case .listed(let prefix, let input, _):
      let names =
        switch input {
        case .gated(let gate, let up): [gate, up]
        case .plain(let up): [up]
        }
      let parts = (0..<count).flatMap { expert in
        names.map { Part("\(prefix).\(expert).\($0).\(kind.rawValue)", Shape([inner] + columns)) }
      }
      return Slot(
        .expertFC1(kind), parts, shape: shape, split: .expertRows, fragments: fragments)
    case .stacked(let name, _, let isTransposed, let alternates):
      let layout = alternates ? Layout.alternating(inner: inner, matrices: count) : nil
      return stacked(
        .expertFC1(kind), name, kind, shape, layout, isTransposed, .expertRows, fragments)
    }
  }

  private func secondBank(_ expertWidth: Int, _ kind: Role.Kind) -> Slot {
    let columns = kind == .weight ? [inner] : []
    let shape = Shape([count, expertWidth] + columns)
    let split = kind == .weight ? Split.expertColumns : .experts
    switch storage {
    case .listed(let prefix, _, let down):
      let parts = (0..<count).map {
        Part("\(prefix).\($0).\(down).\(kind.rawValue)", Shape([expertWidth] + columns))
      }
      return Slot(.expertFC2(kind), parts, shape: shape, split: split)
    case .stacked(_, let name, let isTransposed, _):
      return stacked(.expertFC2(kind), name, kind, shape, nil, isTransposed, split)
    }
  }

  /// The bank of one tensor that holds all experts.
  private func stacked(
    _ role: Role, _ name: String, _ kind: Role.Kind, _ shape: Shape, _ layout: Layout?,
    _ isTransposed: Bool, _ split: Split, _ fragments: [Fragment] = []
  ) -> Slot {
    guard kind == .weight else {
      return Slot(
        role, [Part(name + "_bias", shape)], layout: layout, split: split, fragments: fragments)
    }
    guard isTransposed else {
      return Slot(role, [Part(name, shape)], layout: layout, split: split, fragments: fragments)
    }
    let rows = layout ?? .concatenated([count * shape[1]])
    return Slot(
      role, [Part(name, [count, shape[2], shape[1]])], shape: shape,
      layout: rows.transposed(stack: count), split: split, fragments: fragments)
  }
}
