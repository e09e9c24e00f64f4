import CHDF5

/// One of HDF5's numbers for something open, closed with the value's end.
final class Handle {
  let id: hid_t
  private let close: (hid_t) -> herr_t

  /// `nil` where HDF5 gave no number.
  init?(_ id: hid_t, _ close: @escaping (hid_t) -> herr_t) {
    guard id >= 0 else { return nil }
    self.id = id
    self.close = close
  }

  deinit { _ = close(id) }

  /// Why the last call failed.
  static var reason: String {
    var text = [CChar](repeating: 0, count: 512)
    chdf5_last_error(&text, text.count)
    let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    let words = String(decoding: bytes, as: UTF8.self)
    // Behind that follow addresses that say nothing to a reader.
    if let found = words.firstRange(of: "error message = '") {
      return String(words[found.upperBound...].prefix { $0 != "'" })
    }
    return words.isEmpty ? "HDF5 gives no reason" : words
  }
}

/// Consecutive elements of an array as the blocks that HDF5 selects.
struct Block: Equatable {
  var start: [hsize_t]
  var count: [hsize_t]
  var elements: Int

  /// The blocks of `range`, a stretch of the elements of an array of this shape, row-major.
  static func blocks(_ range: Range<Int>, of shape: [Int]) -> [Block] {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * shape[axis + 1]
    }
    var blocks: [Block] = []
    var position = range.lowerBound
    while position < range.upperBound {
      let left = range.upperBound - position
      // The outermost axis along which whole rows begin here.
      guard
        let axis = shape.indices.first(where: {
          position % strides[$0] == 0 && strides[$0] <= left
        })
      else { break }
      let start = shape.indices.map { position / strides[$0] % shape[$0] }
      let rows = min(left / strides[axis], shape[axis] - start[axis])
      let count = shape.indices.map { $0 < axis ? 1 : $0 == axis ? rows : shape[$0] }
      blocks.append(
        Block(
          start: start.map(hsize_t.init), count: count.map(hsize_t.init),
          elements: rows * strides[axis]))
      position += rows * strides[axis]
    }
    return blocks
  }
}
