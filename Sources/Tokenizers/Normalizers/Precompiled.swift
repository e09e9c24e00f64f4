import CUTF8Proc

extension Pipeline {
  /// The normaliser that replaces by sentencepiece's compiled table.
  static func precompiled(_ section: Section) throws(TokenizerFault) -> any Normalizer {
    guard let value = section["precompiled_charsmap"], !value.isNull else {
      throw .missing("precompiled_charsmap", in: section.place)
    }
    let text = try section.string("precompiled_charsmap")
    guard let blob = Base64.bytes(Array(text.utf8)) else {
      throw section.fault("precompiled_charsmap", "base64")
    }
    return Precompiled(map: try CharacterMap(blob[...], offset: 0))
  }
}

/// Replaces characters by sentencepiece's compiled map as the package `tokenizers` does it.
///
/// It goes from grapheme cluster to grapheme cluster: one of less than six bytes becomes the replacement of
/// the shortest key that it begins with, whatever follows that in it; else its characters are looked up alone.
///
/// Source: src/normalizers/precompiled.rs of tokenizers 0.23, src/lib.rs of spm_precompiled 0.1.
struct Precompiled: Normalizer {
  let map: CharacterMap

  /// Longer clusters are not looked up as a whole.
  private static let longestCluster = 5

  func normalize(_ passage: inout Passage, _ workspace: inout Workspace) {
    let bytes = passage.bytes
    var new = Passage.Rewriting(passage)
    var kept = 0
    var place = 0
    func replace(_ range: Range<Int>, _ new: inout Passage.Rewriting) -> Bool {
      // The package stops at a NUL in a text.
      guard bytes[range.lowerBound] != 0,
        let found = map.shortest(bytes, range.lowerBound, range.upperBound)
      else { return false }
      new.keep(kept..<range.lowerBound)
      write(map.text(found), in: bytes, for: range, to: &new)
      kept = range.upperBound
      return true
    }
    while place < bytes.count {
      let end = clusterEnd(bytes, place)
      if end - place <= Self.longestCluster, replace(place..<end, &new) {
        place = end
        continue
      }
      while place < end {
        let next = place + scalarLength(bytes[place])
        _ = replace(place..<next, &new)
        place = next
      }
    }
    guard kept > 0 else { return }
    new.keep(kept..<bytes.count)
    passage.take(new)
  }

  /// Writes a replacement; its characters come from those it replaces in turn, those too many from the last.
  private func write(
    _ text: ArraySlice<UInt8>, in bytes: [UInt8], for range: Range<Int>,
    to new: inout Passage.Rewriting
  ) {
    var origin = range.lowerBound
    var place = text.startIndex
    while place < text.endIndex {
      let end = min(place + scalarLength(text[place]), text.endIndex)
      new.add(text[place..<end], from: origin)
      let next = origin + scalarLength(bytes[origin])
      if next < range.upperBound { origin = next }
      place = end
    }
  }

  /// Where the extended grapheme cluster ends that begins at a place.
  private func clusterEnd(_ bytes: [UInt8], _ start: Int) -> Int {
    var end = start + scalarLength(bytes[start])
    var last = scalar(bytes, start)
    var state: Int32 = 0
    while end < bytes.count {
      let lead = bytes[end]
      // Most characters are two letters' neighbours.
      if last < 0x80, lead < 0x80 {
        guard last == 0x0D, lead == 0x0A else { return end }
      }
      let next = scalar(bytes, end)
      if utf8proc_grapheme_break_stateful(
        Int32(bitPattern: last), Int32(bitPattern: next), &state)
      {
        return end
      }
      end += scalarLength(lead)
      last = next
    }
    return end
  }
}
