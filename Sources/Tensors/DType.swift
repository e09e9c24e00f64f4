/// The number formats a checkpoint can hold: one table of names and sizes.
///
/// The raw value is the name in a safetensors header, and the order of the cases is the order of the
/// reference implementation, which sorts by it when it writes. Sub-byte kinds (F4, F6) are known by
/// name so that they can be refused clearly.
public enum DType: String, CaseIterable, Sendable, Codable {
  case bool = "BOOL"
  case float4 = "F4"
  case float6E2M3 = "F6_E2M3"
  case float6E3M2 = "F6_E3M2"
  case uint8 = "U8"
  case int8 = "I8"
  case float8E5M2 = "F8_E5M2"
  case float8E4M3 = "F8_E4M3"
  case float8E8M0 = "F8_E8M0"
  case float8E4M3FNUZ = "F8_E4M3FNUZ"
  case float8E5M2FNUZ = "F8_E5M2FNUZ"
  case int16 = "I16"
  case uint16 = "U16"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case int32 = "I32"
  case uint32 = "U32"
  case float32 = "F32"
  case complex64 = "C64"
  case float64 = "F64"
  case int64 = "I64"
  case uint64 = "U64"

  /// The size of one element in bits; not a multiple of eight for the F4 and F6 kinds.
  public var bitWidth: Int {
    switch self {
    case .float4: 4
    case .float6E2M3, .float6E3M2: 6
    case .bool, .uint8, .int8, .float8E5M2, .float8E4M3, .float8E8M0, .float8E4M3FNUZ,
      .float8E5M2FNUZ:
      8
    case .int16, .uint16, .float16, .bfloat16: 16
    case .int32, .uint32, .float32: 32
    case .complex64, .int64, .uint64, .float64: 64
    }
  }

  /// Whether elements are smaller than a byte, so that tensors cannot be cut at any row.
  public var isSubByte: Bool { bitWidth < 8 }

  /// The size of one element in bytes; 1 for sub-byte kinds, which no reader hands out.
  public var byteWidth: Int { max(1, bitWidth / 8) }

  /// Whether the values are real floating-point numbers of at least 16 bits, which conversions accept.
  public var isFloat: Bool {
    switch self {
    case .float16, .bfloat16, .float32, .float64: true
    default: false
    }
  }

  /// The name PyTorch gives the type, without the `torch.` prefix; `nil` where PyTorch has none.
  public var torchName: String? {
    switch self {
    case .bool: "bool"
    case .uint8: "uint8"
    case .int8: "int8"
    case .float4, .float6E2M3, .float6E3M2: nil
    case .float8E5M2: "float8_e5m2"
    case .float8E4M3: "float8_e4m3fn"
    case .float8E8M0: "float8_e8m0fnu"
    case .float8E4M3FNUZ: "float8_e4m3fnuz"
    case .float8E5M2FNUZ: "float8_e5m2fnuz"
    case .int16: "int16"
    case .uint16: "uint16"
    case .float16: "float16"
    case .bfloat16: "bfloat16"
    case .int32: "int32"
    case .uint32: "uint32"
    case .float32: "float32"
    case .complex64: "complex64"
    case .int64: "int64"
    case .uint64: "uint64"
    case .float64: "float64"
    }
  }

  /// The type with the given PyTorch name (`bfloat16`), or `nil`.
  public init?(torchName: String) {
    guard let found = DType.allCases.first(where: { $0.torchName == torchName }) else { return nil }
    self = found
  }
}
