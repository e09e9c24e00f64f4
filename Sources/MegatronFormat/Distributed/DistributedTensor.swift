import Tensors

/// A tensor of a distributed checkpoint as one whole, whatever chunks it was cut into.
///
/// It holds no bytes: it says where those of any region lie, in row-major order.
public struct DistributedTensor: Sendable {
  public let key: String
  public let dtype: DType
  /// The global shape; for a flattened optimizer tensor, that before flattening.
  public let shape: Shape
  public let chunkCount: Int
  private let parts: [Part]
  /// For each part, the greatest end on the first axis of it and all parts before it.
  private let ends: [Int]
  private let store: ItemStore

  /// A box of the tensor: one chunk, or the flat pieces of one flattened part.
  struct Part: Sendable {
    let offsets: [Int]
    let sizes: [Int]
    let chunks: Chunks

    enum Chunks: Sendable {
      case whole(DistributedMetadata.Storage)
      /// In the order of their place in the flattened part.
      case flattened([DistributedMetadata.Chunk])
    }
  }

  init(key: String, _ tensor: DistributedMetadata.Tensor, store: ItemStore) {
    self.key = key
    dtype = tensor.dtype
    shape = tensor.wholeShape
    chunkCount = tensor.chunks.count
    parts = Self.parts(tensor).sorted { $0.offsets.lexicographicallyPrecedes($1.offsets) }
    self.store = store
    var ends: [Int] = []
    ends.reserveCapacity(parts.count)
    for part in self.parts {
      let end = (part.offsets.first ?? 0) + (part.sizes.first ?? 0)
      ends.append(max(end, ends.last ?? 0))
    }
    self.ends = ends
  }

  private static func parts(_ tensor: DistributedMetadata.Tensor) -> [Part] {
    let filled = tensor.chunks.filter { !$0.sizes.contains(0) }
    guard let original = tensor.flattenedFrom,
      let flattened = FlattenedParts(grid: tensor.shape, original: original)
    else {
      return filled.map {
        .init(offsets: $0.offsets, sizes: $0.sizes, chunks: .whole($0.storage))
      }
    }
    // A chunk lies in one part of the grid, because the sizes of a flattened chunk are 1 there.
    let places = Dictionary(grouping: filled) { Array($0.offsets.dropLast()) }
    return places.map { place, chunks in
      .init(
        offsets: zip(place, flattened.partSizes).map { $0 * $1 }, sizes: flattened.partSizes,
        chunks: .flattened(
          chunks.sorted { ($0.offsets.last ?? 0) < ($1.offsets.last ?? 0) }))
    }
  }

  /// The row-major bytes of a region of the tensor; the whole tensor by default.
  ///
  /// - Parameter region: the half-open range wanted on each axis.
  /// - Throws: `MegatronError.wrongRegion` if it does not lie in the tensor; `.wrongItem`,
  ///   `.safetensorsItem`, `.torchFile` or `.file` if a chunk is not what `.metadata` says.
  public func runs(region: [Range<Int>]? = nil) throws(MegatronError) -> ByteRuns {
    let region = region ?? shape.dimensions.map { 0..<$0 }
    guard region.count == shape.rank,
      zip(region, shape.dimensions).allSatisfy({ $0.lowerBound >= 0 && $0.upperBound <= $1 })
    else { throw .wrongRegion(key: key, region: region, shape: shape) }
    var result = ByteRuns()
    if region.contains(where: \.isEmpty) { return result }
    try gather(region, candidates(region), axis: 0, into: &result)
    return result
  }

  /// The parts that touch a region, found through their order on the first axis.
  private func candidates(_ region: [Range<Int>]) -> [Part] {
    guard let first = region.first else { return parts }
    var low = 0
    var high = parts.count
    while low < high {
      let middle = (low + high) / 2
      if ends[middle] <= first.lowerBound { low = middle + 1 } else { high = middle }
    }
    var found: [Part] = []
    while low < parts.count, parts[low].offsets[0] < first.upperBound {
      if touches(parts[low], region) { found.append(parts[low]) }
      low += 1
    }
    return found
  }

  private func touches(_ part: Part, _ region: [Range<Int>]) -> Bool {
    for axis in region.indices {
      let start = part.offsets[axis]
      if start >= region[axis].upperBound || start + part.sizes[axis] <= region[axis].lowerBound {
        return false
      }
    }
    return true
  }

  // MARK: Assembly

