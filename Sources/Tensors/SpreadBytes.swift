/// Rows put together from runs of rows, each of which goes to places at a fixed distance.
///
/// The inverse of taking every second row: the halves of a gated layer whose rows alternate.
final class SpreadBytes: ComputedBytes {
  private let source: ByteRuns
  private let spreads: [ByteRuns.Spread]
  let rowBytes: Int
  let byteCount: Int

  init(_ source: ByteRuns, _ spreads: [ByteRuns.Spread], rowBytes: Int) {
    self.source = source
    self.spreads = spreads.filter { $0.count > 0 }
    self.rowBytes = rowBytes
    byteCount = spreads.reduce(0) { $0 + $1.count } * rowBytes
  }

  func fill(
    _ target: UnsafeMutableRawBufferPointer, _ rows: RowSteps, columns: Range<Int>,
    scratch: ByteBuffer
  ) throws(FileError) {
    guard rows.step > 1 else {
      try fill(target, rows.first..<rows.first + rows.count, columns, scratch)
      return
    }
    for index in 0..<rows.count {
      let part = target[index * columns.count..<(index + 1) * columns.count]
      try fill(
        UnsafeMutableRawBufferPointer(rebasing: part), rows[index]..<rows[index] + 1, columns,
        scratch)
    }
  }

  private func fill(
    _ target: UnsafeMutableRawBufferPointer, _ rows: Range<Int>, _ columns: Range<Int>,
    _ scratch: ByteBuffer
  ) throws(FileError) {
    let width = columns.count
    // A few of the columns at a time where not even one row's fit.
    if width > scratch.capacity {
      for row in rows {
        for start in stride(from: 0, to: width, by: scratch.capacity) {
          let end = min(width, start + scratch.capacity)
          let first = (row - rows.lowerBound) * width
          try fill(
            UnsafeMutableRawBufferPointer(rebasing: target[first + start..<first + end]),
            row..<row + 1, columns.lowerBound + start..<columns.lowerBound + end, scratch)
        }
      }
      return
    }
    let most = scratch.capacity / width
    for spread in spreads {
      let from = spread.index(of: rows.lowerBound)
      let to = spread.index(of: rows.upperBound)
      for start in stride(from: from, to: to, by: most) {
        let end = min(to, start + most)
        let packed = source.slice(
          (spread.source + start) * rowBytes..<(spread.source + end) * rowBytes)
        try scratch.fill(packed.columns(columns, rowBytes: rowBytes))
        let first = spread.first + start * spread.stride - rows.lowerBound
        scatter(
          scratch.memory, width, end - start, target, first * width, spread.stride * width)
      }
    }
  }

  /// Copies `count` stretches of `width` bytes to places at a distance.
  private func scatter(
    _ source: UnsafeMutableRawBufferPointer, _ width: Int, _ count: Int,
    _ target: UnsafeMutableRawBufferPointer, _ first: Int, _ stride: Int
  ) {
    guard let from = source.baseAddress, let into = target.baseAddress else { return }
    func scatter<Element: BitwiseCopyable>(_: Element.Type) {
      for index in 0..<count {
        let element = from.loadUnaligned(fromByteOffset: index * width, as: Element.self)
        into.storeBytes(of: element, toByteOffset: first + index * stride, as: Element.self)
      }
    }
    switch width {
    case 1: scatter(UInt8.self)
    case 2: scatter(UInt16.self)
    case 4: scatter(UInt32.self)
    default:
      for index in 0..<count {
        (into + first + index * stride).copyMemory(from: from + index * width, byteCount: width)
      }
    }
  }
}

extension ByteRuns {
  /// Consecutive rows that go to every `stride`-th place from `first` on.
  public struct Spread: Sendable {
    /// The first of the rows.
    public var source: Int
    public var first: Int
    public var count: Int
    public var stride: Int

    public init(source: Int, first: Int, count: Int, stride: Int) {
      self.source = source
      self.first = first
      self.count = count
      self.stride = stride
    }

    /// How many of the rows go before a place.
    func index(of place: Int) -> Int {
      max(0, min(count, (place - first + stride - 1) / stride))
    }
  }

  /// Rows of this concatenation in other places; together they fill all places once.
  public func spread(_ spreads: [Spread], rowBytes: Int) -> ByteRuns {
    ByteRuns(computed: SpreadBytes(self, spreads, rowBytes: rowBytes))
  }
}
