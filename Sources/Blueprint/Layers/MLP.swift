import Tensors

/// The feed-forward layer: down(activation(gate(x)) · up(x)), or down(activation(up(x))).
public struct MLP: Layer {
  public var width: Int
  public var inner: Int
  public var activation: Activation
  public var input: Input
  public var down: String
  /// Whether Hugging Face stores the matrices [inputs, outputs] (GPT-2's Conv1D).
  public var isTransposed = false
  public var hasBias: Bool
  /// The gate is cut above at this, the gated half to ± this; `nil` cuts nothing.
  public var limit: Double?
  /// What is added to the gated half: down(activation(gate) · (up + offset)).
  public var offset = 0.0
  /// The prefix of the activation's own numbers, where it has any (xIELU).
  public var activationPrefix: String?
  /// The factor on the gate, before the activation.
  public var gateScale = 1.0
  /// Whether this is the expert every token passes, beside routed ones.
  var isShared = false

  /// How the Hugging Face side stores the input projection.
  public enum Input: Hashable, Sendable {
    /// Two tensors, the gate and what it gates.
    case gated(gate: String, up: String)
    /// One tensor [gate; up].
    case stacked(String)
    /// One tensor [up; gate].
    case stackedUpFirst(String)
    /// One tensor whose rows alternate: gate, up, gate, up, …
    case alternating(String)
    /// One tensor, no gate.
    case plain(String)

    public var isGated: Bool { if case .plain = self { false } else { true } }
  }

  public init(
    _ width: Int, inner: Int, _ activation: Activation,
    input: Input = .gated(gate: "mlp.gate_proj", up: "mlp.up_proj"),
    down: String = "mlp.down_proj", bias: Bool = false
  ) {
    self.width = width
    self.inner = inner
    self.activation = activation
    self.input = input
    self.down = down
    hasBias = bias
  }

  public var normBefore: NormPlace { isShared ? .beforeShared : .beforeMLP }
  public var normAfter: NormPlace { isShared ? .afterShared : .afterMLP }

  public var slots: [Slot] {
    var slots = [first(.weight)]
    if hasBias { slots.append(first(.bias)) }
    if let activationPrefix { slots += activation.slots(activationPrefix) }
    let second = Slot(
      isShared ? .sharedFC2(.weight) : .fc2(.weight), [Part(down + ".weight", [width, inner])],
      split: .columns)
    slots.append(isTransposed ? second.storedTransposed : second)
    if hasBias {
      slots.append(
        Slot(isShared ? .sharedFC2(.bias) : .fc2(.bias), [Part(down + ".bias", [width])]))
    }
    return slots
  }

  private func first(_ kind: Role.Kind) -> Slot {
    let columns = kind == .weight ? [width] : []
    func part(_ name: String, _ rows: Int) -> Part {
      Part("\(name).\(kind.rawValue)", Shape([rows] + columns))
    }
    let parts =
      switch input {
      case .gated(let gate, let up): [part(gate, inner), part(up, inner)]
      case .stacked(let name), .stackedUpFirst(let name), .alternating(let name):
        [part(name, 2 * inner)]
      case .plain(let name): [part(name, inner)]
      }
    let layout: Layout? =
      switch input {
      case .gated, .stacked, .plain: nil
      case .stackedUpFirst:
        .rows([
          Segment(part: 0, first: inner, count: inner), Segment(part: 0, first: 0, count: inner),
        ])
      case .alternating: .alternating(inner: inner)
      }
    let slot = Slot(
      isShared ? .sharedFC1(kind) : .fc1(kind), parts,
      shape: Shape([input.isGated ? 2 * inner : inner] + columns), layout: layout, split: .rows,
      fragments: input.isGated ? Fragment.gated(inner) : [])
    return isTransposed && kind == .weight ? slot.storedTransposed : slot
  }
}

/// The non-linearity of a feed-forward layer.
public enum Activation: String, Hashable, Sendable {
  case silu
  /// x · Φ(x), exactly.
  case gelu
  /// The tanh approximation of gelu.
  case geluTanh
  case relu
  /// max(x, 0)²
  case squaredReLU
  /// x · sigmoid(1.702 · x)
  case quickGelu
  /// p · x² + β · x above 0, n · (e^min(x, ε) - 1 - x) + β · x elsewhere, with p = softplus(alpha_p)
  /// and n = β + softplus(alpha_n): numbers of the layer's own (arXiv 2411.13010).
  case xIELU
}

extension Activation {
  /// The numbers that belong to one layer's activation: two learned ones and two that stay.
  func slots(_ prefix: String) -> [Slot] {
    guard self == .xIELU else { return [] }
    return Role.ActivationNumber.allCases.map { number in
      let isLearned = number == .alphaPositive || number == .alphaNegative
      let part = Part("\(prefix).\(number.rawValue)", isLearned ? [1] : [])
      return Slot(.activation(number), [part], isConstant: !isLearned)
    }
  }
}
