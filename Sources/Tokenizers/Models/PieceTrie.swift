/// Runs of bytes with a number for each, found one byte after the other: which of them begin at a place.
///
/// A double array: the child of node n by byte b is at `nodes[n].base + b` if that node's parent is n.
struct PieceTrie: Sendable {
  private struct Node {
    var base: Int32 = 0
    /// -1 for a free node.
    var parent: Int32 = -1
    /// -1 where no run ends.
    var value: Int32 = -1
  }

  private var nodes: [Node]

  /// The node before the first byte.
  static let root: Int32 = 0

  /// - Parameters:
  ///   - bytes: holds all runs.
  ///   - keys: the runs, none of them empty; of equal ones any may count.
  init(_ bytes: [UInt8], _ keys: [(run: Range<Int>, value: Int32)]) {
    let sorted = keys.sorted { bytes[$0.run].lexicographicallyPrecedes(bytes[$1.run]) }
    var builder = Builder(bytes: bytes, keys: sorted)
    builder.build()
    nodes = builder.nodes
  }

  /// The node that a byte leads to; `nil` where no run goes on so.
  @inline(__always)
  func child(of node: Int32, by byte: UInt8) -> Int32? {
    let index = Int(nodes[Int(node)].base) + Int(byte)
    return nodes[index].parent == node ? Int32(truncatingIfNeeded: index) : nil
  }

  /// The number of the run that ends at a node.
  @inline(__always)
  func value(at node: Int32) -> Int32? {
    let value = nodes[Int(node)].value
    return value >= 0 ? value : nil
  }

  /// The length of the longest run that begins at `start`.
  ///
  /// - Parameter mostMatches: looks only at the shortest so many.
  func longest(_ text: [UInt8], _ start: Int, _ end: Int, mostMatches: Int = .max) -> Int? {
    var node = Self.root
    var place = start
    var found: Int?
    var matches = 0
    while place < end, matches < mostMatches, let next = child(of: node, by: text[place]) {
      node = next
      place += 1
      if value(at: node) != nil {
        found = place - start
        matches += 1
      }
    }
    return found
  }

  private struct Builder {
    let bytes: [UInt8]
    let keys: [(run: Range<Int>, value: Int32)]
    var nodes = [Node](repeating: Node(), count: 512)
    /// No node before this one is free.
    var firstFree = 1
    /// No node behind this one is taken.
    var top = 0

    /// A node whose children are still to be made: the keys that go through it, and how long it is.
    struct Task {
      var node: Int
      var keys: Range<Int>
      var depth: Int
    }

    /// So many places are tried before the end is taken: the array may have holes, but time has a bound.
    static let mostTries = 64

    mutating func build() {
      // The root is nobody's child, not even its own.
      nodes[0].parent = .max
      var tasks = [Task(node: 0, keys: 0..<keys.count, depth: 0)]
      var labels: [UInt8] = []
      var groups: [Range<Int>] = []
      while let task = tasks.popLast() {
        labels.removeAll(keepingCapacity: true)
        groups.removeAll(keepingCapacity: true)
        collect(task, &labels, &groups)
        guard !labels.isEmpty else { continue }
        let base = place(for: labels)
        nodes[task.node].base = Int32(base)
        for (label, group) in zip(labels, groups) {
          let child = base + Int(label)
          nodes[child].parent = Int32(task.node)
          tasks.append(Task(node: child, keys: group, depth: task.depth + 1))
        }
      }
    }

    /// Gives the node its value, and finds the bytes that go on from it with the keys that have each.
    private mutating func collect(
      _ task: Task, _ labels: inout [UInt8], _ groups: inout [Range<Int>]
    ) {
      var index = task.keys.lowerBound
      while index < task.keys.upperBound {
        let run = keys[index].run
        guard run.count > task.depth else {
          nodes[task.node].value = keys[index].value
          index += 1
          continue
        }
        let label = bytes[run.lowerBound + task.depth]
        let first = index
        while index < task.keys.upperBound,
          bytes[keys[index].run.lowerBound + task.depth] == label
        {
          index += 1
        }
        labels.append(label)
        groups.append(first..<index)
      }
    }

    /// A base from which the children of all labels fall on free nodes.
    private mutating func place(for labels: [UInt8]) -> Int {
      while nodes[firstFree].parent != -1 {
        firstFree += 1
        reserve(firstFree)
      }
      // The base itself is at least 1.
      let first = Int(labels[0])
      var candidate = max(firstFree, first + 1)
      for _ in 0..<Self.mostTries {
        reserve(candidate + 256)
        while nodes[candidate].parent != -1 {
          candidate += 1
          reserve(candidate + 256)
        }
        let base = candidate - first
        if labels.allSatisfy({ nodes[base + Int($0)].parent == -1 }) {
          top = max(top, base + Int(labels[labels.count - 1]))
          return base
        }
        candidate += 1
      }
      let base = max(1, top + 1 - first)
      reserve(base + 255)
      top = base + Int(labels[labels.count - 1])
      return base
    }

    /// Makes nodes up to an index, and so many more that every byte leads inside.
    private mutating func reserve(_ index: Int) {
      guard index >= nodes.count - 256 else { return }
      nodes.append(
        contentsOf: repeatElement(Node(), count: max(index + 512 - nodes.count, nodes.count / 4)))
    }
  }
}
