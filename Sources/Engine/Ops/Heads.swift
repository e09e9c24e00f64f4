import Kernels

/// The heads that lie in the rows of a node: attention and rotation work on them where they are.
///
/// Head h begins at column first + (h / perGroup) · groupStep + (h % perGroup) · headStep.
struct Heads {
  var node: Node
  var count: Int
  var headSize: Int
  var first = 0
  /// How many heads stand side by side before the next group's begin.
  var perGroup = 1
  var groupStep: Int
  var headStep = 0

  /// The first column of a head.
  func column(_ head: Int) -> Int {
    first + head / perGroup * groupStep + head % perGroup * headStep
  }
}

extension Heads {
  /// All heads of a node side by side.
  init(_ node: Node, count: Int, headSize: Int) {
    self.init(node: node, count: count, headSize: headSize, groupStep: headSize)
  }

  /// Queries, gates (where there are any), keys and values as Megatron packs them: by group its query
  /// heads, their gates, its key, its value.
  static func grouped(
    _ node: Node, heads: Int, groups: Int, headSize: Int, isGated: Bool = false
  ) -> (queries: Heads, gates: Heads?, keys: Heads, values: Heads) {
    let perGroup = heads / groups
    let queryWidth = perGroup * headSize
    let width = queryWidth * (isGated ? 2 : 1) + 2 * headSize
    func queries(_ first: Int) -> Heads {
      Heads(
        node: node, count: heads, headSize: headSize, first: first, perGroup: perGroup,
        groupStep: width, headStep: headSize)
    }
    func keys(_ first: Int) -> Heads {
      Heads(node: node, count: groups, headSize: headSize, first: first, groupStep: width)
    }
    return (
      queries(0), isGated ? queries(queryWidth) : nil, keys(width - 2 * headSize),
      keys(width - headSize)
    )
  }
}
