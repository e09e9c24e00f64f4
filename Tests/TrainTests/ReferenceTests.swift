import Blueprint
import Checkpoints
import Foundation
import HDF5
import SafeTensors
import Support
import Tensors
import Testing

/// The cases whose numbers another program has computed: transformers, or the original modelling code.
private let cases = Support.names(in: "hf").filter { name in
  FileManager.default.fileExists(
    atPath: Support.data("hf/\(name)/reference.safetensors").path)
}

/// Those without experts: in bfloat16 a router may choose others, and all that follows is different.
private let dense = cases.filter { name in
  let model = try? HuggingFaceModel(folder: Support.data("hf/\(name)/hf").path)
  return model?.blueprint.slots.contains { $0.slot.split.isExpert } == false
}

/// Tolerances as `meta.json` states them, with room: twice what the other program's own noise is.
private struct Tolerances {
  var logits = 2e-4
  var gradients = 5e-4
  var nearZero: Set<String> = []

  init(_ meta: URL) throws {
    let object = try JSONSerialization.jsonObject(with: Data(contentsOf: meta)) as? [String: Any]
    let tolerance = (object?["tolerance"] as? [String: Any])?["float32"] as? [String: Any]
    if let stated = tolerance?["logits_abs"] as? Double { logits = max(logits, 2 * stated) }
    let words = tolerance?["grad"] as? String ?? ""
    if let stated = words.split(separator: " ").compactMap({ Double($0) }).first {
      gradients = max(gradients, 2 * stated)
    }
    nearZero = Set(object?["near_zero_gradients"] as? [String] ?? [])
  }
}

/// What `train capture` computes, against what the other program computed.
@Suite struct ReferenceTests {
  @Test func thereAreCases() { #expect(cases.count >= 6) }

  @Test(arguments: cases)
  func everyNumberIsTheReferences(_ name: String) throws {
    let root = Support.data("hf/\(name)")
    let file = root.appending(path: "reference.safetensors")
    let reference = try SafeTensorsFile(file.path)
    let tolerances = try Tolerances(root.appending(path: "meta.json"))
    try Support.withTemporaryFolder { folder in
      let output = folder.appending(path: "out.h5").path
      let tokens = reference["greedy"]?.shape.count ?? 0
      let outcome = try program.run([
        "capture", "--model", root.appending(path: "hf").path, "--inputs", file.path,
        "--output", output, "--gradients", "--greedy", "\(tokens)", "--threads", "1",
      ])
      try #require(outcome.status == 0, "\(outcome.error)")
      let captured = try Captured(HDF5File(output), reference)
      for index in 0..<reference.header.tensors.count {
        guard reference["hidden.\(index)"] != nil else { break }
        try captured.compare("hidden/\(index)", "hidden.\(index)", tolerances.logits, 2e-4)
      }
      try captured.compare("logits", "logits", tolerances.logits, 2e-4)
      try captured.compare("loss", "loss", 5e-5, 1e-5)
      for entry in reference.header.tensors where entry.name.hasPrefix("grad.") {
        let name = String(entry.name.dropFirst("grad.".count))
        try captured.compareGradient(
          name, tolerances.gradients, isNearZero: tolerances.nearZero.contains(name))
      }
      if tokens > 0 {
        let expected = try reference.runs(of: "greedy").integers(dtype: .int64)
        #expect(try captured.file.runs(of: "greedy").integers(dtype: .int64) == expected)
      }
    }
  }
}

/// The same in bfloat16, as far as the other program in bfloat16 is from itself in float32.
@Suite struct HalfPrecisionTests {
  @Test(arguments: dense)
  func logitsAreAsNearAsThePeers(_ name: String) throws {
    let root = Support.data("hf/\(name)")
    let meta = try JSONSerialization.jsonObject(
      with: Data(contentsOf: root.appending(path: "meta.json")))
    let noise = (meta as? [String: Any])?["noise"] as? [String: Any]
    // Not every model's own code computes in bfloat16.
    guard let stated = noise?["logits_bfloat16_max_abs"] as? Double else { return }
    let file = root.appending(path: "reference.safetensors")
    try Support.withTemporaryFolder { folder in
      let output = folder.appending(path: "out.h5").path
      let outcome = try program.run([
        "capture", "--model", root.appending(path: "hf").path, "--inputs", file.path,
        "--output", output, "--dtype", "bfloat16", "--threads", "1",
      ])
      try #require(outcome.status == 0, "\(outcome.error)")
      try Captured(HDF5File(output), SafeTensorsFile(file.path))
        .compare("logits", "logits", 3 * stated, 0)
    }
  }
}

private struct Captured {
  let file: HDF5File
  let reference: SafeTensorsFile

  init(_ file: HDF5File, _ reference: SafeTensorsFile) {
    self.file = file
    self.reference = reference
  }

  private func pair(_ name: String, _ theirs: String) throws -> (ours: [Float], theirs: [Float]) {
    let dataset = try #require(file[name], "\(name) is not there")
    let entry = try #require(reference[theirs])
    if entry.shape.count > 1 { #expect(dataset.shape == entry.shape, "\(name)") }
    let expected = try reference.runs(of: theirs).floats(dtype: entry.dtype)
    let found = try file.floats(name)
    try #require(found.count == expected.count, "\(name)")
    return (found, expected)
  }

  /// Each number for itself: |a − b| ≤ absolute + relative · |b|.
  func compare(
    _ name: String, _ theirs: String, _ absolute: Double, _ relative: Double
  ) throws {
    let (found, expected) = try pair(name, theirs)
    var worst = 0.0
    let isWithin = zip(found, expected).allSatisfy { ours, theirs in
      let difference = abs(Double(ours) - Double(theirs))
      worst = max(worst, difference)
      return difference <= absolute + relative * abs(Double(theirs))
    }
    #expect(isWithin, "\(name) differs by up to \(worst)")
  }

  /// A gradient as a whole: ‖a − b‖ < tolerance · ‖b‖, or about zero where it is about zero.
  func compareGradient(_ name: String, _ tolerance: Double, isNearZero: Bool) throws {
    let (found, expected) = try pair("gradients/\(name)", "grad.\(name)")
    let norm = length(expected.map(Double.init))
    let difference = length(zip(found, expected).map { Double($0) - Double($1) })
    if isNearZero || norm < 1e-6 {
      #expect(difference <= 1e-5, "the gradient of \(name) should be about zero")
    } else {
      #expect(difference / norm < tolerance, "the gradient of \(name)")
    }
  }

  private func length(_ values: [Double]) -> Double {
    values.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }
}

/// A model that somebody trained, where the reference set has it beside it.
@Suite struct RealModelTests {
  private static let root = Support.reference?.deletingLastPathComponent()
    .appending(path: "real/stories260K")

  @Test(
    .enabled(if: root.map { FileManager.default.fileExists(atPath: $0.path) } ?? false),
    arguments: [["--no-cache"], []])
  func theStoryIsTheGoldenOneTokenForToken(_ options: [String]) throws {
    let root = try #require(Self.root)
    let golden = try JSONSerialization.jsonObject(
      with: Data(contentsOf: root.appending(path: "golden.json")))
    let story = try #require((golden as? [String: Any])?["greedy_256_ids_from_bos"] as? [Int])
    let outcome = try program.run(
      [
        "generate", "--model", root.appending(path: "hf").path, "--tokens", "\(story[0])",
        "--max-new-tokens", "\(story.count - 1)", "--ignore-eos", "--json",
      ] + options)
    #expect(outcome.status == 0, "\(outcome.error)")
    #expect(try outcome.object["tokens"] as? [Int] == story)
  }
}
