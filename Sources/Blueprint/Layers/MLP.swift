import Tensors

/// The feed-forward layer: down(activation(gate(x)) · up(x)), or down(activation(up(x))).
public struct MLP: Layer {
  public var width: Int
  public var inner: Int
  public var activation: Activation
  public var input: Input
  public var down: String
  public var hasBias: Bool
  /// Whether this is the expert every token passes, beside routed ones.
  var isShared = false

  /// How the Hugging Face side stores the input projection.
  public enum Input: Hashable, Sendable {
    /// Two tensors, the gate and what it gates.
    case gated(gate: String, up: String)
    /// One tensor [gate; up].
    case stacked(String)
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

  public var normBefore: NormPlace { .beforeMLP }

  public var slots: [Slot] {
    var slots = [first(.weight)]
    if hasBias { slots.append(first(.bias)) }
    slots.append(
      Slot(
        isShared ? .sharedFC2 : .fc2(.weight), [Part(down + ".weight", [width, inner])],
        split: .columns))
    if hasBias { slots.append(Slot(.fc2(.bias), [Part(down + ".bias", [width])])) }
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
      case .stacked(let name): [part(name, 2 * inner)]
      case .plain(let name): [part(name, inner)]
      }
    return Slot(
      isShared ? .sharedFC1 : .fc1(kind), parts,
      shape: Shape([input.isGated ? 2 * inner : inner] + columns), split: .rows,
      fragments: input.isGated ? Fragment.gated(inner) : [])
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
}
