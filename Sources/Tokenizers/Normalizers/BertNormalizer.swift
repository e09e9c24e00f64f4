import JSON

/// What BERT does to a text: drops control characters, sets spaces around Chinese characters, strips accents,
/// lowers the case; each of them can be turned off.
struct BertNormalizer: Normalizer {
  private let cleansText: Bool
  private let spacesChinese: Bool
  private let stripsAccents: Bool
  private let lowers: Bool

  init(_ section: Section) throws(TokenizerFault) {
    cleansText = try section.flag("clean_text")
    spacesChinese = try section.flag("handle_chinese_chars")
    lowers = try section.flag("lowercase")
    let isOpen = section["strip_accents"].map(\.isNull) ?? true
    stripsAccents = try isOpen ? lowers : section.flag("strip_accents")
  }

  func normalize(_ passage: inout Passage, _ workspace: inout Workspace) {
    if cleansText { clean(&passage) }
    if spacesChinese, !passage.isASCII { space(&passage) }
    if stripsAccents, !passage.isASCII {
      UnicodeForm(isCompatible: false, isComposed: false).normalize(&passage, &workspace)
      passage.remove { Scalars.category($0) == .nonspacingMark }
    }
    if lowers { Lowercase().normalize(&passage, &workspace) }
  }

  private func clean(_ passage: inout Passage) {
    passage.rewriteScalars { scalar, range, new in
      if scalar == 0 || scalar == 0xFFFD { return }
      if Scalars.isWhitespace(scalar) {
        // The tests come in this order: U+0085 is a control character first.
        if scalar != 9, scalar != 10, scalar != 13, Scalars.isOther(scalar) { return }
        new.add(UInt8(ascii: " "), from: range.lowerBound)
      } else if !Scalars.isOther(scalar) {
        new.keep(range)
      }
    }
  }

  private func space(_ passage: inout Passage) {
    passage.rewriteScalars { scalar, range, new in
      let isChinese = Self.isChinese(scalar)
      if isChinese { new.add(UInt8(ascii: " "), from: range.lowerBound) }
      new.keep(range)
      if isChinese { new.add(UInt8(ascii: " "), from: range.lowerBound) }
    }
  }

  /// The blocks that BERT's own code lists.
  private static func isChinese(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
      0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
      true
    default: false
    }
  }
}
