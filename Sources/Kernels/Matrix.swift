import CKernels
import Glibc

/// What the engine's numbers are.
public enum Numbers: String, Sendable, CaseIterable {
  /// For parity with other programs.
  case float32
  /// For training: matrices and activations; sums and small vectors are float32.
  case bfloat16
  /// For checking gradients.
  case float64

  /// The type of sums, and of vectors such as norm weights and biases.
  public var accumulated: Numbers { self == .float64 ? .float64 : .float32 }

  public var byteWidth: Int {
    switch self {
    case .float32: 4
    case .bfloat16: 2
    case .float64: 8
    }
  }

  /// As the kernels name it.
  public var kernel: number_type {
    switch self {
    case .float32: NUMBER_FLOAT32
    case .bfloat16: NUMBER_BFLOAT16
    case .float64: NUMBER_FLOAT64
    }
  }
}

/// A matrix in memory: rows of numbers, each `stride` elements after the one before.
///
/// A value of it is a view: copies and parts share the memory.
public struct Matrix: Sendable {
  public let memory: Memory
  /// The first element's distance from the memory's start, in elements.
  public let first: Int
  public let rows: Int
  public let columns: Int
  public let stride: Int
  public let numbers: Numbers

  init(memory: Memory, first: Int, rows: Int, columns: Int, stride: Int, numbers: Numbers) {
    self.memory = memory
    self.first = first
    self.rows = rows
    self.columns = columns
    self.stride = stride
    self.numbers = numbers
  }

  /// A matrix of undefined contents.
  public init(_ rows: Int, _ columns: Int, _ numbers: Numbers, pool: MemoryPool = .shared) {
    self.init(
      memory: pool.take(rows * columns * numbers.byteWidth), first: 0, rows: rows, columns: columns,
      stride: columns, numbers: numbers)
  }

  /// A matrix that lies in memory row by row without gaps.
  ///
  /// - Parameter offset: of its first byte; a multiple of an element's size.
  public init(_ memory: Memory, offset: Int = 0, _ rows: Int, _ columns: Int, _ numbers: Numbers) {
    precondition(
      offset % numbers.byteWidth == 0
        && offset + rows * columns * numbers.byteWidth <= memory.byteCount)
    self.init(
      memory: memory, first: offset / numbers.byteWidth, rows: rows, columns: columns,
      stride: columns, numbers: numbers)
  }

  /// A row of numbers.
  public init(_ values: [Double], _ numbers: Numbers) {
    self.init(1, values.count, numbers)
    for (index, value) in values.enumerated() { self[0, index] = value }
  }

  public var count: Int { rows * columns }
  public var isDense: Bool { stride == columns || rows <= 1 }

  /// Where the first element lies.
  public var start: UnsafeMutableRawPointer { address(0, 0) }

  /// Where an element lies.
  public func address(_ row: Int, _ column: Int = 0) -> UnsafeMutableRawPointer {
    memory.start + (first + row * stride + column) * numbers.byteWidth
  }

  /// Some of the rows.
  public func rows(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
    return Matrix(
      memory: memory, first: first + range.lowerBound * stride, rows: range.count, columns: columns,
      stride: stride, numbers: numbers)
  }

  /// Some of the columns.
  public func columns(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns)
    return Matrix(
      memory: memory, first: first + range.lowerBound, rows: rows, columns: range.count,
      stride: stride, numbers: numbers)
  }

  /// The same numbers in rows of another length.
  public func reshaped(_ rows: Int, _ columns: Int) -> Matrix {
    precondition(isDense && rows * columns == count)
    return Matrix(
      memory: memory, first: first, rows: rows, columns: columns, stride: columns, numbers: numbers)
  }

  /// One element, for tests and small things; loops over elements belong in a kernel.
  public subscript(row: Int, column: Int) -> Double {
    get {
      let place = address(row, column)
      switch numbers {
      case .float32: return Double(place.load(as: Float.self))
      case .float64: return place.load(as: Double.self)
      case .bfloat16:
        return Double(Float(bitPattern: UInt32(place.load(as: UInt16.self)) << 16))
      }
    }
    nonmutating set {
      let place = address(row, column)
      switch numbers {
      case .float32: place.storeBytes(of: Float(newValue), as: Float.self)
      case .float64: place.storeBytes(of: newValue, as: Double.self)
      case .bfloat16:
        var value = Float(newValue)
        convert_numbers(NUMBER_FLOAT32, &value, NUMBER_BFLOAT16, place, 1)
      }
    }
  }

  /// All elements, row by row.
  public var values: [Double] {
    (0..<rows).flatMap { row in (0..<columns).map { self[row, $0] } }
  }

  /// All elements as float32, row by row.
  public var floats: [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, filled in
      if let target = buffer.baseAddress {
        for row in 0..<rows {
          convert_numbers(
            numbers.kernel, address(row), NUMBER_FLOAT32, target + row * columns, columns)
        }
      }
      filled = count
    }
  }

  /// Sets all elements to zero.
  public func clear() {
    Team.split(rows, grain: max(1, (1 << 16) / max(1, columns))) { range in
      if isDense {
        memset(address(range.lowerBound), 0, range.count * columns * numbers.byteWidth)
      } else {
        for row in range { memset(address(row), 0, columns * numbers.byteWidth) }
      }
    }
  }

  /// Copies the elements of a matrix of the same shape, and converts them if its type is another.
  public func copy(_ other: Matrix) {
    precondition(rows == other.rows && columns == other.columns)
    Team.split(rows, grain: max(1, (1 << 14) / max(1, columns))) { range in
      for row in range {
        if numbers == other.numbers {
          memcpy(address(row), other.address(row), columns * numbers.byteWidth)
        } else {
          convert_numbers(
            other.numbers.kernel, other.address(row), numbers.kernel, address(row), columns)
        }
      }
    }
  }

  /// A dense copy, of another type where one is given.
  public func copied(as numbers: Numbers? = nil) -> Matrix {
    let copy = Matrix(rows, columns, numbers ?? self.numbers)
    copy.copy(self)
    return copy
  }
}
