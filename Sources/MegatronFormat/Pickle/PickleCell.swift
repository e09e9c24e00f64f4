/// One value of a pickle in four bytes: its kind in the low four bits, above them the value itself
/// or its place in a `PickleArena`.
///
/// A cell owns nothing, so that millions of them are made, copied and dropped without counting
/// references; it means something only together with its arena. It is small because the time that
/// opening a large checkpoint takes is to a good part the time to get fresh memory.
struct PickleCell: Equatable {
  enum Kind: UInt8 {
    /// No value: what BUILD has not set yet.
    case absent
    case none
    case bool
    /// The number itself, where 28 bits hold it.
    case integer
    /// The place, among the cells, of the two halves of a number of 64 bits.
    case wideInteger
    /// The place, among the cells, of the two halves of a double.
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
    fileprivate init(low bits: UInt32) {
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

  let bits: UInt32

  init(bits: UInt32) { self.bits = bits }

  /// - Parameter payload: of 28 bits.
  @inline(__always)
  init(_ kind: Kind, _ payload: Int = 0) {
    bits = UInt32(truncatingIfNeeded: payload) &<< 4 | UInt32(kind.rawValue)
  }

  static let absent = PickleCell(.absent)
  static let none = PickleCell(.none)

  /// Whether a number needs no place of its own.
  @inline(__always)
  static func holds(_ number: Int) -> Bool { number >= -1 << 27 && number < 1 << 27 }

  @inline(__always)
  var kind: Kind { Kind(low: bits & 15) }

  /// A place or an index.
  @inline(__always)
  var payload: Int { Int(bits &>> 4) }

  /// The number in a cell that holds one itself.
  @inline(__always)
  var number: Int { Int(Int32(bitPattern: bits) &>> 4) }

  // MARK: Skipped values

  /// The payloads from here on are those of containers and objects that were skipped; an object's
  /// depth is added.
  static let firstSkipped = 1 << 28 - 1 << 20
  static let greatestSkippedDepth = 1 << 20 - 1

  @inline(__always)
  var isSkipped: Bool { payload >= Self.firstSkipped }

  /// Whether the value holds no others, or was skipped.
  @inline(__always)
  var isLeaf: Bool { bits & 15 < UInt32(Kind.list.rawValue) || isSkipped }
}
