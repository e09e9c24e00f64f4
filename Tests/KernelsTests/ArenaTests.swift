import Testing

@testable import Kernels

/// Memory comes back whole, and blocks never share any of it.
@Suite struct ArenaTests {
  @Test func whatIsFreeJoins() {
    guard var arena = Arena() else {
      Issue.record("no addresses")
      return
    }
    var blocks: [UInt] = []
    for _ in 0..<8 { blocks.append(arena.take(1 << 20) ?? 0) }
    var end = arena.end
    #expect(end == 8 << 20)
    // Every other one, then those between: all is one again, however it came back.
    for index in [1, 5, 3, 7, 4, 0, 6, 2] {
      let isOwn = arena.takeBack(blocks[index], 1 << 20)
      #expect(isOwn)
    }
    end = arena.end
    let holes = arena.holes
    #expect(end == 0 && holes.isEmpty)
    let whole = arena.take(8 << 20)
    #expect(whole == blocks[0])
    let isOwn = arena.takeBack(64, 64)
    #expect(!isOwn)
  }

  @Test func theLowestPlaceIsTaken() {
    guard var arena = Arena() else {
      Issue.record("no addresses")
      return
    }
    var blocks: [UInt] = []
    for _ in 0..<6 { blocks.append(arena.take(1 << 16) ?? 0) }
    for index in [1, 3, 4] { _ = arena.takeBack(blocks[index], 1 << 16) }
    let before = arena.holes.count
    #expect(before == 2)
    let wide = arena.take(1 << 17)
    let narrow = arena.take(1 << 15)
    #expect(wide == blocks[3] && narrow == blocks[1])
    let holes = arena.holes.count
    #expect(holes == 1)
  }

  /// Blocks of all sizes that come and go keep what was written into them.
  @Test func blocksDoNotMeet() {
    let pool = MemoryPool()
    var random: UInt64 = 1
    func next(_ bound: Int) -> Int {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(random >> 33) % bound
    }
    var held: [(memory: Memory, mark: Int32, count: Int)] = []
    for turn in 0..<4000 {
      if held.count > 40 || (next(3) == 0 && !held.isEmpty) {
        let (memory, mark, count) = held.remove(at: next(held.count))
        let numbers = memory.start.assumingMemoryBound(to: Int32.self)
        #expect(numbers[0] == mark && numbers[count / 2] == mark && numbers[count - 1] == mark)
      } else {
        let count = 1 + next(next(4) == 0 ? 1 << 18 : 1 << 12)
        let memory = pool.take(4 * count)
        #expect(memory.byteCount >= 4 * count)
        #expect(UInt(bitPattern: memory.start) % 64 == 0)
        let numbers = memory.start.assumingMemoryBound(to: Int32.self)
        numbers[0] = Int32(turn)
        numbers[count / 2] = Int32(turn)
        numbers[count - 1] = Int32(turn)
        held.append((memory, Int32(turn), count))
      }
      if turn == 2000 { pool.trim() }
    }
    let usage = pool.usage
    #expect(usage.used == held.reduce(0) { $0 + $1.memory.byteCount })
    held = []
    #expect(pool.usage.used == 0 && pool.usage.peak >= usage.used)
  }
}
