import JSON
import SafeTensors
import Support
import Tensors
import Testing

/// A header's bytes with a right length field.
func framed(_ text: String) -> [UInt8] { framed(Array(text.utf8)) }

func framed(_ text: [UInt8]) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: text.count >> ($0 * 8)) } + text
}

private func header(_ text: String, data: Int) throws(HeaderFault) -> SafeTensorsHeader {
  try SafeTensorsHeader(rawHeader: framed(text), dataLength: data)
}

private func entry(_ type: String, _ shape: String, _ offsets: String) -> String {
  #"{"dtype":"\#(type)","shape":\#(shape),"data_offsets":\#(offsets)}"#
}

@Test func tensorsAreListedInTheOrderOfTheirData() throws {
  let text =
    "{\"b\":\(entry("F32", "[2]", "[4,12]")),\"__metadata__\":{\"x\":\"1\",\"a\":\"2\"},"
    + "\"a\":\(entry("BF16", "[1,2]", "[0,4]"))}   "
  let header = try header(text, data: 12)
  #expect(header.tensors.map(\.name) == ["a", "b"])
  #expect(header.namesInHeaderOrder == ["b", "a"])
  #expect(header.metadata.map(\.name) == ["x", "a"])
  #expect(header.metadata.map(\.value) == ["1", "2"])
  #expect(header.rawHeader == framed(text))
  #expect(header["b"]?.range == 4..<12)
  #expect(header["b"]?.shape == [2])
  #expect(header["a"]?.dtype == .bfloat16)
  #expect(header["c"] == nil)
  #expect(header.fileOffset(of: "b") == 8 + text.utf8.count + 4)
  #expect(header.fileSize == 8 + text.utf8.count + 12)
}

@Test func tensorsWithoutElementsMayStandAnywhere() throws {
  let none = entry("F32", "[0,9223372036854775807]", "[4,4]")
  let header = try header(
    "{\"x\":\(none),\"a\":\(entry("F32", "[]", "[0,4]")),\"b\":\(entry("F32", "[1]", "[4,8]")),"
      + "\"c\":\(none),\"d\":\(entry("U8", "[0]", "[8,8]"))}", data: 8)
  #expect(header.tensors.map(\.name) == ["a", "x", "c", "b", "d"])
}

@Test func textThatIsNoJSONIsRefusedWithItsPlace() {
  let bytes: [UInt8] = [0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D]
  #expect(throws: HeaderFault.json(.invalidUTF8(offset: 2))) {
    try SafeTensorsHeader(rawHeader: framed(bytes), dataLength: 0)
  }
  #expect(throws: HeaderFault.json(.trailingText(offset: 2))) { try header("{}x", data: 0) }
}

@Test(arguments: ["", " {}", "[]", "\u{FEFF}{}", "null"])
func headerThatIsNotAnObjectIsRefused(text: String) {
  #expect(throws: HeaderFault.notAnObject(found: text.utf8.first)) { try header(text, data: 0) }
}

@Test func headerNestedTooDeeplyIsRefused() {
  let text = "{\"a\":" + String(repeating: "[", count: 100_000)
  #expect(throws: HeaderFault.json(.tooDeep(offset: 132, limit: 128))) { try header(text, data: 0) }
}

@Test func nameThatOccursTwiceIsRefused() {
  let none = entry("U8", "[0]", "[0,0]")
  #expect(throws: HeaderFault.json(.duplicateName("a", offset: 53))) {
    try header("{\"a\":\(none),\"a\":\(none)}", data: 0)
  }
  #expect(throws: HeaderFault.json(.duplicateName("dtype", offset: 19))) {
    try header(#"{"a":{"dtype":"U8","dtype":"U8"}}"#, data: 0)
  }
}

