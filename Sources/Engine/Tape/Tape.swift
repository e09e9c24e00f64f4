import Kernels

/// The record of a forward pass: what each operation has to do when gradients come back.
///
/// Operations are extensions in `Ops`, forward beside backward. Memory is what the steps hold on to: a
/// step that has run lets go of its nodes.
public final class Tape {
  /// What matrices and activations are made of.
  public let numbers: Numbers
  /// Whether backward steps are kept.
  public private(set) var isRecording: Bool
  /// The layer at work, for messages and profiles.
  public var place = ""
  /// Who watches every operation; `nil` where nobody does.
  public var observer: (any TapeObserver)?
  /// What is left out of what adapters add; `nil` for nothing, as wherever nothing is learned.
  var adapterDropout: AdapterDropout?
  private var steps: [Step] = []

  private struct Step {
    var operation: String
    var place: String
    /// What gradients are given on to, where somebody watches.
    var inputs: [Returning] = []
    var body: () -> Void
  }

  /// What the latest node is computed from, where somebody watches.
  private var latest: (node: Node, inputs: [Returning])?

  public init(_ numbers: Numbers, isRecording: Bool) {
    self.numbers = numbers
    self.isRecording = isRecording
  }

  // MARK: For operations

  /// A node for an operation's result, of undefined contents.
  ///
  /// - Parameters:
  ///   - inputs: what it is computed from.
  ///   - isTrained: whether parameters behind the operation want gradients.
  public func node(
    _ rows: Int, _ columns: Int, from inputs: [Node], isTrained: Bool = false,
    numbers: Numbers? = nil
  ) -> Node {
    let isTracked = isRecording && (isTrained || inputs.contains(where: \.isTracked))
    let node = Node(Matrix(rows, columns, numbers ?? self.numbers), isTracked: isTracked)
    if observer != nil { latest = (node, inputs.map(\.returning)) }
    return node
  }

  /// Computes an operation's result.
  public func forward(_ operation: String, _ result: Node, _ body: () -> Void) {
    guard let observer else { return body() }
    observer.willRun(operation, place, isBackward: false)
    body()
    observer.didRun(operation, place, result.value, isBackward: false)
  }

  /// As `forward`, of an operation that costs little: who needs the result on the way back may have it
  /// computed again then.
  ///
  /// - Parameter body: computes the result into a matrix; holds on to nothing but what the way back keeps.
  func forwardCheaply(_ operation: String, _ result: Node, _ body: @escaping (Matrix) -> Void) {
    forward(operation, result) { body(result.value) }
    guard result.isTracked else { return }
    let (rows, columns, numbers) = (result.rows, result.columns, result.numbers)
    result.remake = {
      let again = Matrix(rows, columns, numbers)
      body(again)
      return again
    }
  }

  /// Keeps what is to be done when the gradient of an operation's result is complete.
  ///
  /// - Parameter body: given that gradient, adds to those of the inputs and parameters.
  public func backward(
    _ operation: String, _ result: Node, _ body: @escaping (_ gradient: Matrix) -> Void
  ) {
    guard result.isTracked else { return }
    let inputs = latest.flatMap { $0.node === result ? $0.inputs : nil } ?? []
    latest = nil
    let returning = result.returning
    steps.append(
      Step(operation: operation, place: place, inputs: inputs) {
        if let gradient = returning.takeGradient() { body(gradient) }
      })
  }

  /// As `backward`, of an operation that changed a node in place: the body changes the gradient likewise.
  public func backwardInPlace(
    _ operation: String, _ node: Node, _ body: @escaping (_ gradient: Matrix) -> Void
  ) {
    // What made the node would make what it was before.
    node.remake = nil
    let returning = node.returning
    guard returning.isTracked else { return }
    steps.append(
      Step(operation: operation, place: place) {
        if let gradient = returning.gradient { body(gradient) }
      })
  }

  /// Keeps what is to be done when gradients have come back to all that was computed later.
  func whenReturning(_ operation: String, _ body: @escaping () -> Void) {
    guard isRecording else { return }
    steps.append(Step(operation: operation, place: place, body: body))
  }

  // MARK: For models

  /// Runs all steps, last first, and forgets each when it has run.
  public func runBackward() {
    while let step = steps.popLast() {
      observer?.willRun(step.operation, step.place, isBackward: true)
      step.body()
      observer?.didRun(step.operation, step.place, nil, isBackward: true)
      for case let gradient? in step.inputs.map(\.gradient) {
        observer?.didReach(step.operation, step.place, gradient: gradient)
      }
    }
  }

  /// Computes a node without keeping what is inside, which is computed again when gradients come back.
  public func recomputing(
    _ input: Node, isTrained: Bool, _ body: @escaping (Node) throws -> Node
  ) rethrows -> Node {
    guard isRecording, input.isTracked || isTrained else { return try body(input) }
    isRecording = false
    defer { isRecording = true }
    let result = Node(try body(input).value, isTracked: true)
    let (place, returning) = (place, result.returning)
    steps.append(
      Step(operation: "recompute", place: place) { [unowned self] in
        guard let gradient = returning.takeGradient() else { return }
        let outer = self.steps
        self.steps = []
        self.place = place
        let inside = Node(input.value, isTracked: input.isTracked)
        // What has come already comes first, so that sums are the same as without recomputing.
        if let gathered = input.takeGradient() { inside.add(gathered) }
        // What could be computed once can be computed again.
        if let again = try? body(inside) {
          again.add(gradient)
          self.runBackward()
          if let reached = inside.takeGradient() { input.add(reached) }
        }
        self.steps = outer
      })
    return result
  }
}

/// Sees every operation of a tape.
public protocol TapeObserver: AnyObject {
  func willRun(_ operation: String, _ place: String, isBackward: Bool)
  /// - Parameter result: what a forward operation computed.
  func didRun(_ operation: String, _ place: String, _ result: Matrix?, isBackward: Bool)
  /// - Parameter gradient: what has reached an input of the operation so far.
  func didReach(_ operation: String, _ place: String, gradient: Matrix)
}

extension TapeObserver {
  public func didReach(_ operation: String, _ place: String, gradient: Matrix) {}
}
