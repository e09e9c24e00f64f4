/// How the tokens of a Megatron data set are stored; the raw value is the code in its `.idx`.
public enum TokenType: UInt8, CaseIterable, Sendable {
  case uint8 = 1
  case int8, int16, int32, int64, float64, float32, uint16

  /// NumPy's name.
  public var name: String { "\(self)" }

  /// Bytes of one number.
  public var width: Int {
    switch self {
    case .uint8, .int8: 1
    case .int16, .uint16: 2
    case .int32, .float32: 4
    case .int64, .float64: 8
    }
  }

  /// The ids that it holds exactly, as far as a token can be one.
  public var range: ClosedRange<Int32> {
    switch self {
    case .uint8: 0...255
    case .int8: -128...127
    case .int16: -32768...32767
    case .uint16: 0...65535
    case .int32, .int64, .float64: Int32.min...Int32.max
    case .float32: -(1 << 24)...(1 << 24)
    }
  }

  /// What Megatron stores the ids of a vocabulary in: 16 bits below 65,500 of them, else 32.
  public static func optimal(vocabulary: Int) -> TokenType {
    vocabulary < 65_500 ? .uint16 : .int32
  }
}
