import Foundation
import Kernels
import Support

@testable import Engine

/// What other programs computed while training; `fixtures/learning/generate.py` says which.
enum LearningData {
  static func read<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value {
    let file = Support.fixtures.appending(path: "learning/\(name).json")
    return try JSONDecoder().decode(type, from: Data(contentsOf: file))
  }
}

extension Matrix {
  /// A matrix with the given rows.
  static func made(_ rows: [[Double]], _ numbers: Numbers) -> Matrix {
    let matrix = Matrix(rows.count, rows.first?.count ?? 0, numbers)
    matrix.set(rows.flatMap { $0 })
    return matrix
  }

  /// The largest difference from other numbers, relative to the largest of these.
  func distance(to expected: [Double]) -> Double {
    let most = expected.reduce(0) { max($0, abs($1)) }
    let found = values
    guard found.count == expected.count else { return .infinity }
    return zip(found, expected).reduce(0) { max($0, abs($1.0 - $1.1)) } / most
  }
}
