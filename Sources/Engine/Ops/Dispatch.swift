import CKernels
import Kernels

/// Which rows each expert works on: a row for each pair of a token and an expert it chose, those of one
/// expert one behind the other, in the order of the tokens.
///
/// An expert's rows are filled up with zeros to a number that many experts share, because the library of
/// matrix products prepares itself for every shape anew.
struct Dispatch {
  let perToken: Int
  /// Of each expert.
  let ranges: [Range<Int>]
  /// Of each row the token, and the pair token · perToken + place; negative where a row is filled up.
  let tokens: Indices
  let pairs: Indices
  /// Of each pair the row.
  let places: Indices

  var rows: Int { tokens.count }
  /// The number of tokens.
  var count: Int { places.count / perToken }

  /// - Parameter choice: the experts of each token.
  init(_ choice: Indices, experts: Int, perToken: Int) {
    var counts = [Int](repeating: 0, count: experts)
    for pair in 0..<choice.count { counts[Int(choice[pair])] += 1 }
    var end = 0
    let ranges = counts.map { count in
      let start = end
      end += Dispatch.filled(count)
      return start..<end
    }
    let tokens = Indices(repeatElement(-1, count: end))
    let pairs = Indices(repeatElement(-1, count: end))
    let places = Indices(repeatElement(0, count: choice.count))
    var next = ranges.map(\.lowerBound)
    for pair in 0..<choice.count {
      let expert = Int(choice[pair])
      let row = next[expert]
      next[expert] = row + 1
      tokens[row] = Int32(pair / perToken)
      pairs[row] = Int32(pair)
      places[pair] = Int32(row)
    }
    self.perToken = perToken
    self.ranges = ranges
    self.tokens = tokens
    self.pairs = pairs
    self.places = places
  }

  /// The next number of rows that products are prepared for: all up to 4, then multiples of 8 and of the
  /// power of two that is at most a 32nd of the count.
  static func filled(_ count: Int) -> Int {
    if count <= 4 { return count }
    let step = max(8, 1 << (Int.bitWidth - 1 - (count / 32).leadingZeroBitCount))
    return (count + step - 1) / step * step
  }

  /// Works on each expert's rows, with experts that have many of them by the whole team and others side
  /// by side.
  func forEachExpert(_ body: (_ expert: Int, _ rows: Range<Int>) -> Void) {
    Team.forEach(sizes: ranges.map(\.count)) { body($0, ranges[$0]) }
  }

  /// The tokens' numbers row by row, zeros in rows that are filled up.
  ///
  /// - Parameter weights: a factor for each of the rows.
  func taken(_ x: Matrix, _ rows: Range<Int>, weights: Matrix? = nil) -> Matrix {
    let taken = Matrix(rows.count, x.columns, x.numbers)
    Team.split(rows.count, grain: Sums.rows(x.columns)) { part in
      let first = rows.lowerBound + part.lowerBound
      take_rows(
        x.numbers.kernel, x.start, x.stride, tokens.address(first), weights?.address(first),
        taken.address(part.lowerBound), taken.stride, part.count, x.columns)
    }
    return taken
  }

  /// Sums, for each token, its rows into a matrix, or adds them to it.
  func combine(_ rows: Matrix, into target: Matrix, accumulates: Bool) {
    Team.split(target.rows, grain: Sums.rows(perToken * target.columns)) { part in
      combine_rows(
        rows.numbers.kernel, rows.start, rows.stride, places.address(part.lowerBound * perToken),
        target.address(part.lowerBound), target.stride, part.count, perToken, target.columns,
        accumulates)
    }
  }
}

extension Tape {
  /// The weight of each row, 0 where a row is filled up.
  ///
  /// - Parameter weights: [tokens, perToken], of the type of sums.
  /// - Returns: [rows, 1].
  func rowWeights(_ weights: Node, _ dispatch: Dispatch) -> Node {
    let y = node(dispatch.rows, 1, from: [weights], numbers: weights.numbers)
    let type = weights.numbers.kernel
    let pairs = dispatch.places.count
    let flat = weights.value.reshaped(pairs, 1)
    forward("row weights", y) {
      take_rows(
        type, flat.start, flat.stride, dispatch.pairs.address(), nil, y.value.start,
        y.value.stride, dispatch.rows, 1)
    }
    backward("row weights", y) { gradient in
      let (target, accumulates) = weights.gradientPlace()
      let flat = target.reshaped(pairs, 1)
      combine_rows(
        type, gradient.start, gradient.stride, dispatch.places.address(), flat.start, flat.stride,
        pairs, 1, 1, accumulates)
    }
    return y
  }
}
