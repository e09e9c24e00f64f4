/// What classes of characters hold, as Oniguruma and Rust have it, spelled for a set in PCRE2's language.
///
/// PCRE2's own `\s`, `\w`, `[:punct:]` … hold others.
enum PatternClasses {
  /// The property White_Space: PCRE2's `\s` holds U+180E as well.
  static let space =
    #"\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"#

  private static let notSpace =
    #"\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}"#
    + #"\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff}"#

  static let hexadecimal = "0-9a-fA-F"

  private static let notHexadecimal = #"\x{0}-\x{2f}\x{3a}-\x{40}\x{47}-\x{60}\x{67}-\x{10ffff}"#

  private static let letters = #"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}"#

  /// What `\w` holds: for Oniguruma Latin-1's other numbers too, for Rust the joiners.
  static func word(_ language: Regex.Language) -> String {
    letters
      + (language == .rust
        ? #"\x{200c}\x{200d}"# : #"\x{b2}\x{b3}\x{b9}\x{bc}-\x{be}"#)
  }

  /// What the class holds that is not in a class of these members, if that can be spelled between brackets.
  static func complement(of members: String) -> String? {
    if members == space { return notSpace }
    if members == hexadecimal { return notHexadecimal }
    // A single property.
    let isOne = !members.utf8.dropFirst().contains(UInt8(ascii: "\\")) && members.hasSuffix("}")
    guard members.hasPrefix(#"\p{"#), isOne else { return nil }
    return #"\P"# + members.dropFirst(2)
  }

  /// What a POSIX class holds.
  static func posix(_ name: String) -> String? {
    switch name {
    case "alnum": #"\p{Alphabetic}\p{Nd}"#
    case "alpha": #"\p{Alphabetic}"#
    case "ascii": #"\x{0}-\x{7f}"#
    case "blank": #"\p{Zs}\x{9}"#
    case "cntrl": #"\p{Cc}"#
    case "digit": #"\p{Nd}"#
    case "graph": #"\p{L}\p{M}\p{N}\p{P}\p{S}\p{Cf}\p{Co}"#
    case "lower": #"\p{Lowercase}"#
    case "print": #"\p{L}\p{M}\p{N}\p{P}\p{S}\p{Cf}\p{Co}\p{Zs}"#
    case "punct": #"\p{P}\p{S}"#
    case "space": space
    case "upper": #"\p{Uppercase}"#
    case "word": letters
    case "xdigit": hexadecimal
    default: nil
    }
  }

  /// The class of a property's name, which is compared without case, spaces, `_` and `-`.
  static func property(_ name: String) -> PatternClass? {
    let plain = String(
      decoding: name.utf8.filter { ![0x20, 0x2D, 0x5F].contains($0) }.map {
        $0 >= 0x41 && $0 <= 0x5A ? $0 + 0x20 : $0
      }, as: UTF8.self)
    guard !plain.isEmpty, plain.utf8.allSatisfy({ Scalars.isWord(UInt32($0)) && $0 < 0x80 }) else {
      return nil
    }
    if let category = category(plain) { return PatternClass(members: #"\p{\#(category)}"#) }
    if plain != "punct", let members = posix(plain) { return PatternClass(members: members) }
    switch plain {
    // Unlike the bracket, it leaves out symbols.
    case "punct": return PatternClass(members: #"\p{P}"#)
    case "any": return PatternClass(members: #"\x{0}-\x{10ffff}"#)
    case "assigned": return PatternClass(members: #"\P{Cn}"#)
    case "whitespace": return PatternClass(members: space)
    case _ where binary.contains(plain): return PatternClass(members: #"\p{\#(plain)}"#)
    // PCRE2 would take a script's name for the script with its extensions.
    default: return PatternClass(members: #"\p{sc:\#(plain)}"#)
    }
  }

  /// The short name of a general category.
  private static func category(_ name: String) -> String? {
    if let short = longCategories[name] { return short }
    guard categories.contains(name) else { return nil }
    return name.prefix(1).uppercased() + name.dropFirst()
  }

  private static let categories = Set(
    """
    c cc cf cn co cs l ll lm lo lt lu m mc me mn n nd nl no p pc pd pe pf pi po ps s sc sk sm so z zl zp zs
    """.split(separator: " ").map(String.init))

  private static let longCategories = [
    "other": "C", "control": "Cc", "format": "Cf", "unassigned": "Cn", "privateuse": "Co",
    "surrogate": "Cs", "letter": "L", "lowercaseletter": "Ll", "modifierletter": "Lm",
    "otherletter": "Lo", "titlecaseletter": "Lt", "uppercaseletter": "Lu", "casedletter": "L&",
    "lc": "L&", "mark": "M", "combiningmark": "M", "spacingmark": "Mc", "enclosingmark": "Me",
    "nonspacingmark": "Mn", "number": "N", "decimalnumber": "Nd", "letternumber": "Nl",
    "othernumber": "No", "punctuation": "P", "connectorpunctuation": "Pc",
    "dashpunctuation": "Pd", "closepunctuation": "Pe", "finalpunctuation": "Pf",
    "initialpunctuation": "Pi", "otherpunctuation": "Po", "openpunctuation": "Ps", "symbol": "S",
    "currencysymbol": "Sc", "modifiersymbol": "Sk", "mathsymbol": "Sm", "othersymbol": "So",
    "separator": "Z", "lineseparator": "Zl", "paragraphseparator": "Zp", "spaceseparator": "Zs",
  ]

  private static let binary = Set(
    """
    alphabetic asciihexdigit casedignorable cased dash diacritic emoji emojicomponent emojimodifier \
    emojimodifierbase emojipresentation extendedpictographic extender graphemebase graphemeextend hexdigit \
    idcontinue ideographic idstart joincontrol lowercase math quotationmark radical regionalindicator \
    sentenceterminal softdotted terminalpunctuation unifiedideograph uppercase variationselector xidcontinue \
    xidstart
    """.split(separator: " ").map(String.init))
}