  /// Appends a region that `parts` cover together, cutting it along `axis` and those after it.
  private func gather(
    _ region: [Range<Int>], _ parts: [Part], axis: Int, into result: inout ByteRuns
  ) throws(MegatronError) {
    if parts.count == 1 {
      result.append(try runs(of: parts[0], region))
      return
    }
    // Parts tile the tensor, so that several of them differ on an axis that is left.
    guard axis < region.count else { return }
    for slab in slabs(region[axis], parts, axis: axis) {
      var inside = region
      inside[axis] = slab
      let covering = parts.filter {
        $0.offsets[axis] < slab.upperBound && end($0, axis) > slab.lowerBound
      }
      if covering.count == 1 || slab.count == 1 {
        try gather(inside, covering, axis: axis + 1, into: &result)
      } else if let columns = try columns(inside, covering, axis: axis + 1) {
        interleave(columns, rows: slab.count, into: &result)
      } else {
        for index in slab {
          inside[axis] = index..<index + 1
          try gather(inside, covering, axis: axis + 1, into: &result)
        }
      }
    }
  }

  private func end(_ part: Part, _ axis: Int) -> Int { part.offsets[axis] + part.sizes[axis] }

  /// The stretches of a range in which the same parts take part, in order.
  private func slabs(_ range: Range<Int>, _ parts: [Part], axis: Int) -> [Range<Int>] {
    var cuts: Set<Int> = [range.lowerBound, range.upperBound]
    for part in parts {
      for cut in [part.offsets[axis], end(part, axis)] where range.contains(cut) {
        cuts.insert(cut)
      }
    }
    let sorted = cuts.sorted()
    return zip(sorted, sorted.dropFirst()).map { $0..<$1 }
  }

  /// The bytes of each part if the parts stand side by side on `axis`, in order; else `nil`.
  ///
  /// Rows cut for several ranks look like this, and there are many rows.
  private func columns(
    _ region: [Range<Int>], _ parts: [Part], axis: Int
  ) throws(MegatronError) -> [ByteRuns]? {
    guard axis < region.count else { return nil }
    let ordered = parts.sorted { $0.offsets[axis] < $1.offsets[axis] }
    var position = region[axis].lowerBound
    var columns: [ByteRuns] = []
    var pieces: [(Part, [Range<Int>])] = []
    for part in ordered {
      guard part.offsets[axis] <= position else { return nil }
      var piece = region
      piece[axis] = position..<min(end(part, axis), region[axis].upperBound)
      position = piece[axis].upperBound
      guard !piece[axis].isEmpty, covers(part, piece) else { return nil }
      pieces.append((part, piece))
    }
    guard position == region[axis].upperBound else { return nil }
    for (part, piece) in pieces { columns.append(try runs(of: part, piece)) }
    return columns
  }

  private func covers(_ part: Part, _ region: [Range<Int>]) -> Bool {
    region.indices.allSatisfy { axis in
      part.offsets[axis] <= region[axis].lowerBound && end(part, axis) >= region[axis].upperBound
    }
  }

  /// Appends the first row of every column, then the second of every column, and so on.
  private func interleave(_ columns: [ByteRuns], rows: Int, into result: inout ByteRuns) {
    for row in 0..<rows {
      for column in columns {
        let length = column.byteCount / rows
        let run = column.runs[0]
        if column.runs.count == 1, run.count == rows || run.count == 1 {
          let step = run.count == 1 ? length : run.stride
          result.append(run.moved(to: run.offset + row * step, length: length))
        } else {
          result.append(column.slice(row * length..<(row + 1) * length))
        }
      }
    }
  }

  /// The bytes of a region, in the tensor's coordinates, that one part covers.
  private func runs(of part: Part, _ region: [Range<Int>]) throws(MegatronError) -> ByteRuns {
    let local = region.indices.map { axis in
      region[axis].lowerBound - part.offsets[axis]..<region[axis].upperBound - part.offsets[axis]
    }
    switch part.chunks {
    case .whole(let storage):
      return try store.tensor(item(storage, part.sizes)).runs(local)
    case .flattened(let chunks):
      var flat = ByteRuns()
      for chunk in chunks {
        flat.append(try store.tensor(item(chunk.storage, chunk.sizes)).runs(nil))
      }
      return cut(flat, local, of: Shape(part.sizes))
    }
  }

  private func item(_ storage: DistributedMetadata.Storage, _ sizes: [Int]) -> ItemStore.Item {
    .init(key: key, storage: storage, tensor: (dtype, sizes))
  }

  /// A region out of a part's row-major bytes.
  private func cut(_ flat: ByteRuns, _ region: [Range<Int>], of shape: Shape) -> ByteRuns {
    let strides = shape.strides
    // As many trailing axes as follow each other in memory form one piece.
    var axis = region.count
    var length = dtype.byteWidth
    while axis > 0 {
      axis -= 1
      length *= region[axis].count
      if region[axis].count != shape[axis] { break }
    }
    var result = ByteRuns()
    func visit(_ outer: Int, _ start: Int) {
      if outer >= axis {
        let first = (outer < region.count ? region[outer].lowerBound * strides[outer] : 0) + start
        result.append(flat.slice(first * dtype.byteWidth..<first * dtype.byteWidth + length))
        return
      }
      for index in region[outer] { visit(outer + 1, start + index * strides[outer]) }
    }
    visit(0, 0)
    return result
  }
}