@Test(arguments: [
  ("1", nil), ("null", nil), ("[]", nil), (#"["U8",[0],[0,0]]"#, nil), ("{}", "dtype"),
  (#"{"dtype":1,"shape":[0],"data_offsets":[0,0]}"#, "dtype"),
  (#"{"dtype":null,"shape":[0],"data_offsets":[0,0]}"#, "dtype"),
  (#"{"shape":[0],"data_offsets":[0,0]}"#, "dtype"),
  (#"{"dtype":"U8","data_offsets":[0,0]}"#, "shape"),
  (#"{"dtype":"U8","shape":[0]}"#, "data_offsets"),
  (entry("U8", "0", "[0,0]"), "shape"), (entry("U8", "{}", "[0,0]"), "shape"),
  (entry("U8", "\"0\"", "[0,0]"), "shape"), (entry("U8", "[\"0\"]", "[0,0]"), "shape"),
  (entry("U8", "[0.0]", "[0,0]"), "shape"), (entry("U8", "[[0]]", "[0,0]"), "shape"),
  (entry("U8", "[0,null]", "[0,0]"), "shape"), (entry("U8", "[-1]", "[0,0]"), "shape"),
  (entry("U8", "[0,-1]", "[0,0]"), "shape"),
  (entry("U8", "[18446744073709551615]", "[0,0]"), "shape"),
  (entry("U8", "[0]", "0"), "data_offsets"), (entry("U8", "[0]", "[0]"), "data_offsets"),
  (entry("U8", "[0]", "[0,0,0]"), "data_offsets"), (entry("U8", "[0]", "[]"), "data_offsets"),
  (entry("U8", "[0]", "[0,0.0]"), "data_offsets"), (entry("U8", "[0]", "[0,1e0]"), "data_offsets"),
  (entry("U8", "[0]", "[-1,-1]"), "data_offsets"), (entry("U8", "[0]", "[true,0]"), "data_offsets"),
  (#"{"dtype":"U8","shape":[0],"data_offsets":[0,0],"strides":[1]}"#, "strides"),
])
func fieldOfAnotherTypeIsRefusedWithTensorAndField(text: String, field: String?) throws {
  let fault = #expect(throws: HeaderFault.self) { try header("{\"a.b\":\(text)}", data: 0) }
  guard case .entry(let tensor, let found, _, _)? = fault else {
    Issue.record("\(String(describing: fault))")
    return
  }
  #expect(tensor == "a.b")
  #expect(found == field)
}

@Test func shapeThatOverflowsIsRefused() {
  let max = "9223372036854775807"
  for (type, shape, size) in [
    ("U8", "[\(max),\(max)]", 0), ("F32", "[\(max)]", 4), ("U8", "[2,\(max),\(max),0]", 0),
    ("F64", "[2305843009213693952]", 0),
  ] {
    let fault = #expect(throws: HeaderFault.self) {
      try header("{\"a\":\(entry(type, shape, "[0,\(size)]"))}", data: size)
    }
    guard case .tooLarge(tensor: "a", _, _)? = fault else {
      Issue.record("\(shape): \(String(describing: fault))")
      continue
    }
  }
}

@Test func sizeThatDoesNotFollowFromTheShapeIsRefused() {
  #expect(
    throws: HeaderFault.wrongSize(
      tensor: "a", dtype: .float32, shape: [2, 3], expected: 24, found: 20)
  ) { try header("{\"a\":\(entry("F32", "[2,3]", "[0,20]"))}", data: 20) }
  #expect(
    throws: HeaderFault.wrongSize(tensor: "a", dtype: .uint8, shape: [], expected: 1, found: 0)
  ) { try header("{\"a\":\(entry("U8", "[]", "[0,0]"))}", data: 0) }
}

@Test func overlappingTensorsAreRefused() {
  let first = entry("U8", "[4]", "[0,4]")
  #expect(
    throws: HeaderFault.overlap(tensor: "b", previous: "a", previousEnd: 4, begin: 3)
  ) { try header("{\"a\":\(first),\"b\":\(entry("U8", "[4]", "[3,7]"))}", data: 7) }
  // Two names for the same bytes.
  #expect(
    throws: HeaderFault.overlap(tensor: "b", previous: "a", previousEnd: 4, begin: 0)
  ) { try header("{\"a\":\(first),\"b\":\(first)}", data: 4) }
}

@Test func bytesBetweenTensorsAreRefused() {
  #expect(throws: HeaderFault.gap(tensor: "b", expectedBegin: 4, begin: 5)) {
    try header(
      "{\"b\":\(entry("U8", "[4]", "[5,9]")),\"a\":\(entry("U8", "[4]", "[0,4]"))}", data: 9)
  }
  #expect(throws: HeaderFault.gap(tensor: "a", expectedBegin: 0, begin: 1)) {
    try header("{\"a\":\(entry("U8", "[4]", "[1,5]"))}", data: 5)
  }
}

