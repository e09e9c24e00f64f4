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
    case stacked(input: String, down: String)

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

  public var slots: [Slot] {
    let expertWidth = latent?.size ?? width
    var slots = router.slots(width: width, count: count)
    if let latent {
      slots.append(Slot(.latentDown, [Part(latent.down + ".weight", [latent.size, width])]))
    }
    slots += [firstBank(expertWidth), secondBank(expertWidth)]
    if let latent {
      slots.append(Slot(.latentUp, [Part(latent.up + ".weight", [width, latent.size])]))
    }
    slots += shared?.slots ?? []
    if let sharedGate { slots.append(Slot(.sharedGate, [Part(sharedGate, [1, width])])) }
    return slots
  }

  private func firstBank(_ expertWidth: Int) -> Slot {
    let rows = storage.isGated ? 2 * inner : inner
    let parts: [Part]
    switch storage {
    case .listed(let prefix, let input, _):
      let names =
        switch input {
        case .gated(let gate, let up): [gate, up]
        case .plain(let up): [up]
        }
      parts = (0..<count).flatMap { expert in
        names.map { Part("\(prefix).\(expert).\($0).weight", [inner, expertWidth]) }
      }
    case .stacked(let name, _):
      parts = [Part(name, [count, rows, expertWidth])]
    }
    return Slot(
      .expertFC1(.weight), parts, shape: [count, rows, expertWidth], split: .expertRows,
      fragments: storage.isGated ? Fragment.gated(inner) : [])
  }

  private func secondBank(_ expertWidth: Int) -> Slot {
    let parts =
      switch storage {
      case .listed(let prefix, _, let down):
        (0..<count).map { Part("\(prefix).\($0).\(down).weight", [expertWidth, inner]) }
      case .stacked(_, let down):
        [Part(down, [count, expertWidth, inner])]
      }
    return Slot(
      .expertFC2(.weight), parts, shape: [count, expertWidth, inner], split: .expertColumns)
  }
}
