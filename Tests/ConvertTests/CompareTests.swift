import Foundation
import HDF5
import Support
import Testing

/// The distributed checkpoints that other programs wrote, with their true tensors beside them.
private let distributed = Support.names(in: "formats").filter { name in
  name.hasPrefix("td_") && Support.names(in: "formats").contains(name + ".expected.safetensors")
}

@Test(arguments: distributed)
func distributedCheckpointEqualsItsTensors(_ name: String) throws {
  let checkpoint = Support.data("formats/\(name)").path
  let expected = Support.data("formats/\(name).expected.safetensors").path
  let outcome = try program.run(["compare", checkpoint, expected])
  #expect(outcome.status == 0, "\(outcome.error)\(outcome.output)")
}

private let mapped = Support.names(in: "bridge").flatMap { model in
  Support.names(in: "bridge/\(model)").filter { $0.hasPrefix("megatron") && !$0.contains("_v0") }
    .map { (model, $0) }
}

@Test(arguments: mapped)
func checkpointOfThePeerEqualsItsModel(_ model: String, _ checkpoint: String) throws {
  let known = try program.run(["architectures"]).output
  let folder = Support.model("bridge/\(model)")
  let configuration = try JSONSerialization.jsonObject(
    with: Data(contentsOf: folder.appending(path: "config.json")))
  let classes = (configuration as? [String: Any])?["architectures"] as? [String]
  let name = try #require(classes?.first)
  let outcome = try program.run([
    "compare", Support.data("bridge/\(model)/\(checkpoint)").path, folder.path,
  ])
  if known.contains(name) {
    #expect(outcome.status == 0, "\(outcome.error)\(outcome.output)")
  } else {
    #expect(outcome.status == 1)
    #expect(outcome.error.contains(name))
  }
}

private let original: [HandMade] = [
  .floats("first", [1, 2, 3, 4]), .floats("second", [0.5, -0.5, .infinity, 7]),
  HandMade(name: "third", dtype: "BF16", shape: [2, 2], bytes: [0, 1, 2, 3, 4, 5, 6, 7]),
]

/// Compares the original with a changed copy.
private func compare(
  _ options: [String] = [], change: (inout [HandMade]) -> Void
) throws -> (text: BuiltProgram.Outcome, differences: [[String: Any]]) {
  try Support.withTemporaryFolder { folder in
    var copy = original
    change(&copy)
    let (a, b) = (folder.appending(path: "a.safetensors"), folder.appending(path: "b.safetensors"))
    try HandMade.write(original, to: a)
    try HandMade.write(copy, to: b)
    let arguments = ["compare", a.path, b.path] + options
    let object = try program.run(arguments + ["--json"])
    let text = try program.run(arguments)
    #expect(object.status == text.status)
    return (text, try #require(try object.object["differences"] as? [[String: Any]]))
  }
}

@Test func equalTensorsInAnotherOrderAreEqual() throws {
  let (text, differences) = try compare { $0.reverse() }
  #expect(text.status == 0)
  #expect(text.output.contains("equal bit for bit"))
  #expect(differences.isEmpty)
}

@Test func changedValueIsNamedWithItsPlaceAndSize() throws {
  let (text, differences) = try compare {
    $0[1] = .floats("second", [0.5, -0.25, .infinity, 9])
  }
  #expect(text.status == 3)
  #expect(text.output.contains("second"))
  #expect(text.output.contains("2 of 4 values differ, first at [1]"))
  #expect(differences.count == 1)
  #expect(differences[0]["differing"] as? Int == 2)
  #expect(differences[0]["first"] as? Int == 1)
  #expect(differences[0]["largest"] as? Double == 2)
}

@Test func tensorOfOneSideOnlyIsNamed() throws {
  let (without, missing) = try compare { $0.removeLast() }
  #expect(without.status == 3)
  #expect(missing.map { $0["kind"] as? String } == ["extra"])
  #expect(missing[0]["name"] as? String == "third")
  let (with, extra) = try compare { $0.append(.floats("fourth", [1])) }
  #expect(with.status == 3)
  #expect(extra.map { $0["kind"] as? String } == ["missing"])
  #expect(extra[0]["name"] as? String == "fourth")
}

@Test func otherShapeIsNamed() throws {
  let (text, differences) = try compare { $0[2].shape = [4] }
  #expect(text.status == 3)
  #expect(text.output.contains("shape [2, 2] in a, [4] in b"))
  #expect(differences.map { $0["kind"] as? String } == ["shape"])
}

@Test func otherTypeDiffersUnlessThereIsATolerance() throws {
  // 1, 2, 3, 4 are the same numbers in both types.
  let change = { (tensors: inout [HandMade]) in
    tensors[0] = HandMade(
      name: "first", dtype: "BF16", shape: [4],
      bytes: [0x80, 0x3F, 0x00, 0x40, 0x40, 0x40, 0x80, 0x40])
  }
  let (text, differences) = try compare(change: change)
  #expect(text.status == 3)
  #expect(differences.map { $0["kind"] as? String } == ["dtype"])
  #expect(try compare(["--tolerance", "0"], change: change).text.status == 0)
}

@Test func toleranceIsTheLargestDifferenceAllowed() throws {
  let change = { (tensors: inout [HandMade]) in
    tensors[0] = .floats("first", [1, 2.25, 3, 4])
  }
  #expect(try compare(["--tolerance", "0.25"], change: change).text.status == 0)
  #expect(try compare(["--tolerance", "0.24"], change: change).text.status == 3)
}

@Test func infinityIsNotNearAnyNumber() throws {
  let (text, differences) = try compare(["--tolerance", "1e30"]) {
    $0[1] = .floats("second", [0.5, -0.5, 1e20, 7])
  }
  #expect(text.status == 3)
  #expect(differences[0]["largest"] as? String == "infinity")
}

@Test func longListsOfDifferencesAreCut() throws {
  try Support.withTemporaryFolder { folder in
    let (a, b) = (folder.appending(path: "a.safetensors"), folder.appending(path: "b.safetensors"))
    try HandMade.write((0..<30).map { .floats("t\($0)", [0]) }, to: a)
    try HandMade.write((0..<30).map { .floats("t\($0)", [1]) }, to: b)
    let outcome = try program.run(["compare", a.path, b.path])
    #expect(outcome.status == 3)
    #expect(outcome.output.contains("… and 10 more"))
  }
}

@Test func nothingInCommonIsAnErrorAndNoDifference() throws {
  try Support.withTemporaryFolder { folder in
    let (a, b) = (folder.appending(path: "a.safetensors"), folder.appending(path: "b.safetensors"))
    try HandMade.write([.floats("x", [0])], to: a)
    try HandMade.write([.floats("y", [0])], to: b)
    let outcome = try program.run(["compare", a.path, b.path])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("no tensor name in common"))
  }
}

