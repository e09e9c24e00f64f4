import Tensors

/// How far a training run has come: Megatron-Bridge's `train_state.pt` and `latest_train_state.pt`.
///
/// In the file, every field is a tensor of no dimensions.
public struct TrainState: Equatable, Sendable {
  public var step = 0
  public var consumedTrainSamples = 0
  public var skippedTrainSamples = 0
  public var consumedValidSamples = 0
  /// Stored in single precision.
  public var floatingPointOperations: Float = 0
  public var doTrain = false
  public var doValid = false
  public var doTest = false

  public init(step: Int = 0) { self.step = step }

  /// Reads the file; integers may be of any width, and fields other than `step` may be absent.
  ///
  /// - Throws: `MegatronError.torchFile`, or `.malformedFile`.
  public init(reading path: String) throws(MegatronError) {
    let zip: TorchZip
    let value: PickleValue
    do throws(TorchFileError) {
      zip = try TorchZip(path: path)
      value = try zip.pickle(policy: .inert)
    } catch { throw .torchFile(error) }
    guard case .dictionary(let fields) = value else {
      throw .malformedFile(
        file: path, place: "the top", expected: "a dictionary", found: value.kind)
    }
    let reader = FieldReader(path: path, zip: zip, fields: fields)
    guard let step = try reader.number("step").map(Int.init(exactly:)) ?? nil, step >= 0 else {
      throw .malformedFile(
        file: path, place: "step", expected: "a number of steps", found: "something else")
    }
    self.step = step
    consumedTrainSamples = try reader.count("consumed_train_samples")
    skippedTrainSamples = try reader.count("skipped_train_samples")
    consumedValidSamples = try reader.count("consumed_valid_samples")
    floatingPointOperations = Float(try reader.number("floating_point_operations_so_far") ?? 0)
    doTrain = try reader.number("do_train") == 1
    doValid = try reader.number("do_valid") == 1
    doTest = try reader.number("do_test") == 1
  }
}

/// Fields of a dictionary that are numbers or tensors of one element.
private struct FieldReader {
  let path: String
  let zip: TorchZip
  let fields: PickleDictionary

  func count(_ name: String) throws(MegatronError) -> Int {
    guard let value = try number(name) else { return 0 }
    guard let count = Int(exactly: value) else {
      throw .malformedFile(file: path, place: name, expected: "a count", found: "\(value)")
    }
    return count
  }

  /// The number in a field; `nil` if the field is absent.
  ///
  /// Counts beyond 2^53, where doubles have gaps, are not steps or samples of any run.
  func number(_ name: String) throws(MegatronError) -> Double? {
    guard let value = fields[name] else { return nil }
    switch value {
    case .integer(let number): return Double(number)
    case .float(let number): return number
    case .bool(let flag): return flag ? 1 : 0
    default: break
    }
    let stored: StoredTensor
    do throws(TorchFileError) { stored = try zip.tensor(from: value) } catch {
      throw .torchFile(error)
    }
    guard stored.shape.checkedCount == 1 else {
      throw .malformedFile(
        file: path, place: name, expected: "one number", found: "a tensor of \(stored.shape)")
    }
    let buffer = ByteBuffer(capacity: stored.dtype.byteWidth)
    do throws(FileError) { try buffer.fill(stored.runs()) } catch { throw .file(error) }
    let bytes = buffer.bytes(0..<stored.dtype.byteWidth)
    let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    switch stored.dtype {
    case .bool, .uint8: return Double(bits)
    case .int32: return Double(Int32(truncatingIfNeeded: bits))
    case .int64: return Double(Int64(bitPattern: bits))
    case .float32: return Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
    case .float64: return Double(bitPattern: bits)
    default:
      throw .malformedFile(
        file: path, place: name, expected: "int64, float32 or bool", found: stored.dtype.rawValue)
    }
  }
}
