/// A text on its way through normalisers, with where each byte of it came from.
struct Passage {
  /// UTF-8.
  var bytes: [UInt8]
  /// For each byte the first byte of the original text that it comes from; empty if nobody asks.
  private(set) var starts: [Int]
  /// For each byte the end of that in the original text; empty if nobody asks.
  private(set) var ends: [Int]
  let keepsOrigins: Bool
  /// Where the original text of an unchanged passage starts.
  let start: Int
  /// How many bytes normalisers may make of it.
  let limit: Int

  /// A part of an original text as it is.
  ///
  /// Each byte comes from the whole character that it belongs to.
  init(_ text: [UInt8], _ range: Range<Int>, keepsOrigins: Bool) {
    bytes = range == 0..<text.count ? text : Array(text[range])
    starts = []
    ends = []
    self.keepsOrigins = keepsOrigins
    start = range.lowerBound
    limit = (1 << 20) + 64 * range.count
    guard keepsOrigins else { return }
    starts.reserveCapacity(range.count)
    ends.reserveCapacity(range.count)
    var offset = range.lowerBound
    while offset < range.upperBound {
      let end = min(offset + scalarLength(text[offset]), range.upperBound)
      for _ in offset..<end {
        starts.append(offset)
        ends.append(end)
      }
      offset = end
    }
  }

  /// What of the original text a range of bytes comes from.
  func origin(_ range: Range<Int>) -> Range<Int> {
    guard keepsOrigins else { return range }
    // Pieces of a model with prefixes can claim more bytes than the text has.
    let range = range.clamped(to: 0..<bytes.count)
    guard !range.isEmpty else {
      let place = range.lowerBound < starts.count ? starts[range.lowerBound] : ends.last ?? start
      return place..<place
    }
    let first = starts[range.lowerBound]
    return first..<max(first, ends[range.upperBound - 1])
  }

  /// A part of the passage as a passage of its own.
  func part(_ range: Range<Int>) -> Passage {
    if range == 0..<bytes.count { return self }
    return Passage(part: range, of: self)
  }

  private init(part range: Range<Int>, of whole: Passage) {
    bytes = Array(whole.bytes[range])
    starts = whole.keepsOrigins ? Array(whole.starts[range]) : []
    ends = whole.keepsOrigins ? Array(whole.ends[range]) : []
    keepsOrigins = whole.keepsOrigins
    start = whole.start + range.lowerBound
    limit = whole.limit
  }

  /// Where the byte at a place comes from.
  ///
  /// Without origins that is right only if nothing was changed.
  func originStart(_ place: Int) -> Int {
    keepsOrigins && place < starts.count ? starts[place] : start + place
  }

  /// A passage that replaces this one, written from its start to its end.
  struct Rewriting {
    private let old: Passage
    private(set) var bytes: [UInt8] = []
    private var starts: [Int] = []
    private var ends: [Int] = []

    init(_ old: Passage) {
      self.old = old
      bytes.reserveCapacity(old.bytes.count + old.bytes.count / 8)
      if old.keepsOrigins {
        starts.reserveCapacity(bytes.capacity)
        ends.reserveCapacity(bytes.capacity)
      }
    }

    /// Takes a range of the old bytes as it is.
    mutating func keep(_ range: Range<Int>) {
      bytes.append(contentsOf: old.bytes[range])
      if old.keepsOrigins {
        starts.append(contentsOf: old.starts[range])
        ends.append(contentsOf: old.ends[range])
      }
    }

    /// Adds bytes that come from where the old byte at `place` does; from nowhere (the very start of the
    /// text) if that is below 0.
    mutating func add(_ new: some Collection<UInt8>, from place: Int) {
      bytes.append(contentsOf: new)
      if old.keepsOrigins {
        let start = place >= 0 ? old.starts[place] : 0
        let end = place >= 0 ? old.ends[place] : 0
        starts.append(contentsOf: repeatElement(start, count: new.count))
        ends.append(contentsOf: repeatElement(end, count: new.count))
      }
    }

    mutating func add(_ byte: UInt8, from place: Int) {
      bytes.append(byte)
      if old.keepsOrigins {
        starts.append(place >= 0 ? old.starts[place] : 0)
        ends.append(place >= 0 ? old.ends[place] : 0)
      }
    }
  }

  /// Puts what was written in place of what was there.
  mutating func take(_ rewriting: Rewriting) {
    bytes = rewriting.bytes
    (starts, ends) = rewriting.origins
  }
}

extension Passage.Rewriting {
  fileprivate var origins: ([Int], [Int]) { (starts, ends) }
}

/// How many bytes the character has that starts with this byte; 1 for a byte that starts none.
func scalarLength(_ lead: UInt8) -> Int {
  switch lead {
  case ..<0xC0: 1
  case ..<0xE0: 2
  case ..<0xF0: 3
  default: 4
  }
}

/// The code point that starts at a byte of valid UTF-8.
func scalar(_ text: [UInt8], _ offset: Int) -> UInt32 {
  let lead = UInt32(text[offset])
  switch scalarLength(text[offset]) {
  case 1: return lead
  case 2: return (lead & 0x1F) << 6 | continuation(text, offset + 1)
  case 3:
    return (lead & 0x0F) << 12 | continuation(text, offset + 1) << 6
      | continuation(text, offset + 2)
  default:
    return (lead & 0x07) << 18 | continuation(text, offset + 1) << 12
      | continuation(text, offset + 2) << 6 | continuation(text, offset + 3)
  }
}

private func continuation(_ text: [UInt8], _ offset: Int) -> UInt32 { UInt32(text[offset] & 0x3F) }
