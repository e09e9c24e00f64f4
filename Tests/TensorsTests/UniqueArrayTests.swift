import Tensors
import Testing

/// The array of one owner, and the table that numbers names.
@Suite struct UniqueArrayTests {
  @Test func whatIsAppendedIsThereAfterGrowingManyTimes() {
    var array = UniqueArray<Int>()
    #expect(array.count == 0)
    #expect(array.last == nil)
    for number in 0..<10_000 { array.append(number * 3) }
    #expect(array.count == 10_000)
    #expect((0..<10_000).allSatisfy { array[$0] == $0 * 3 })
    #expect(array.last == 29_997)
    array[17] = -1
    #expect(array[17] == -1)
    #expect(array[18] == 54)
  }

  @Test func takingFromAnEmptyArrayGivesNothing() {
    var array = UniqueArray<UInt8>()
    #expect(array.popLast() == nil)
    array.append(1)
    array.append(2)
    #expect(array.popLast() == 2)
    array.cut(to: 0)
    #expect(array.popLast() == nil)
    #expect(array.count == 0)
  }

  @Test(arguments: [0, 1, 99, 100])
  func movedElementsLeaveOneArrayForTheEndOfAnother(start: Int) {
    var from = UniqueArray<Int>()
    for number in 0..<100 { from.append(number) }
    var into = UniqueArray<Int>()
    into.append(-1)
    into.move(from: &from, start)
    #expect(from.count == start)
    #expect(into.count == 101 - start)
    #expect(into[0] == -1)
    #expect((start..<100).allSatisfy { into[1 + $0 - start] == $0 })
  }

  @Test func anIndexOutsideTrapsLikeThatOfAnArray() async {
    await #expect(processExitsWith: .failure) {
      var array = UniqueArray<Int>()
      for number in 0..<20 { array.append(number) }
      array.cut(to: 10)
      print(array[10])
    }
  }

  @Test func equalNamesHaveOneNumberAndNumbersFollowTheOrderOfFirstMention() {
    var bytes: [UInt8] = []
    var ranges: [Range<Int>] = []
    // More than the table expects, in runs of every length from 0, each mentioned twice.
    for number in 0..<2_000 {
      let name = Array(repeating: UInt8(ascii: "k"), count: number % 40) + Array("\(number)".utf8)
      for _ in 0..<2 {
        ranges.append(bytes.count..<bytes.count + name.count)
        bytes += name
      }
    }
    ranges.append(0..<0)
    var table = ByteTable(capacity: 10)
    var firsts: [Range<Int>] = []
    for range in ranges {
      let number = table.number(of: bytes[range]) { bytes[firsts[$0]] }
      if number == firsts.count { firsts.append(range) }
      #expect(bytes[firsts[number]].elementsEqual(bytes[range]))
    }
    #expect(table.count == 2_001)
    #expect(firsts == (0..<2_000).map { ranges[2 * $0] } + [0..<0])
  }
}
