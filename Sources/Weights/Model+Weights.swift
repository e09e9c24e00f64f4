import Blueprint
import Checkpoints
import Engine
import Kernels
import Synchronization
import Tensors

extension Numbers {
  /// As files name the type.
  public var dtype: DType {
    switch self {
    case .float32: .float32
    case .bfloat16: .bfloat16
    case .float64: .float64
    }
  }
}

extension Model {
  /// A model with the numbers of its files.
  ///
  /// A parameter's memory is filled as the rows stream in. Where it is frozen, and its packed rows lie one
  /// after the other in a file in the type that is wanted, the file's mapped memory is the parameter.
  ///
  /// - Parameters:
  ///   - isFrozen: whether a slot is not trained; frozen ones want no gradient.
  ///   - loaded: told of each parameter's bytes when they are there; what it throws ends the loading.
  /// - Throws: `ConversionError`, `FileError`, and what `loaded` throws.
  public convenience init(
    _ weights: ModelWeights, _ numbers: Numbers,
    isFrozen: (PlacedSlot) -> Bool = { _ in false }, loaded: (Int) throws -> Void = { _ in }
  ) throws {
    var frozen: Set<String> = []
    try self.init(weights.blueprint, numbers) { placed, rows, columns, numbers in
      let (runs, dtype) = try weights.packed(placed, as: numbers.dtype)
      defer { if isFrozen(placed) { frozen.formUnion(placed.slot.parts.map(\.name)) } }
      let matrix =
        try isFrozen(placed)
        ? Matrix(mapped: runs, dtype, rows, columns, numbers)
          ?? Matrix(reading: runs, dtype, rows, columns, numbers)
        : Matrix(reading: runs, dtype, rows, columns, numbers)
      try loaded(matrix.count * numbers.byteWidth)
      return matrix
    }
    for parameter in parameters where frozen.contains(parameter.name) {
      parameter.isTrained = false
    }
  }
}

extension Matrix {
  /// A file's mapped memory; `nil` where the numbers do not lie there as they are wanted.
  init?(
    mapped runs: ByteRuns, _ dtype: DType, _ rows: Int, _ columns: Int, _ numbers: Numbers
  ) throws(FileError) {
    guard dtype == numbers.dtype,
      let (bytes, file) = try runs.mapped(elementSize: numbers.byteWidth),
      let memory = Memory(bytes, of: file)
    else { return nil }
    self.init(memory, rows, columns, numbers)
  }

  /// Memory of its own, read by the whole team.
  init(
    reading runs: ByteRuns, _ dtype: DType, _ rows: Int, _ columns: Int, _ numbers: Numbers
  ) throws(FileError) {
    self.init(rows, columns, numbers)
    try read(runs, dtype)
  }

  /// Takes its numbers out of files, row by row; the whole team reads.
  ///
  /// - Parameters:
  ///   - runs: as many numbers as the matrix has.
  ///   - dtype: their type; they are rounded where the matrix has a shorter one.
  package func read(_ runs: ByteRuns, _ dtype: DType) throws(FileError) {
    precondition(isDense && runs.byteCount == count * dtype.byteWidth)
    let matrix = self
    let failure = Mutex<FileError?>(nil)
    // Vectors are one row.
    let pieces = rows == 1 ? 1 : rows
    let length = count / max(1, pieces)
    Team.split(pieces, grain: max(1, (1 << 20) / max(1, length))) { range in
      let elements = range.lowerBound * length..<range.upperBound * length
      do throws(FileError) {
        try runs.slice(
          elements.lowerBound * dtype.byteWidth..<elements.upperBound * dtype.byteWidth
        ).read(
          dtype, into: matrix.start + elements.lowerBound * matrix.numbers.byteWidth,
          as: matrix.numbers.dtype)
      } catch {
        failure.withLock { $0 = $0 ?? error }
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
  }
}
