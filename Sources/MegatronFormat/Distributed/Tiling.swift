import Tensors

/// Checks that boxes cover a tensor exactly once, and says where they do not.
///
/// The tensor is cut along an axis wherever a box begins or ends; within such a slab the same boxes
/// take part everywhere, so that they can be looked at along the next axis.
struct Tiling {
  private let key: String
  private let shape: Shape
  private let boxes: [DistributedMetadata.Chunk]
  private var faults: [ChunkFault] = []
  /// Visits left before the boxes count as too irregular; regular ones need a few per box and axis.
  private var budget: Int
  /// Faults of one tensor beyond this number say nothing new.
  private static let faultLimit = 8

  /// The faults of one tensor's chunks, at most eight; empty if the chunks tile it exactly.
  static func faults(key: String, _ tensor: DistributedMetadata.Tensor) -> [ChunkFault] {
    var tiling = Tiling(key: key, tensor)
    return tiling.check()
  }

  private init(key: String, _ tensor: DistributedMetadata.Tensor) {
    self.key = key
    shape = tensor.shape
    boxes = tensor.chunks
    budget = 1_000_000 + 64 * tensor.chunks.count * (tensor.shape.rank + 1)
  }

  private mutating func check() -> [ChunkFault] {
    for box in boxes where !isInside(box) {
      faults.append(
        .outside(key: key, offsets: box.offsets, sizes: box.sizes, shape: shape))
      if faults.count == Self.faultLimit { break }
    }
    if !faults.isEmpty || shape.dimensions.contains(0) { return faults }
    var origin: [Int] = []
    origin.reserveCapacity(shape.rank)
    visit(boxes.indices.filter { !boxes[$0].sizes.contains(0) }, axis: 0, origin, shape.dimensions)
    if faults.isEmpty, budget < 0 { return [.tooIrregular(key: key, chunks: boxes.count)] }
    return faults
  }

  private func isInside(_ box: DistributedMetadata.Chunk) -> Bool {
    guard box.offsets.count == shape.rank, box.sizes.count == shape.rank else { return false }
    return (0..<shape.rank).allSatisfy { axis in
      let (end, overflow) = box.offsets[axis].addingReportingOverflow(box.sizes[axis])
      return box.offsets[axis] >= 0 && box.sizes[axis] >= 0 && !overflow && end <= shape[axis]
    }
  }

  /// Looks at `active` boxes, all of which cover the box that begins at `origin` on the axes before
  /// `axis`; `sizes` are its sizes there and the tensor's on the others.
  private mutating func visit(_ active: [Int], axis: Int, _ origin: [Int], _ sizes: [Int]) {
    budget -= active.count + 1
    guard budget >= 0, faults.count < Self.faultLimit else { return }
    let remaining = [Int](repeating: 0, count: shape.rank - axis)
    if active.isEmpty {
      faults.append(.gap(key: key, offsets: origin + remaining, sizes: sizes))
      return
    }
    if axis == shape.rank {
      if active.count > 1 { faults.append(.overlap(key: key, offsets: origin, sizes: sizes)) }
      return
    }
    let sorted = active.sorted { boxes[$0].offsets[axis] < boxes[$1].offsets[axis] }
    var next = 0
    var position = 0
    var current: [Int] = []
    while position < shape[axis], budget >= 0, faults.count < Self.faultLimit {
      // The boxes that cover `position`, and where the first of them ends or another begins.
      current.removeAll { boxes[$0].offsets[axis] + boxes[$0].sizes[axis] <= position }
      while next < sorted.count, boxes[sorted[next]].offsets[axis] <= position {
        current.append(sorted[next])
        next += 1
      }
      var end = next < sorted.count ? boxes[sorted[next]].offsets[axis] : shape[axis]
      for box in current { end = min(end, boxes[box].offsets[axis] + boxes[box].sizes[axis]) }
      budget -= current.count
      var slab = sizes
      slab[axis] = end - position
      visit(current, axis: axis + 1, origin + [position], slab)
      position = end
    }
  }
}

extension DistributedMetadata {
  /// Everything that is wrong with how chunks tile their tensors, in the order of the keys.
  func tilingFaults() -> [ChunkFault] {
    var faults: [ChunkFault] = []
    for key in keys {
      if let tensor = tensors[key], !tensor.isGrid { faults += Tiling.faults(key: key, tensor) }
    }
    return faults
  }
}

extension DistributedMetadata.Tensor {
  /// Whether the chunks are equal boxes, one in each place of a grid, which needs no sweep: one chunk
  /// that is the tensor, or one for each rank, layer or expert.
  var isGrid: Bool {
    guard let sizes = chunks.first?.sizes, sizes.count == shape.rank else { return false }
    var counts: [Int] = []
    var total = 1
    for axis in sizes.indices {
      guard sizes[axis] > 0, shape[axis] % sizes[axis] == 0 else { return false }
      counts.append(shape[axis] / sizes[axis])
      let (next, overflow) = total.multipliedReportingOverflow(by: counts[axis])
      guard !overflow, next <= chunks.count else { return false }
      total = next
    }
    guard total == chunks.count else { return false }
    if total == 1 { return chunks[0].offsets.count == sizes.count && chunks[0].isAtOrigin }
    var isTaken = [Bool](repeating: false, count: total)
    for chunk in chunks {
      guard chunk.sizes == sizes, chunk.offsets.count == sizes.count else { return false }
      var place = 0
      for axis in sizes.indices {
        let (index, rest) = chunk.offsets[axis].quotientAndRemainder(dividingBy: sizes[axis])
        guard rest == 0, index >= 0, index < counts[axis] else { return false }
        place = place * counts[axis] + index
      }
      guard !isTaken[place] else { return false }
      isTaken[place] = true
    }
    return true
  }
}

extension DistributedMetadata.Chunk {
  fileprivate var isAtOrigin: Bool { offsets.allSatisfy { $0 == 0 } }
}
