import ArgumentParser

/// A number of bytes as a user writes it: `1GiB`, `512MB`, `1.5G`, `4096`.
package struct ByteSize: ExpressibleByArgument, Equatable, CustomStringConvertible {
  package var bytes: Int
  private var text: String

  /// `K`, `M`, `G`, `T` and `KiB` … are powers of 1024; `KB`, `MB` … powers of 1000.
  package init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    guard let number = Double(digits), number >= 0 else { return nil }
    let unit = argument.dropFirst(digits.count).drop { $0 == " " }.lowercased()
    let powers: [String: Double] = [
      "": 1, "b": 1,
      "k": 0x1p10, "kib": 0x1p10, "ki": 0x1p10, "kb": 1e3,
      "m": 0x1p20, "mib": 0x1p20, "mi": 0x1p20, "mb": 1e6,
      "g": 0x1p30, "gib": 0x1p30, "gi": 0x1p30, "gb": 1e9,
      "t": 0x1p40, "tib": 0x1p40, "ti": 0x1p40, "tb": 1e12,
    ]
    guard let power = powers[unit], number * power < 0x1p60 else { return nil }
    bytes = Int(number * power)
    text = argument
  }

  package init(_ bytes: Int, as text: String) {
    self.bytes = bytes
    self.text = text
  }

  package var description: String { text }
  package var defaultValueDescription: String { text }
}
