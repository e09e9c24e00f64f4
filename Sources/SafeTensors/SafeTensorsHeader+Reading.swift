import JSON
import Tensors

extension SafeTensorsHeader {
  /// Reads and validates the header at the start of a file.
  public init(reading file: InputFile) throws(SafeTensorsError) {
    func read(_ range: Range<Int>) throws(SafeTensorsError) -> [UInt8] {
      do { return try file.read(range) } catch { throw .file(error) }
    }
    func located<Result>(_ body: () throws(HeaderFault) -> Result) throws(SafeTensorsError)
      -> Result
    {
      do { return try body() } catch { throw .header(file: file.path, error) }
    }
    let start = try read(0..<min(8, file.size))
    let length = try located { () throws(HeaderFault) in
      try Self.length(start, fileSize: file.size)
    }
    let raw = try read(0..<8 + length)
    self = try located { () throws(HeaderFault) in
      try Self(rawHeader: raw, dataLength: file.size - raw.count)
    }
  }

  /// The length of the JSON text, which is known to lie inside the file.
  private static func length(_ start: [UInt8], fileSize: Int) throws(HeaderFault) -> Int {
    guard start.count == 8 else { throw .noLength(fileSize: fileSize) }
    let length = start.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(lengthLimit) else { throw .tooLong(length: length, limit: lengthLimit) }
    guard Int(length) <= fileSize - 8 else {
      throw .cutShort(length: Int(length), fileSize: fileSize)
    }
    return Int(length)
  }

  /// Validates a header.
  ///
  /// - Parameters:
  ///   - rawHeader: the eight bytes of the length and the JSON text.
  ///   - dataLength: the number of bytes that follow it.
  public init(rawHeader: [UInt8], dataLength: Int) throws(HeaderFault) {
    let length = try Self.length(Array(rawHeader.prefix(8)), fileSize: rawHeader.count)
    guard 8 + length == rawHeader.count else {
      throw .cutShort(length: length, fileSize: rawHeader.count)
    }
    let text = Array(rawHeader.dropFirst(8))
    guard text.first == UInt8(ascii: "{") else { throw .notAnObject(found: text.first) }
    let json: JSON
    do { json = try JSON(parsing: text) } catch { throw .json(error) }
    guard let object = json.object else { throw .notAnObject(found: text.first) }

    var metadata: Metadata = []
    var tensors: [TensorEntry] = []
    tensors.reserveCapacity(object.count)
    for (name, value) in object.members {
      if name == metadataName {
        metadata = try Self.metadata(value)
      } else {
        tensors.append(try TensorEntry(name: name, json: value))
      }
    }
    let names = tensors.map(\.name)
    let sorted = Self.sortedByOffset(tensors)
    try Self.checkTiling(sorted, dataLength: dataLength)
    self.init(
      sorted: sorted, namesInHeaderOrder: names, metadata: metadata, rawHeader: rawHeader)
  }

  private static func metadata(_ json: JSON) throws(HeaderFault) -> Metadata {
    guard let object = json.object else {
      throw .metadata(name: nil, expected: "an object", found: described(json))
    }
    var metadata: Metadata = []
    for (name, value) in object.members {
      guard let text = value.string else {
        throw .metadata(name: name, expected: "a string", found: described(value))
      }
      metadata.append((name, text))
    }
    return metadata
  }

  private static func sortedByOffset(_ tensors: [TensorEntry]) -> [TensorEntry] {
    func precedes(_ left: TensorEntry, _ right: TensorEntry) -> Bool {
      (left.range.lowerBound, left.range.upperBound)
        < (right.range.lowerBound, right.range.upperBound)
    }
    // Nearly every file is sorted already.
    if zip(tensors, tensors.dropFirst()).allSatisfy({ !precedes($1, $0) }) { return tensors }
    return tensors.sorted(by: precedes)
  }

