/// The room left in packs, as a tree: the first pack with enough of it is found in logarithmic time.
struct PackRooms {
  /// Node 1 is the root, node i's children are 2i and 2i + 1; each holds the most room below it.
  private var most: [Int]
  private var leaves: Int
  private(set) var count = 0

  init() {
    leaves = 1
    most = [-1, -1]
  }

  /// The first pack with this much room.
  func first(with room: Int) -> Int? {
    guard most[1] >= room else { return nil }
    var node = 1
    while node < leaves {
      node = most[2 * node] >= room ? 2 * node : 2 * node + 1
    }
    return node - leaves
  }

  mutating func append(_ room: Int) {
    if count == leaves { grow() }
    count += 1
    set(count - 1, room)
  }

  mutating func take(_ amount: Int, from pack: Int) { set(pack, most[leaves + pack] - amount) }

  private mutating func set(_ pack: Int, _ room: Int) {
    var node = leaves + pack
    most[node] = room
    while node > 1 {
      node /= 2
      most[node] = max(most[2 * node], most[2 * node + 1])
    }
  }

  private mutating func grow() {
    let rooms = Array(most[leaves..<2 * leaves])
    leaves *= 2
    most = Array(repeating: -1, count: 2 * leaves)
    for (index, room) in rooms.enumerated() { most[leaves + index] = room }
    for node in stride(from: leaves - 1, to: 0, by: -1) {
      most[node] = max(most[2 * node], most[2 * node + 1])
    }
  }
}

/// Packs by the room that is left in them: the fullest that still has enough is found in logarithmic time.
struct PackShelves {
  /// For each amount of room the packs that have it, the last one on top.
  private var packs: [[Int]]
  /// A tree over amounts: how many packs lie below each node.
  private var counts: [Int]
  private let leaves: Int

  init(size: Int) {
    packs = Array(repeating: [], count: size + 1)
    var leaves = 1
    while leaves < size + 1 { leaves *= 2 }
    self.leaves = leaves
    counts = Array(repeating: 0, count: 2 * leaves)
  }

  mutating func put(_ pack: Int, room: Int) {
    packs[room].append(pack)
    change(room, by: 1)
  }

  /// Takes out a pack with the least room that is not below `room`.
  mutating func takeFullest(with room: Int) -> (pack: Int, room: Int)? {
    guard let found = firstAmount(from: room), let pack = packs[found].popLast() else { return nil }
    change(found, by: -1)
    return (pack, found)
  }

  private mutating func change(_ room: Int, by amount: Int) {
    var node = leaves + room
    while node > 0 {
      counts[node] += amount
      node /= 2
    }
  }

  private func firstAmount(from room: Int) -> Int? {
    var node = leaves + room
    if counts[node] > 0 { return room }
    // Up until a right neighbour has something, then down to its first.
    while node > 1 {
      if node % 2 == 0, counts[node + 1] > 0 {
        node += 1
        while node < leaves { node = counts[2 * node] > 0 ? 2 * node : 2 * node + 1 }
        return node - leaves
      }
      node /= 2
    }
    return nil
  }
}
