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
    private(set) var nodes = [Node(parent: .max)]
    /// The free nodes in a ring, through node 0: behind each the next one, and the one before it.
    private var following: [Int32] = [0]
    private var preceding: [Int32] = [0]
    /// No node behind this one is taken.
    private var top = 0

    init(bytes: [UInt8], keys: [(run: Range<Int>, value: Int32)]) {
      self.bytes = bytes
      self.keys = keys
      // The root is nobody's child, not even its own.
      reserve(256)
    }

    /// A node whose children are still to be made: the keys that go through it, and how long it is.
    private struct Task {
      var node: Int
      var keys: Range<Int>
      var depth: Int
    }

    /// So many places are tried before the end is taken: the array may have holes, but time has a bound.
    private static let mostTries = 48

    mutating func build() {
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
          leave(child)
          top = max(top, child)
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
      let first = Int(labels[0])
      var candidate = Int(following[0])
      var tries = 0
      while candidate != 0, tries < Self.mostTries {
        let next = Int(following[candidate])
        let base = candidate - first
        // The base itself is at least 1, and what every byte leads to must be there.
        if base >= 1 {
          reserve(base + 255)
          if labels.allSatisfy({ nodes[base + Int($0)].parent == -1 }) { return base }
          tries += 1
          // Where little fits, nothing is looked for again.
          if tries > Self.mostTries / 2 { leave(candidate) }
        }
        candidate = next
      }
      let base = max(1, top + 1 - first)
      reserve(base + 255)
      return base
    }

    /// Takes a node out of the ring of those that are looked at.
    private mutating func leave(_ node: Int) {
      let (before, behind) = (preceding[node], following[node])
      following[Int(before)] = behind
      preceding[Int(behind)] = before
      // A node that left already is in a ring of its own.
      following[node] = Int32(node)
      preceding[node] = Int32(node)
    }

    /// Makes nodes up to an index.
    private mutating func reserve(_ index: Int) {
      guard index >= nodes.count else { return }
      let count = max(index + 1, nodes.count + nodes.count / 2)
      for node in nodes.count..<count {
        nodes.append(Node())
        let last = preceding[0]
        preceding.append(last)
        following.append(0)
        following[Int(last)] = Int32(node)
        preceding[0] = Int32(node)
      }
    }
  }
}