@Test func damagedHDF5IsRefused() throws {
  try Support.withTemporaryFolder { folder in
    let file = folder.appending(path: "a.h5")
    try Data([0x89] + Array("HDF\r\n\u{1A}\n".utf8) + [0, 0, 0, 0]).write(to: file)
    let outcome = try program.run(["compare", file.path, file.path])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("a.h5 cannot be read as HDF5"))
  }
}

@Test func eightBitFloatsAreReadAsPyTorchReadsThem() throws {
  let folder = Support.fixtures.appending(path: "compare")
  let files = ["float8", "float8_as_float32"].map {
    folder.appending(path: "\($0).safetensors").path
  }
  #expect(try program.run(["compare"] + files).status == 3)
  #expect(try program.run(["compare"] + files + ["--tolerance", "0"]).status == 0)
}

@Test func complexNumbersAreComparedBitForBitWhateverTheTolerance() throws {
  try Support.withTemporaryFolder { folder in
    let (a, b) = (folder.appending(path: "a.safetensors"), folder.appending(path: "b.safetensors"))
    for (url, imaginary) in [(a, UInt8(0)), (b, UInt8(0x3F))] {
      let bytes: [UInt8] = [0, 0, 0x80, 0x3F, 0, 0, 0x80, imaginary]
      try HandMade.write([HandMade(name: "c", dtype: "C64", shape: [1], bytes: bytes)], to: url)
    }
    let arguments = ["compare", a.path, b.path, "--tolerance", "10"]
    #expect(try program.run(arguments).status == 3)
  }
}

/// Two captures of the same shape.
///
/// - Parameter change: changes the second one's numbers.
private func compareCaptures(
  _ options: [String] = [], change: (String, inout [Float]) -> Void
) throws -> BuiltProgram.Outcome {
  try Support.withTemporaryFolder { folder in
    let paths = ["a.h5", "b.h5"].map { folder.appending(path: $0).path }
    let names =
      ["gradients/a.weight", "logits", "loss"] + (0...11).reversed().map { "hidden/\($0)" }
    for (index, path) in paths.enumerated() {
      let writer = try HDF5Writer(path)
      for name in names {
        var values: [Float] = [1, 2, 3, 4]
        if index == 1 { change(name, &values) }
        try writer.dataset(name, shape: [1, 2, 2]).append(values)
      }
      try writer.finish()
    }
    return try program.run(["compare"] + paths + options)
  }
}

@Test func equalCapturesAreEqual() throws {
  let outcome = try compareCaptures { _, _ in }
  #expect(outcome.status == 0)
  #expect(outcome.output.contains("15 tensors"))
}

@Test func theFirstLayerThatDivergesIsNamedThoughOthersComeFirstByName() throws {
  let change = { (name: String, values: inout [Float]) in
    // By name 11 comes before 2, and gradients before both.
    if ["gradients/a.weight", "hidden/11", "hidden/2"].contains(name) { values[3] += 0.5 }
    if name == "hidden/1" { values[0] += 1e-6 }
  }
  let outcome = try compareCaptures(["--tolerance", "1e-4"], change: change)
  #expect(outcome.status == 3)
  #expect(
    outcome.output.contains(
      "first:    hidden/2 (the output of block 1): 1 of 4 values differ, first at [0, 1, 1]"))
  let json = try compareCaptures(["--json"], change: change)
  #expect(json.status == 3)
  #expect(try json.object["first"] as? String == "hidden/1")
}

@Test func aCaptureAndSomethingElseCannotBeCompared() throws {
  try Support.withTemporaryFolder { folder in
    let (a, b) = (folder.appending(path: "a.h5").path, folder.appending(path: "b.safetensors"))
    let writer = try HDF5Writer(a)
    try writer.write(1, to: "loss")
    try writer.finish()
    try HandMade.write(original, to: b)
    let outcome = try program.run(["compare", a, b.path])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("cannot be read as HDF5"))
  }
}