@Test func bytesAfterTheLastTensorAreRefused() {
  #expect(throws: HeaderFault.dataLength(expected: 4, found: 5)) {
    try header("{\"a\":\(entry("U8", "[4]", "[0,4]"))}", data: 5)
  }
  #expect(throws: HeaderFault.dataLength(expected: 0, found: 1)) { try header("{}", data: 1) }
}

@Test func tensorThatReachesPastTheDataIsRefused() {
  #expect(throws: HeaderFault.dataLength(expected: 4, found: 3)) {
    try header("{\"a\":\(entry("U8", "[4]", "[0,4]"))}", data: 3)
  }
}

@Test func reversedOffsetsAreRefused() {
  #expect(throws: HeaderFault.reversedOffsets(tensor: "a", begin: 4, end: 0)) {
    try header("{\"a\":\(entry("U8", "[4]", "[4,0]"))}", data: 4)
  }
}

@Test(arguments: ["F128", "f32", "", "BF16 ", "float32", "F8_E4M3FN"])
func unknownTypeIsRefusedByName(type: String) {
  #expect(throws: HeaderFault.unknownDType(tensor: "a", found: type)) {
    try header("{\"a\":\(entry(type, "[0]", "[0,0]"))}", data: 0)
  }
}

@Test func partialLastByteIsRefused() {
  #expect(throws: HeaderFault.partialByte(tensor: "a", dtype: .float4, shape: [3])) {
    try header("{\"a\":\(entry("F4", "[3]", "[0,2]"))}", data: 2)
  }
}

@Test(arguments: [
  ("1", nil), ("null", nil), ("[]", nil), ("\"pt\"", nil), (#"{"format":1}"#, "format"),
  (#"{"a":"b","format":null}"#, "format"), (#"{"format":{}}"#, "format"),
])
func metadataThatIsNotTextIsRefused(text: String, name: String?) {
  let fault = #expect(throws: HeaderFault.self) {
    try header("{\"__metadata__\":\(text)}", data: 0)
  }
  guard case .metadata(let found, _, _)? = fault else {
    Issue.record("\(String(describing: fault))")
    return
  }
  #expect(found == name)
}

@Test func namesThatAreTakenCannotBeWritten() {
  func plan(_ name: String) -> TensorPlan { TensorPlan(name: name, dtype: .uint8, shape: [1]) }
  #expect(throws: HeaderFault.nameTaken("a")) {
    try SafeTensorsHeader.encoded(tensors: [plan("a"), plan("b"), plan("a")])
  }
  #expect(throws: HeaderFault.nameTaken("__metadata__")) {
    try SafeTensorsHeader.encoded(tensors: [plan("__metadata__")])
  }
  #expect(throws: HeaderFault.nameTaken("x")) {
    try SafeTensorsHeader.encoded(tensors: [], metadata: [("x", "1"), ("x", "2")])
  }
}

@Test func shapesThatOverflowCannotBeWritten() {
  let half = TensorPlan(name: "a", dtype: .uint8, shape: [1 << 59])
  var other = half
  other.name = "b"
  #expect(throws: Never.self) { try SafeTensorsHeader.encoded(tensors: [half, other]) }
  let large = (0..<16).map { TensorPlan(name: "\($0)", dtype: .uint8, shape: [1 << 59]) }
  #expect(throws: HeaderFault.tooLarge(tensor: "15", dtype: .uint8, shape: [1 << 59])) {
    try SafeTensorsHeader.encoded(tensors: large)
  }
}
