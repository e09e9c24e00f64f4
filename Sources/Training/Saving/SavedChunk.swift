import Blueprint
import Checkpoints
import Kernels
import Tensors
import Weights

/// A stretch of a tensor of a checkpoint, and how to come by its bytes.
struct SavedChunk: Sendable {
  var key: String
  /// Of the whole tensor.
  var shape: Shape
  var offsets: [Int]
  var sizes: Shape
  var target: DType
  var source: RowSource
  /// The source's rows that it is.
  var rows: Range<Int>
  /// Other keys that the same bytes serve for.
  var aliases: [String] = []
}

/// The rows of something that is saved, given where they lie or made as they are read.
struct RowSource: Sendable {
  var dtype: DType
  var work = TransferWork.copying
  var rows: @Sendable (Range<Int>) throws -> ByteRuns

  init(
    _ dtype: DType, work: TransferWork = .copying,
    rows: @escaping @Sendable (Range<Int>) throws -> ByteRuns
  ) {
    self.dtype = dtype
    self.work = work
    self.rows = rows
  }

  /// Numbers in memory.
  ///
  /// - Parameter width: the elements of a row, which need not be those of the matrix that they lie in.
  init(_ bytes: ByteRuns, _ numbers: Numbers, width: Int) {
    let rowBytes = width * numbers.byteWidth
    self.init(numbers.dtype, work: .computing) {
      bytes.slice($0.lowerBound * rowBytes..<$0.upperBound * rowBytes)
    }
  }

  /// Zeros in float32.
  static func zeros(width: Int) -> RowSource {
    RowSource(.float32) { ByteRuns(.zeros($0.count * width * 4)) }
  }
}

extension MegatronPiece {
  /// The chunks of the piece, under its key with something before it.
  func chunks(_ head: String, _ split: Split, _ source: RowSource, as target: DType) -> [SavedChunk]
  {
    shards(split, ParallelSizes()).map { shard in
      SavedChunk(
        key: head + key, shape: keyShape, offsets: shard.offsets, sizes: shard.sizes,
        target: target, source: source, rows: shard.rows)
    }
  }
}

/// What a tensor of the optimiser's state is called, behind `optimizer.state.`.
enum StateName {
  /// The numbers that are trained, as Megatron's distributed optimiser names them (`fully_reshardable`), and as
  /// the one of 16-bit models does.
  static let master = "param"
  static let masterOfShort = "fp32_param"
  static let first = "exp_avg"
  static let second = "exp_avg_sq"

  static func head(_ name: String) -> String { "optimizer.state.\(name)." }
}
