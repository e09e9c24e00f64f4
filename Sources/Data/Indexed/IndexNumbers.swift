import Tensors

/// A row of whole numbers of the narrowest type that Megatron keeps them in, in memory or in a mapped file.
public enum IndexNumbers: Sendable {
  case int16([Int16])
  case int32([Int32])
  case uint32([UInt32])
  case int64([Int64])
  case mappedInt16(MappedNumbers<Int16>)
  case mappedInt32(MappedNumbers<Int32>)
  case mappedUInt32(MappedNumbers<UInt32>)
  case mappedInt64(MappedNumbers<Int64>)

  public var count: Int {
    switch self {
    case .int16(let numbers): numbers.count
    case .int32(let numbers): numbers.count
    case .uint32(let numbers): numbers.count
    case .int64(let numbers): numbers.count
    case .mappedInt16(let numbers): numbers.count
    case .mappedInt32(let numbers): numbers.count
    case .mappedUInt32(let numbers): numbers.count
    case .mappedInt64(let numbers): numbers.count
    }
  }

  public subscript(index: Int) -> Int {
    switch self {
    case .int16(let numbers): Int(numbers[index])
    case .int32(let numbers): Int(numbers[index])
    case .uint32(let numbers): Int(numbers[index])
    case .int64(let numbers): Int(numbers[index])
    case .mappedInt16(let numbers): Int(numbers[index])
    case .mappedInt32(let numbers): Int(numbers[index])
    case .mappedUInt32(let numbers): Int(numbers[index])
    case .mappedInt64(let numbers): Int(numbers[index])
    }
  }

  /// NumPy's code of the type.
  var code: String {
    switch self {
    case .int16, .mappedInt16: "<i2"
    case .int32, .mappedInt32: "<i4"
    case .uint32, .mappedUInt32: "<u4"
    case .int64, .mappedInt64: "<i8"
    }
  }

  /// All of them; for tests and small ones.
  public var array: [Int] { (0..<count).map { self[$0] } }
}
