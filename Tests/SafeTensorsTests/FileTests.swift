import Foundation
import JSON
import SafeTensors
import Support
import Tensors
import Testing

func bytes(_ file: SafeTensorsFile, _ name: String) throws -> [UInt8] {
  let runs = try file.runs(of: name)
  let buffer = ByteBuffer(capacity: runs.byteCount)
  try buffer.fill(runs)
  return buffer.bytes(0..<runs.byteCount)
}

/// What the reference reads from a fixture: type, shape and bytes in hexadecimal.
private func expected(_ name: String) throws -> [(key: String, value: JSON)] {
  let url = Support.fixtures.appending(path: "safetensors/\(name).expected.json")
  return try #require(try JSON(parsing: [UInt8](try Data(contentsOf: url))).object).members
}

private func fixture(_ name: String) -> String {
  Support.fixtures.appending(path: "safetensors/\(name).safetensors").path
}

private func hex(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

private func unhex(_ text: String) -> [UInt8] {
  let digits = text.compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

private func temporary(_ content: [UInt8], _ body: (String) throws -> Void) throws {
  try Support.withTemporaryFolder { folder in
    let url = folder.appending(path: "x.safetensors")
    try Data(content).write(to: url)
    try body(url.path)
  }
}

@Test(arguments: ["dtypes", "names", "empty", "empty_metadata", "float6"])
func typesShapesAndBytesAreThoseTheReferenceReads(name: String) throws {
  let file = try SafeTensorsFile(fixture(name))
  let expected = try expected(name)
  #expect(file.header.tensors.count == expected.count)
  for (tensor, value) in expected {
    let entry = try #require(file[tensor], "\(tensor)")
    #expect(entry.dtype.rawValue == value.object?["dtype"]?.string)
    #expect(entry.shape.dimensions == value.object?["shape"]?.array?.compactMap(\.integer))
    if entry.dtype.isSubByte { continue }
    #expect(hex(try bytes(file, tensor)) == value.object?["hex"]?.string)
  }
}

@Test func everyTypeOfTheFormatIsKnown() throws {
  let read = Set(
    try ["dtypes", "float6"].flatMap { try SafeTensorsFile(fixture($0)).header.tensors }
      .map(\.dtype))
  #expect(read == Set(DType.allCases))
}

@Test func subByteTensorsAreListedButNotHandedOut() throws {
  let four = try SafeTensorsFile(fixture("dtypes"))
  #expect(four["a tensor of F4"]?.shape == [3, 8])
  #expect(
    throws: SafeTensorsError.subByteData(
      file: four.path, tensor: "a tensor of F4", dtype: .float4)
  ) { try four.runs(of: "a tensor of F4") }
  let six = try SafeTensorsFile(fixture("float6"))
  let error = #expect(throws: SafeTensorsError.self) { try six.runs(of: "six") }
  #expect(error?.description.contains("F6_E2M3") == true)
  #expect(error?.description.contains("“six”") == true)
}

@Test func tensorThatIsNotThereIsNamed() throws {
  let file = try SafeTensorsFile(fixture("dtypes"))
  #expect(throws: SafeTensorsError.noSuchTensor(file: file.path, tensor: "x")) {
    try file.runs(of: "x")
  }
}

@Test func headersAreEncodedAsTheReferenceEncodesThem() throws {
  for name in ["dtypes", "names", "empty", "empty_metadata"] {
    let header = try SafeTensorsFile(fixture(name)).header
    let plans = header.tensors.map {
      TensorPlan(name: $0.name, dtype: $0.dtype, shape: $0.shape)
    }
    let encoded = try SafeTensorsHeader.encoded(tensors: plans, metadata: header.metadata)
    #expect(encoded.rawHeader == header.rawHeader, "\(name)")
    #expect(encoded.tensors == header.tensors)
    // Whatever order they come in, the reference writes the same file.
    #expect(SafeTensorsHeader.referenceOrder(plans.reversed()) == plans, "\(name)")
  }
}

@Test func publishedModelsOpenAndTheirHeadersAreEncodedToTheSameBytes() throws {
  let models = Support.names(in: "hf")
  try #require(!models.isEmpty)
  for model in models {
    let folder = try ShardedFolder(Support.model("hf/\(model)").path)
    #expect(!folder.names.isEmpty)
    for file in folder.files {
      let header = file.header
      let plans = header.tensors.map {
        TensorPlan(name: $0.name, dtype: $0.dtype, shape: $0.shape)
      }
      let encoded = try SafeTensorsHeader.encoded(tensors: plans, metadata: header.metadata)
      #expect(encoded.rawHeader == header.rawHeader, "\(file.path)")
      #expect(SafeTensorsHeader.referenceOrder(plans) == plans, "\(file.path)")
    }
  }
}

