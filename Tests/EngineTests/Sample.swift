import Foundation
import Kernels
import Tensors

@testable import Blueprint
@testable import Engine

/// Made-up numbers for a test: the same in every run.
struct Sample {
  /// What the log calls them.
  var name: String
  var rows: Int
  var columns: Int
  /// Whether they are a vector of the type of sums, as norm weights and biases are.
  var isVector = false
  /// Their mean and their standard deviation.
  var mean = 0.0
  var deviation = 1.0

  static func matrix(
    _ name: String, _ rows: Int, _ columns: Int, mean: Double = 0, deviation: Double = 1
  ) -> Sample {
    Sample(name: name, rows: rows, columns: columns, mean: mean, deviation: deviation)
  }

  static func vector(
    _ name: String, _ count: Int, mean: Double = 0, deviation: Double = 1
  ) -> Sample {
    Sample(
      name: name, rows: 1, columns: count, isVector: true, mean: mean, deviation: deviation)
  }

  /// The numbers, which bfloat16 can hold: they are the same ones in every type.
  func values(seed: UInt64) -> [Double] {
    var random = Normal(seed: name.utf8.reduce(seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 })
    let count = rows * columns
    if count < 256 {
      return (0..<count).map { _ in Sample.rounded(mean + deviation * random.next()) }
    }
    // Many come out of a table, because models are made over and over.
    let table = Normal.table
    let first = Int(random.uniform() * Double(table.count))
    return (0..<count).map { Sample.rounded(mean + deviation * table[(first + $0) % table.count]) }
  }

  /// The nearest number that bfloat16 can hold.
  static func rounded(_ value: Double) -> Double {
    let bits = Float(value).bitPattern
    return Double(Float(bitPattern: (bits &+ 0x7fff &+ (bits >> 16 & 1)) & 0xffff_0000))
  }

  /// As a matrix whose rows lie apart, with no numbers between them.
  func matrix(_ numbers: Numbers, seed: UInt64) -> Matrix {
    let type = isVector ? numbers.accumulated : numbers
    let gap = isVector ? 0 : 3
    let wide = Matrix(rows, columns + gap, type)
    for row in 0..<rows {
      for column in 0..<columns + gap { wide[row, column] = .nan }
    }
    let place = wide.columns(0..<columns)
    place.set(values(seed: seed))
    return place
  }

  /// As a parameter.
  func parameter(_ numbers: Numbers, seed: UInt64) -> Parameter {
    let shape: Shape = isVector ? [columns] : [rows, columns]
    let slot = Slot(.fc1(isVector ? .bias : .weight), [Part(name, shape)])
    // Parameters have no gaps between their rows.
    let value = matrix(numbers, seed: seed).copied()
    return Parameter(PlacedSlot(.block(0), "", slot), value)
  }
}

extension Matrix {
  /// Sets all elements, given row by row.
  func set(_ values: [Double]) {
    for row in 0..<rows {
      for column in 0..<columns { self[row, column] = values[row * columns + column] }
    }
  }
}

/// Normally distributed numbers out of splitmix64 (Steele, Lea and Flood 2014), by Box and Muller.
struct Normal {
  private var state: UInt64
  private var spare: Double?

  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

  /// A prime number of numbers.
  static let table: [Double] = {
    var random = Normal(seed: 6)
    return (0..<99_991).map { _ in random.next() }
  }()

  /// Between 0 and 1, neither of them.
  mutating func uniform() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var number = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    number = (number ^ (number >> 27)) &* 0x94D0_49BB_1331_11EB
    number ^= number >> 31
    return (Double(number >> 11) + 0.5) / 0x1p53
  }

  mutating func next() -> Double {
    if let spare {
      self.spare = nil
      return spare
    }
    let radius = (-2 * log(uniform())).squareRoot()
    let angle = 2 * Double.pi * uniform()
    spare = radius * sin(angle)
    return radius * cos(angle)
  }
}
