import Console
import Testing

@Suite("Lines of small bars")
struct SparklineTests {
  @Test("rise and fall with the numbers")
  func shape() {
    #expect(Sparkline.text([0, 1, 2, 3, 4, 5, 6, 7], width: 8) == "▁▂▃▄▅▆▇█")
    #expect(Sparkline.text([7, 0, 7], width: 10) == "█▁█")
    #expect(Sparkline.text([2, 2], width: 10) == "▁▁")
  }

  @Test("are as wide as allowed, with means of what has no room")
  func width() {
    #expect(Sparkline.text([0, 0, 4, 8, 8, 8], width: 3) == "▁▇█")
    #expect(Sparkline.text((0..<1000).map(Double.init), width: 50).count == 50)
    #expect(Sparkline.text([1], width: 0) == "")
    #expect(Sparkline.text([], width: 5) == "")
  }

  @Test("leave a gap where there is no number")
  func gaps() {
    #expect(Sparkline.text([0, .nan, 1], width: 5) == "▁ █")
    #expect(Sparkline.text([.nan, .infinity], width: 5) == "")
  }
}
