/// One value of a pickle in eight bytes: its kind in the low four bits, above them the value itself
/// or its place in a `PickleArena`.
///
/// A cell owns nothing, so that millions of them are made, copied and dropped without counting
/// references; it means something only together with its arena.
struct PickleCell: Equatable {
  enum Kind: UInt8 {
    /// No value: what BUILD has not set yet.
    case absent
    case none
    case bool
    /// The number itself, where 60 bits hold it.
    case integer
    /// The place, among the cells, of a number of 64 bits.
    case wideInteger
    /// The place, among the cells, of a double's bits.
    case float
    /// An index into `texts`; so for bytes, and for integers beyond 64 bits.
    case text
    case bytes
    case bigInteger
    /// An index into `globals`.
    case global
    /// An index into `containers`; so for dictionaries and sets.
    case list
    case dictionary
    case set
    /// The place of its header among the cells; the items follow.
    case tuple
    /// An index into `objects`.
    case object
    /// The place of its header among the cells; the value follows.
    case persistent

    /// The kind of a number below 16; written out because the optimiser then sees that there is
    /// nothing to do.
    @inline(__always)
    fileprivate init(low bits: UInt64) {
      self =
        switch bits {
        case 0: .absent
        case 1: .none
        case 2: .bool
        case 3: .integer
        case 4: .wideInteger
        case 5: .float
        case 6: .text
        case 7: .bytes
        case 8: .bigInteger
        case 9: .global
        case 10: .list
        case 11: .dictionary
        case 12: .set
        case 13: .tuple
        case 14: .object
        default: .persistent
        }
    }

    var hasHeader: Bool { self == .tuple || self == .persistent }
  }

  let bits: UInt64

  init(bits: UInt64) { self.bits = bits }

  init(_ kind: Kind, _ payload: Int = 0) {
    bits = UInt64(bitPattern: Int64(payload)) &<< 4 | UInt64(kind.rawValue)
  }

  static let absent = PickleCell(.absent)
  static let none = PickleCell(.none)

  /// Whether a number needs no place of its own.
  static func holds(_ number: Int) -> Bool { (number &<< 4) &>> 4 == number }

  @inline(__always)
  var kind: Kind { Kind(low: bits & 15) }
  var payload: Int { Int(Int64(bitPattern: bits) &>> 4) }

  /// Whether the value holds no others, or was skipped.
  var isLeaf: Bool { bits & 15 < UInt64(Kind.list.rawValue) || payload < 0 }
}
