import CKernels
import Kernels

/// What happens to logits behind the output layer.
public struct LogitRule: Sendable {
  public var scale = 1.0
  /// cap · tanh(logits / cap); 0 is no cap.
  public var cap = 0.0
  /// Tokens whose logits are −∞.
  public var silenced: [Int32] = []

  public init() {}
}

extension Tape {
  /// The bytes of logits that exist at once, where 64 tokens' do not need more.
  ///
  /// The output layer's gradient is added to once for each chunk: 1,024 tokens of 32,000 logits took
  /// 109 ms in one piece of 64 MB and 150 ms in four (one thread).
  private static let chunkBytes = 64 << 20

  /// The sum of the cross entropies of all labels, divided by `divisor`, from the last hidden state.
  ///
  /// Logits exist for a chunk of tokens only: loss and gradients of a chunk are computed in one go, in
  /// the forward pass.
  ///
  /// - Parameters:
  ///   - x: [tokens, width].
  ///   - head: [vocabulary, width].
  ///   - labels: one for each token; negative ones are left out.
  ///   - divisor: of the loss and its gradient: the number of labels of the whole step.
  public func crossEntropy(
    _ x: Node, head: Parameter, bias: Parameter? = nil, labels: [Int32], divisor: Double,
    _ rule: LogitRule = LogitRule()
  ) -> Double {
    let isTracked = isRecording && (x.isTracked || head.isTrained || bias?.isTrained ?? false)
    var loss = 0.0
    let result = Node(Matrix(x.rows, x.columns, numbers), isTracked: isTracked)
    forward("loss", result) {
      eachChunk(of: x, head, bias) { rows, hidden, logits in
        loss += losses(
          logits, Indices(labels[rows]), rule, weight: isTracked ? 1 / divisor : 0
        ).reduce(0, +)
        guard isTracked else { return }
        if x.isTracked { Product.multiply(logits, by: head.value, into: result.value.rows(rows)) }
        if head.isTrained {
          let (gradient, accumulates) = head.gradientPlace()
          Product.multiply(
            logits, leftTransposed: true, by: hidden, into: gradient, accumulates: accumulates)
        }
        if let bias, bias.isTrained { Tape.addColumnSums(logits, to: bias.gradientSum()) }
      }
    }
    if isTracked, x.isTracked { result.add(result.value) }
    let x = x.returning
    backward("loss", result) { gradient in x.add(gradient) }
    return loss / divisor
  }

  /// The cross entropy of each label, in nats, without a way back.
  ///
  /// - Parameters:
  ///   - x: [labels, width].
  ///   - labels: none of them negative.
  func crossEntropies(
    _ x: Node, head: Parameter, bias: Parameter? = nil, labels: [Int32], _ rule: LogitRule
  ) -> [Double] {
    var result: [Double] = []
    forward("loss", x) {
      eachChunk(of: x, head, bias) { rows, _, logits in
        result += losses(logits, Indices(labels[rows]), rule, weight: 0)
      }
    }
    return result
  }

  /// Computes logits, of as many tokens at once as memory is meant to hold.
  ///
  /// - Parameter body: given the tokens' rows, their hidden state, and their logits.
  private func eachChunk(
    of x: Node, _ head: Parameter, _ bias: Parameter?,
    _ body: (_ rows: Range<Int>, _ hidden: Matrix, _ logits: Matrix) -> Void
  ) {
    let chunk = max(64, Self.chunkBytes / (head.value.rows * numbers.byteWidth))
    for start in stride(from: 0, to: x.rows, by: chunk) {
      let rows = start..<min(x.rows, start + chunk)
      let hidden = x.value.rows(rows)
      let logits = Matrix(rows.count, head.value.rows, numbers)
      Product.multiply(hidden, by: head.value, rightTransposed: true, into: logits)
      if let bias { addBias(bias.value, to: logits) }
      body(rows, hidden, logits)
    }
  }

  /// The loss of each row, in whose place the logits' gradients come where they have a weight.
  private func losses(
    _ logits: Matrix, _ labels: Indices, _ rule: LogitRule, weight: Double
  ) -> [Double] {
    let type = numbers.kernel
    let silenced = Indices(rule.silenced)
    let losses = Matrix(1, logits.rows, .float64)
    losses.clear()
    Team.split(logits.rows) { rows in
      cross_entropy(
        type, logits.address(rows.lowerBound), logits.stride, labels.address(rows.lowerBound),
        rows.count, logits.columns, rule.scale, rule.cap, silenced.address(), silenced.count,
        weight,
        losses.address(0, rows.lowerBound).assumingMemoryBound(to: Double.self))
    }
    return losses.values
  }

  /// The logits of all rows, as the model gives them out.
  public func logits(
    _ x: Node, head: Parameter, bias: Parameter? = nil, _ rule: LogitRule = LogitRule()
  ) -> Matrix {
    let logits = Matrix(x.rows, head.value.rows, numbers)
    Product.multiply(x.value, by: head.value, rightTransposed: true, into: logits)
    if let bias { addBias(bias.value, to: logits) }
    let type = numbers.kernel
    let silenced = Indices(rule.silenced)
    Team.split(logits.rows) { rows in
      finish_logits(
        type, logits.address(rows.lowerBound), logits.stride, rows.count, logits.columns,
        rule.scale,
        rule.cap, silenced.address(), silenced.count)
    }
    return logits
  }
}
