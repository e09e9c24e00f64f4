import CUTF8Proc

/// One of Unicode's normalisation forms: NFC, NFD, NFKC or NFKD (UAX #15).
///
/// Characters of the result come from those of the text one after the other, as the crate has it: of a
/// character that falls into several all come from it, several that become one come from the first of them, and
/// marks that change places do not take along where they came from.
struct UnicodeForm: Normalizer {
  let isCompatible: Bool
  let isComposed: Bool

  /// A code point of the text and its first byte.
  private struct Part {
    var scalar: Int32
    var place: Int
  }

  /// A code point of the result, and how many code points of the text it takes the place of.
  private struct Result {
    var scalar: Int32
    var taken: Int
  }

  func normalize(_ passage: inout Passage, _ workspace: inout Workspace) {
    let bytes = passage.bytes
    guard let first = firstTouched(bytes) else { return }
    var new = Passage.Rewriting(passage)
    // What stands before the first character that could change may still combine with it.
    var done = 0
    var start = scalarStart(bytes, before: first + (first == 0 ? 1 : 0))
    var place = start
    var parts: [Part] = []
    var isPlain = true
    while place < bytes.count {
      let scalar = Int32(bitPattern: scalar(bytes, place))
      if place > start, isBoundary(scalar) {
        if !isPlain {
          new.keep(done..<start)
          write(&parts, to: &new)
          done = place
        }
        parts.removeAll(keepingCapacity: true)
        start = place
        isPlain = true
      }
      if scalar >= 0x80 {
        isPlain = isPlain && place == start && !changes(scalar)
      } else if place > start {
        isPlain = false
      }
      parts.append(Part(scalar: scalar, place: place))
      place += scalarLength(bytes[place])
    }
    if !isPlain {
      new.keep(done..<start)
      write(&parts, to: &new)
      done = bytes.count
    }
    new.keep(done..<bytes.count)
    passage.take(new)
  }

  /// The first character that may change or combine with the one before it.
  private func firstTouched(_ bytes: [UInt8]) -> Int? {
    // Below, every character stays as it is and combines with none before it.
    let limit: UInt32 = isCompatible ? 0xA0 : isComposed ? 0x300 : 0xC0
    var place = 0
    while place < bytes.count {
      let lead = bytes[place]
      if lead < 0x80 {
        place += 1
        continue
      }
      let code = scalar(bytes, place)
      if code >= limit, changes(Int32(bitPattern: code)) || !isBoundary(Int32(bitPattern: code)) {
        return place
      }
      place += scalarLength(lead)
    }
    return nil
  }

  /// Whether a character alone may become something else.
  private func changes(_ scalar: Int32) -> Bool {
    if scalar >= 0xAC00, scalar <= 0xD7A3 { return !isComposed }
    return decomposes(scalar)
  }

  private func decomposes(_ scalar: Int32) -> Bool {
    let properties = utf8proc_get_property(scalar).pointee
    return properties.decomp_seqindex != .max
      && (isCompatible || properties.decomp_type == 0)
  }

  /// Whether nothing before a character can combine with it or change places with it.
  private func isBoundary(_ scalar: Int32) -> Bool {
    if scalar < 0x300, !isCompatible { return true }
    guard decomposes(scalar) else { return startsAnew(scalar) }
    return startsAnew(decomposition(of: scalar).first ?? scalar)
  }

  private func startsAnew(_ scalar: Int32) -> Bool {
    // The vowels and final consonants of Hangul combine with what is before them.
    if scalar >= 0x1161, scalar <= 0x11C2 { return false }
    let properties = utf8proc_get_property(scalar).pointee
    return properties.combining_class == 0
      && !(properties.comb_index != .max && properties.comb_index >= 0x8000)
  }

  private func decomposition(of scalar: Int32) -> [Int32] {
    var options = UTF8PROC_STABLE.rawValue | UTF8PROC_DECOMPOSE.rawValue
    if isCompatible { options |= UTF8PROC_COMPAT.rawValue }
    var result = [Int32](repeating: 0, count: 32)
    var boundary: Int32 = 0
    let count = utf8proc_decompose_char(
      scalar, &result, result.count, utf8proc_option_t(rawValue: options), &boundary)
    // U+FDFA, the longest, becomes 18 characters.
    precondition(count >= 0 && count <= result.count, "a decomposition longer than Unicode has any")
    return Array(result.prefix(count))
  }

  // MARK: - A stretch that nothing around it combines with

  private func write(_ given: inout [Part], to new: inout Passage.Rewriting) {
    var results: [Result] = []
    for part in given {
      for (index, scalar) in decomposition(of: part.scalar).enumerated() {
        results.append(Result(scalar: scalar, taken: index == 0 ? 1 : 0))
      }
    }
    order(&results)
    if isComposed { compose(&results) }
    var next = 0
    for result in results {
      let source = max(0, result.taken > 0 ? next : next - 1)
      next += result.taken
      guard let scalar = Unicode.Scalar(UInt32(bitPattern: result.scalar)) else { continue }
      let place = given[min(source, given.count - 1)].place
      new.add(Unicode.UTF8.encode(scalar) ?? .init(), from: place)
    }
  }

  private func combiningClass(_ scalar: Int32) -> Int {
    Int(utf8proc_get_property(scalar).pointee.combining_class)
  }

  /// Puts marks into their canonical order; those of one class keep theirs.
  private func order(_ results: inout [Result]) {
    var start = 0
    while start < results.count {
      guard combiningClass(results[start].scalar) > 0 else {
        start += 1
        continue
      }
      var end = start
      while end < results.count, combiningClass(results[end].scalar) > 0 { end += 1 }
      // Swift's sort keeps the order of equal elements but does not promise it: by place then.
      let ordered = results[start..<end].enumerated().sorted {
        let left = combiningClass($0.element.scalar)
        let right = combiningClass($1.element.scalar)
        return left == right ? $0.offset < $1.offset : left < right
      }
      results.replaceSubrange(start..<end, with: ordered.map(\.element))
      start = end
    }
  }

  /// Joins each character with the last starter before it, where nothing between them is in the way.
  private func compose(_ given: inout [Result]) {
    var results: [Result] = []
    var starter: Int?
    var lastClass = -1
    for result in given {
      let own = combiningClass(result.scalar)
      if let place = starter, lastClass < own,
        let joined = Self.joined(results[place].scalar, result.scalar)
      {
        results[place].scalar = joined
        results[place].taken += result.taken
        continue
      }
      if own == 0 {
        starter = results.count
        lastClass = -1
      } else {
        lastClass = own
      }
      results.append(result)
    }
    given = results
  }

  /// What two characters become together.
  private static func joined(_ left: Int32, _ right: Int32) -> Int32? {
    var pair = [left, right]
    let options = utf8proc_option_t(
      rawValue: UTF8PROC_STABLE.rawValue | UTF8PROC_COMPOSE.rawValue)
    return utf8proc_normalize_utf32(&pair, 2, options) == 1 ? pair[0] : nil
  }
}
