import Tensors

/// How an older distributed optimizer stored a tensor: a grid of equal parts, each one flattened.
///
/// The stored shape is the grid and, last, the elements of one part.
struct FlattenedParts {
  let grid: [Int]
  let partSizes: [Int]

  /// `nil` if the grid is not one of equal parts of the original shape.
  init?(grid stored: Shape, original: Shape) {
    guard stored.rank == original.rank + 1, original.checkedCount != nil else { return nil }
    var sizes: [Int] = []
    for (parts, size) in zip(stored.dimensions, original.dimensions) {
      guard parts > 0, size % parts == 0 else { return nil }
      sizes.append(size / parts)
    }
    guard Shape(sizes).checkedCount == stored.dimensions.last else { return nil }
    grid = Array(stored.dimensions.dropLast())
    partSizes = sizes
  }
}