  /// Each tensor must begin where the one before it ends, and the last must end with the data.
  private static func checkTiling(
    _ tensors: [TensorEntry], dataLength: Int
  ) throws(HeaderFault) {
    var end = 0
    var previous = ""
    for tensor in tensors {
      let begin = tensor.range.lowerBound
      if begin > end { throw .gap(tensor: tensor.name, expectedBegin: end, begin: begin) }
      if begin < end {
        throw .overlap(
          tensor: tensor.name, previous: previous, previousEnd: end, begin: begin)
      }
      end = tensor.range.upperBound
      previous = tensor.name
    }
    guard end == dataLength else { throw .dataLength(expected: end, found: dataLength) }
  }
}

extension TensorEntry {
  /// Reads one member of the header and checks that its size follows from its type and shape.
  fileprivate init(name: String, json: JSON) throws(HeaderFault) {
    guard let object = json.object else {
      throw .entry(tensor: name, field: nil, expected: "an object", found: described(json))
    }
    let fields = ["dtype", "shape", "data_offsets"]
    if object.count > fields.count, let extra = object.keys.first(where: { !fields.contains($0) }) {
      throw .entry(
        tensor: name, field: extra, expected: "one of dtype, shape and data_offsets",
        found: "unknown")
    }
    guard let typeName = object["dtype"]?.string else {
      throw .entry(
        tensor: name, field: "dtype", expected: "a string", found: described(object["dtype"]))
    }
    guard let dtype = DType(rawValue: typeName) else {
      throw .unknownDType(tensor: name, found: typeName)
    }
    let shape = Shape(try naturals(object["shape"], "shape", of: name))
    let offsets = try naturals(object["data_offsets"], "data_offsets", of: name)
    guard offsets.count == 2 else {
      throw .entry(
        tensor: name, field: "data_offsets", expected: "an array of two numbers",
        found: "an array of \(offsets.count)")
    }
    guard offsets[0] <= offsets[1] else {
      throw .reversedOffsets(tensor: name, begin: offsets[0], end: offsets[1])
    }
    let range = offsets[0]..<offsets[1]
    let size = try checkedSize(name, dtype, shape)
    guard size == range.count else {
      throw .wrongSize(
        tensor: name, dtype: dtype, shape: shape, expected: size, found: range.count)
    }
    self.init(name: name, dtype: dtype, shape: shape, range: range)
  }
}

/// The member of a header that holds free text and is no tensor.
let metadataName = "__metadata__"

/// The size of a tensor in bytes, or why it has none.
func checkedSize(_ tensor: String, _ dtype: DType, _ shape: Shape) throws(HeaderFault) -> Int {
  if let size = shape.checkedByteCount(dtype) { return size }
  guard let count = shape.checkedCount,
    !count.multipliedReportingOverflow(by: dtype.bitWidth).overflow
  else { throw .tooLarge(tensor: tensor, dtype: dtype, shape: shape) }
  throw .partialByte(tensor: tensor, dtype: dtype, shape: shape)
}

/// An array of whole numbers that are not negative.
private func naturals(
  _ json: JSON?, _ field: String, of tensor: String
) throws(HeaderFault) -> [Int] {
  guard let elements = json?.array else {
    throw .entry(tensor: tensor, field: field, expected: "an array", found: described(json))
  }
  var numbers: [Int] = []
  numbers.reserveCapacity(elements.count)
  for element in elements {
    guard let number = element.integer, number >= 0 else {
      throw .entry(
        tensor: tensor, field: field, expected: "an array of whole numbers from 0 on",
        found: "an array with \(described(element))")
    }
    numbers.append(number)
  }
  return numbers
}

/// What a JSON value is, for a sentence that says what was found.
func described(_ json: JSON?) -> String {
  switch json {
  case nil: "missing"
  case .null: "null"
  case .bool(let value): "\(value)"
  case .integer(let value): "the number \(value)"
  case .number(let value): "the number \(value)"
  case .string: "a string"
  case .array: "an array"
  case .object: "an object"
  }
}
