import Testing

@testable import Console

@Test(arguments: [
  (0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.00 kB"),
  (2_471_645_608, "2.47 GB"), (999_499, "999 kB"), (999_500, "1.00 MB"), (12_345, "12.3 kB"),
])
func sizesAreDecimalWithThreeDigits(_ count: Int, _ text: String) {
  #expect(Format.bytes(count) == text)
}

@Test func countsHaveSeparators() {
  #expect(Format.count(0) == "0")
  #expect(Format.count(999) == "999")
  #expect(Format.count(1_234_567) == "1,234,567")
  #expect(Format.count(-1000) == "-1,000")
}

@Test(arguments: [
  (0.0, "0"), (0.5, "0.5000"), (0.0003051757, "0.0003052"), (1.5e-5, "1.500e-5"), (2048, "2048"),
])
func differencesHaveFourDigits(_ value: Double, _ text: String) {
  #expect(Format.difference(value) == text)
}

@Test func wordsAreQuotedOnlyWhereAShellNeedsIt() {
  #expect(
    Format.command(["convert", "a b", "it's", "", "~x", "org/name@v1"])
      == #"convert 'a b' 'it'\''s' '' '~x' org/name@v1"#)
}

@Test(arguments: [
  ("1GiB", 1 << 30), ("512MB", 512_000_000), ("512M", 512 << 20), ("1.5k", 1536), ("4096", 4096),
  ("2 gib", 2 << 30),
])
func memorySizesAreRead(_ text: String, _ bytes: Int) {
  #expect(ByteSize(argument: text)?.bytes == bytes)
}

@Test(arguments: ["", "GB", "-1G", "1X", "1e30T", "999999999T"])
func memorySizesThatAreNoneAreRefused(_ text: String) {
  #expect(ByteSize(argument: text) == nil)
}

@Test func barsFitTheTerminal() {
  for width in [10, 40, 80, 200] {
    let bar = ProgressDisplay.bar(
      "import", done: 1_530_000_000, of: 2_470_000_000, seconds: 3.7, width: width)
    #expect(bar.count < width)
  }
  let wide = ProgressDisplay.bar("import", done: 500, of: 1000, seconds: 1, width: 100)
  #expect(wide.contains("50 %"))
  #expect(wide.contains("500 bytes/s"))
  #expect(wide.contains("0:01 left"))
}