@Test(arguments: ["dtypes", "names", "empty", "empty_metadata"])
func filesAreWrittenAsTheReferenceWritesThem(name: String) throws {
  let header = try SafeTensorsFile(fixture(name)).header
  let contents = Dictionary(uniqueKeysWithValues: try expected(name))
  let tensors = try header.tensors.map {
    SafeTensorsWriter.Tensor(
      name: $0.name, dtype: $0.dtype, shape: $0.shape,
      bytes: unhex(try #require(contents[$0.name]?.object?["hex"]?.string)))
  }
  try Support.withTemporaryFolder { folder in
    let path = folder.appending(path: "copy.safetensors").path
    // Twice, so that the second takes the first one's place.
    try SafeTensorsWriter.write(path: path, tensors: [])
    try SafeTensorsWriter.write(path: path, tensors: tensors, metadata: header.metadata)
    #expect(try InputFile(path).readAll() == InputFile(fixture(name)).readAll())
    #expect(try Folder.names(in: folder.path) == ["copy.safetensors"])
  }
}

@Test func bytesThatDoNotFitTheShapeAreNotWritten() throws {
  try Support.withTemporaryFolder { folder in
    let path = folder.appending(path: "x.safetensors").path
    #expect(
      throws: SafeTensorsError.wrongByteCount(file: path, tensor: "a", expected: 8, found: 7)
    ) {
      try SafeTensorsWriter.write(
        path: path,
        tensors: [
          .init(name: "a", dtype: .float32, shape: [2], bytes: [UInt8](repeating: 0, count: 7))
        ])
    }
    let left = try Folder.names(in: folder.path)
    #expect(left == [])
  }
}

@Test func fileInAFolderThatIsMissingCannotBeWritten() {
  #expect(throws: SafeTensorsError.self) {
    try SafeTensorsWriter.write(path: "/nowhere/at/all/x.safetensors", tensors: [])
  }
}

@Test func truncatedFileIsRefusedAtEveryLength() throws {
  let whole = try InputFile(fixture("names")).readAll()
  for length in 0..<whole.count {
    try temporary(Array(whole.prefix(length))) { path in
      let error = #expect(throws: SafeTensorsError.self) { try SafeTensorsFile(path) }
      guard case .header(path, let fault)? = error else {
        Issue.record("\(length): \(String(describing: error))")
        return
      }
      switch fault {
      case .noLength(length) where length < 8, .cutShort, .dataLength: break
      default: Issue.record("\(length): \(fault)")
      }
    }
  }
}

@Test func lengthFieldLargerThanTheFileIsRefused() throws {
  try temporary([200, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D]) { path in
    #expect(throws: SafeTensorsError.header(file: path, .cutShort(length: 200, fileSize: 10))) {
      try SafeTensorsFile(path)
    }
  }
}

@Test func headerLongerThanTheFormatAllowsIsRefused() throws {
  for length in [100_000_001, UInt64.max, 1 << 63] as [UInt64] {
    let field = (0..<8).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
    try temporary(field + [0x7B, 0x7D]) { path in
      #expect(
        throws: SafeTensorsError.header(
          file: path, .tooLong(length: length, limit: 100_000_000))
      ) { try SafeTensorsFile(path) }
    }
  }
}

@Test func errorsNameTheFileAndThePlace() throws {
  try temporary(framed("{\"a\":tru}")) { path in
    let error = #expect(throws: SafeTensorsError.self) { try SafeTensorsFile(path) }
    #expect(error?.description.contains(path) == true)
    #expect(error?.description.contains("byte 8") == true)
  }
}

@Test func folderIsNotAFile() throws {
  let folder = Support.fixtures.path
  #expect(throws: SafeTensorsError.file(.notARegularFile(path: folder))) {
    try SafeTensorsFile(folder)
  }
}

@Test func damagedFilesAreReadOrRefusedButNeverTrap() throws {
  let whole = try InputFile(fixture("names")).readAll()
  let headerLength = try SafeTensorsFile(fixture("names")).header.rawHeader.count
  var state: UInt64 = 0x1234_5678_9ABC_DEF0
  func random(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % bound
  }
  // A digit, a bracket or a quote in the wrong place does more harm than noise.
  let harmful = Array(#"0123456789-.,:[]{}"\eE"#.utf8)
  var refused = 0
  try Support.withTemporaryFolder { folder in
    for round in 0..<2_000 {
      // Always a new file: overwriting one makes some file systems wait for the disk.
      let url = folder.appending(path: "\(round).safetensors")
      var content = whole
      switch round % 4 {
      case 0: content.removeLast(1 + random(content.count - 1))
      case 1: content[random(content.count)] ^= UInt8(1 << random(8))
      case 2: content[random(headerLength)] = UInt8(random(256))
      default:
        for _ in 0...random(3) {
          content[8 + random(headerLength - 8)] = harmful[random(harmful.count)]
        }
      }
      try Data(content).write(to: url)
      do {
        let file = try SafeTensorsFile(url.path)
        for entry in file.header.tensors where !entry.dtype.isSubByte {
          let count = try bytes(file, entry.name).count
          #expect(count == entry.byteCount)
        }
      } catch let error as SafeTensorsError {
        #expect(error.description.contains(url.path))
        refused += 1
      }
    }
  }
  #expect(refused > 1_000 && refused < 2_000)
}
