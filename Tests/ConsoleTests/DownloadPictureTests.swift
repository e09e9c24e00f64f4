import Console
import Hub
import Testing

@Suite struct DownloadPictureTests {
  private func file(
    _ path: String, _ done: Int, of size: Int, _ state: HubProgress.State = .moving
  ) -> HubProgress.File {
    var file = HubProgress.File(path: path, size: size, state: state)
    file.done = done
    return file
  }

  private func columns(_ line: String) -> Int {
    line.unicodeScalars.reduce(0) {
      $0 + ($1.value >= 0x2E80 && $1.value < 0xFFFF && $1 != "\u{FFFD}" ? 2 : 1)
    }
  }

  @Test func aLineForEachFileUnderWayAndOneForAll() {
    var picture = DownloadPicture()
    picture.update(
      [
        file("a.safetensors", 50, of: 100), file("b.safetensors", 0, of: 100, .waiting),
        file("c.json", 10, of: 10, .done),
      ], nil, at: 1)
    let lines = picture.lines(width: 80, height: 24)
    #expect(lines.count == 2)
    #expect(lines[0].hasPrefix("a.safetensors "))
    #expect(lines[0].contains("50 %  50 bytes of 100 bytes"))
    #expect(lines[1].contains("28 %  60 bytes of 210 bytes  1 of 3 files"))
  }

  @Test func twoHundredFilesTakeNoMoreLinesThanTheTerminalHas() {
    var picture = DownloadPicture()
    picture.update((0..<200).map { file("f\($0)", 1, of: 100) }, nil, at: 1)
    for height in [1, 4, 10, 24, 500] {
      let lines = picture.lines(width: 80, height: height)
      #expect(lines.count <= max(2, min(height - 1, 14)), "\(height)")
      #expect(lines.last?.contains("0 of 200 files") == true)
    }
    #expect(picture.lines(width: 80, height: 10).contains("… and 194 more"))
  }

  @Test(arguments: [1, 20, 21, 40, 80, 200])
  func noLineIsWiderThanTheTerminal(_ width: Int) {
    var picture = DownloadPicture()
    picture.update(
      [
        file(
          String(repeating: "long/", count: 30) + "model-00001-of-00009.safetensors", 5,
          of: 9_000_000_000),
        file(String(repeating: "漢", count: 60), 5, of: 10),
        file("x", 1, of: 3, .retrying(2, of: 5, wait: 8, reason: "status 503")),
      ], "a wait of the hub's", at: 1)
    for line in picture.lines(width: width, height: 24) {
      #expect(columns(line) < max(21, width), "\(line)")
    }
  }

  @Test func theEndOfALongNameIsShown() {
    var picture = DownloadPicture()
    picture.update(
      [file(String(repeating: "x", count: 100) + "-00007-of-00009.safetensors", 5, of: 9)], nil,
      at: 1)
    let line = picture.lines(width: 100, height: 24)[0]
    #expect(line.hasPrefix("…") && line.contains("-00007-of-00009.safetensors "))
  }

  @Test func namesCannotMoveTheCursor() {
    var picture = DownloadPicture()
    picture.update([file("a\u{1B}[2Jb\u{202E}c\u{9B}d\ne", 5, of: 9)], nil, at: 1)
    for text in picture.lines(width: 80, height: 24) + [picture.line ?? ""] {
      #expect(
        text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) })
      #expect(!text.contains("\u{202E}"))
    }
  }

  @Test func waitsAndRetriesAreVisible() {
    var picture = DownloadPicture()
    picture.update(
      [
        file("a", 1, of: 3, .retrying(2, of: 5, wait: 8, reason: "status 503")),
        file("b", 1, of: 3, .elsewhere), file("c", 3, of: 3, .checking),
      ], nil, at: 1)
    let lines = picture.lines(width: 100, height: 24)
    #expect(lines[0].contains("status 503; attempt 2 of 5 in 0:08"))
    #expect(lines[1].contains("being fetched elsewhere"))
    #expect(lines[2].contains("checking"))
    #expect(picture.line?.contains("a: status 503; attempt 2 of 5") == true)
    picture.update([], "asking the.hub for org/name", at: 2)
    #expect(picture.lines(width: 100, height: 24) == ["asking the.hub for org/name"])
    #expect(picture.line == "asking the.hub for org/name")
  }

  @Test func theSpeedIsThatOfTheLastSecondsAndOfThisRun() {
    var picture = DownloadPicture()
    var before = file("a", 0, of: 2_000_000_000)
    before.before = 1_000_000_000
    for second in 0...20 {
      // A gigabyte is there; then 10 MB a second come, and in the end 1 MB.
      let moved = second <= 5 ? second * 10_000_000 : 50_000_000 + (second - 5) * 1_000_000
      before.done = 1_000_000_000 + moved
      picture.update([before], nil, at: Double(second))
      if second == 5 { #expect(picture.line?.contains("10.0 MB/s") == true) }
    }
    #expect(picture.line?.contains("1.00 MB/s") == true)
  }

  @Test func aFileBegunAnewIsNotCountedBackwards() {
    var picture = DownloadPicture()
    picture.update([file("a", 900, of: 1000)], nil, at: 1)
    picture.update([file("a", 0, of: 1000)], nil, at: 2)
    picture.update([file("a", 100, of: 1000)], nil, at: 3)
    #expect(picture.line?.contains("100 bytes/s") == true)
  }
}
