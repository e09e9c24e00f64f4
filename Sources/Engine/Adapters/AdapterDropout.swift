import Kernels

/// Dropout of what adapters add (arXiv 2106.09685; `lora_dropout`): numbers are left out at random while a model
/// learns, and the others grow so that their sum stays the same on average.
///
/// Which ones hangs on the seed, the update, its batch, the matrix and the place in it and on nothing else, so that
/// nothing need be kept for the way back, and a run that goes on does as one that never stopped.
public struct AdapterDropout: Hashable, Sendable {
  /// How many of all are left out, from 0 to below 1.
  public var share: Double
  /// Whether inputs of A are left out rather than what comes out of B.
  ///
  /// PEFT has the former, Megatron-Bridge both (`dropout_position` pre and post). All pairs on a matrix leave out the
  /// same inputs.
  public var dropsInputs = true
  public var seed: UInt64
  /// The pass, as of a step's batch.
  private var pass = ""

  public init(share: Double, dropsInputs: Bool = true, seed: UInt64) {
    precondition((0..<1).contains(share))
    self.share = share
    self.dropsInputs = dropsInputs
    self.seed = seed
  }

  /// That of one batch of an update.
  public func during(update: Int, batch: Int) -> AdapterDropout {
    var dropout = self
    dropout.pass = "\(update).\(batch)"
    return dropout
  }

  /// What is left out of the rows at one matrix.
  func mask(_ weight: Parameter) -> Mask? {
    guard share > 0 else { return nil }
    return Mask(
      share: share, dropsInputs: dropsInputs,
      stream: RandomStream(seed: seed, "dropout \(pass) \(weight.name)"), first: 0)
  }

  /// What is left out of some rows.
  struct Mask {
    let share: Double
    let dropsInputs: Bool
    let stream: RandomStream
    /// The number of the first row.
    var first: Int

    func rows(_ range: Range<Int>) -> Mask {
      var mask = self
      mask.first += range.lowerBound
      return mask
    }

    /// A copy with numbers left out.
    func dropped(_ matrix: Matrix) -> Matrix {
      let result = Matrix(matrix.rows, matrix.columns, matrix.numbers)
      stream.drop(share, of: matrix, into: result, firstRow: first)
      return result
    }

    /// Adds a matrix, with numbers left out, to another one.
    func add(_ matrix: Matrix, to target: Matrix) {
      stream.drop(share, of: matrix, into: target, firstRow: first, adds: true)
    }
  }
}
