/// Cuts where the script changes; Han, Hiragana and Katakana count as one.
struct UnicodeScripts: PreTokenizer {
  func split(_ words: inout Words, _ workspace: inout Workspace) throws(TokenizerError) {
    let scripts = Self.scripts
    var ranges: [Range<Int>] = []
    let text = words.passage.bytes
    for word in words.ranges {
      var last: UInt8 = 0
      // What stands before the first character of a script is dropped, as the crate does.
      var start: Int?
      var place = word.lowerBound
      while place < word.upperBound {
        let code = scalar(text, place)
        let script = code == 0x20 ? 0 : scripts[Int(code)]
        if script != 0 {
          if script != last {
            if let start { ranges.append(start..<place) }
            start = place
          }
          last = script
        }
        place += scalarLength(text[place])
      }
      if let start { ranges.append(start..<word.upperBound) }
    }
    words.ranges = ranges
  }

  /// By code point a number for its script; 0 for those without one.
  private static let scripts: [UInt8] = {
    var scripts = [UInt8](repeating: 0, count: 0x110000)
    var text: [UInt8] = []
    var places: [UInt32] = []
    for code in UInt32(0)...0x10FFFF {
      guard let scalar = Unicode.Scalar(code) else { continue }
      for byte in Unicode.UTF8.encode(scalar) ?? .init() {
        text.append(byte)
        places.append(code)
      }
    }
    let matcher = Matcher()
    for (index, source) in patterns.enumerated() {
      // A script that this version of the library does not know has no characters.
      guard let pattern = try? Regex(source, .oniguruma, at: "scripts") else { continue }
      var search = Regex.Search()
      while (try? pattern.find(in: text, 0..<text.count, &search, matcher)) == true {
        for found in 0..<search.count {
          let first = places[Int(search.bounds[2 * found])]
          let last = places[Int(search.bounds[2 * found + 1]) - 1]
          for code in first...last { scripts[Int(code)] = UInt8(index + 1) }
        }
      }
    }
    scripts[0x30FC] = 1
    return scripts
  }()

  /// The patterns of the scripts that the crate knows; the first stands for three scripts.
  private static let patterns: [String] =
    [#"[\p{Han}\p{Hiragana}\p{Katakana}]+"#]
    + names.split(separator: " ").map { #"\p{\#($0)}+"# }

  private static let names = """
    Adlam Ahom AnatolianHieroglyphs Arabic Armenian Avestan Balinese Bamum BassaVah Batak \
    Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid CanadianAboriginal Carian \
    CaucasianAlbanian Chakma Cham Cherokee Common Coptic Cuneiform Cypriot Cyrillic Deseret \
    Devanagari Duployan EgyptianHieroglyphs Elbasan Ethiopic Georgian Glagolitic Gothic \
    Grantha Greek Gujarati Gurmukhi Hangul Hanunoo Hatran Hebrew ImperialAramaic Inherited \
    InscriptionalPahlavi InscriptionalParthian Javanese Kaithi Kannada KayahLi Kharoshthi \
    Khmer Khojki Khudawadi Lao Latin Lepcha Limbu LinearA LinearB Lisu Lycian Lydian Mahajani \
    Malayalam Mandaic Manichaean Marchen MeeteiMayek MendeKikakui MeroiticCursive \
    MeroiticHieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean NewTaiLue Newa Nko \
    Ogham OlChiki OldHungarian OldItalic OldNorthArabian OldPermic OldPersian OldSouthArabian \
    OldTurkic Oriya Osage Osmanya PahawhHmong Palmyrene PauCinHau PhagsPa Phoenician \
    PsalterPahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham SignWriting \
    Sinhala SoraSompeng Sundanese SylotiNagri Syriac Tagalog Tagbanwa TaiLe TaiTham TaiViet \
    Takri Tamil Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Ugaritic Vai WarangCiti Yi
    """
}
