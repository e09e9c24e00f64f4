import Foundation
import Support
import Testing

/// The header of a safetensors file that another program wrote: name → type, shape, bytes.
private func header(_ url: URL) throws -> [String: (shape: [Int], bytes: Int)] {
  let data = try Data(contentsOf: url)
  let length = (0..<8).reduce(0) { $0 | Int(data[$1]) << ($1 * 8) }
  let object = try JSONSerialization.jsonObject(with: data[8..<8 + length])
  var result: [String: (shape: [Int], bytes: Int)] = [:]
  for (name, value) in try #require(object as? [String: [String: Any]]) where name != "__metadata__"
  {
    let offsets = try #require(value["data_offsets"] as? [Int])
    result[name] = (try #require(value["shape"] as? [Int]), offsets[1] - offsets[0])
  }
  return result
}

private func inspect(_ url: URL, _ options: [String] = []) throws -> [String: Any] {
  let outcome = try program.run(["inspect", url.path, "--json"] + options)
  #expect(outcome.status == 0, "\(outcome.error)")
  let text = try program.run(["inspect", url.path])
  #expect(text.status == 0)
  #expect(text.output.contains("Next:\n  convert "))
  return try outcome.object
}

private let checkpoints = Support.names(in: "formats").filter { name in
  (name.hasPrefix("td_") || name.hasPrefix("zarr_") || name.hasPrefix("legacy_gpt_tp1")
    || name.hasPrefix("bridge_lora") || name.hasPrefix("plain_dcp"))
    && Support.names(in: "formats").contains(name + ".expected.safetensors")
}

@Test(arguments: checkpoints)
func checkpointsAreKnownWithTheirTensors(_ name: String) throws {
  let expected = try header(Support.data("formats/\(name).expected.safetensors"))
  let object = try inspect(Support.data("formats/\(name)"), ["--tensors"])
  let format = try #require(object["format"] as? String)
  let wanted =
    name.hasPrefix("zarr")
    ? "zarr"
    : name.hasPrefix("legacy") ? "torch" : name.hasPrefix("plain") ? "dcp" : "torch_dist"
  #expect(format == wanted)
  let list = try #require(object["tensorList"] as? [[String: Any]])
  var found: [String: (shape: [Int], bytes: Int)] = [:]
  for tensor in list {
    found[try #require(tensor["name"] as? String)] = (
      try #require(tensor["shape"] as? [Int]), try #require(tensor["bytes"] as? Int)
    )
  }
  #expect(found.count == expected.count)
  let bytes = { (tensors: [String: (shape: [Int], bytes: Int)]) in
    tensors.values.reduce(0) { $0 + $1.bytes }
  }
  #expect(bytes(found) == bytes(expected))
  // One file per rank names some tensors after the layers of another implementation.
  if format == "torch" { return }
  for (key, tensor) in expected {
    #expect(found[key]?.shape == tensor.shape, "\(key)")
    #expect(found[key]?.bytes == tensor.bytes, "\(key)")
  }
}

@Test func megatronFoldersSayHowTheyWereCut() throws {
  let stacked = try inspect(Support.data("formats/td_gpt_tp2_pp2"))
  let layout = try #require(stacked["layout"] as? [String: Any])
  #expect(layout["tensor_model_parallel_size"] as? Int == 2)
  #expect(layout["pipeline_model_parallel_size"] as? Int == 2)
  #expect(layout["layer_keys"] as? String == "stacked")
  #expect(layout["iteration"] as? Int == 10)
  let numbered = try inspect(Support.data("formats/td_gpt_nonhomog"))
  #expect((numbered["layout"] as? [String: Any])?["layer_keys"] as? String == "numbered")
}

@Test func oneIterationIsTakenAsWellAsTheRun() throws {
  let run = try inspect(Support.data("formats/td_gpt_tp1"))
  let iteration = try inspect(Support.data("formats/td_gpt_tp1/iter_0000010"))
  #expect(run["tensors"] as? Int == iteration["tensors"] as? Int)
  #expect(run["tensorBytes"] as? Int == iteration["tensorBytes"] as? Int)
}

@Test func configurationOfTheRunIsShown() throws {
  let object = try inspect(Support.data("bridge/llama/megatron"))
  #expect((object["architecture"] as? String)?.hasSuffix("GPTModelProvider") == true)
  let layout = try #require(object["layout"] as? [String: Any])
  #expect(layout["num_layers"] as? Int == 2)
  #expect(layout["tied"] as? Bool == false)
  // What Megatron holds is what the model holds.
  let model = try header(Support.data("bridge/llama/hf/model.safetensors"))
  #expect(object["tensorBytes"] as? Int == model.values.reduce(0) { $0 + $1.bytes })
}

@Test func modelsAreCountedByTheirBlueprint() throws {
  let object = try inspect(demo)
  #expect(object["format"] as? String == "huggingface")
  #expect(object["architecture"] as? String == "LlamaForCausalLM")
  let files = names(in: demo).filter { $0.hasSuffix(".safetensors") }
  let tensors = try files.flatMap { try header(demo.appending(path: $0)).values }
  #expect(object["tensors"] as? Int == tensors.count)
  #expect(object["tensorBytes"] as? Int == tensors.reduce(0) { $0 + $1.bytes })
  #expect(object["parameters"] as? Int == tensors.reduce(0) { $0 + $1.shape.reduce(1, *) })
  #expect((object["files"] as? [Any])?.count == files.count)
}

@Test(
  arguments: Support.names(in: "formats").filter { $0.hasPrefix("zip_") && $0.hasSuffix(".pt") })
func filesOfTorchSaveAreKnown(_ name: String) throws {
  let object = try inspect(Support.data("formats/\(name)"))
  #expect(object["format"] as? String == "torch_file")
}

@Test func oneFileOfWeightsIsKnown() throws {
  let file = demo.appending(path: names(in: demo).first { $0.hasSuffix(".safetensors") } ?? "")
  let object = try inspect(file)
  #expect(object["format"] as? String == "safetensors")
  #expect(object["tensors"] as? Int == (try header(file)).count)
}

@Test func checksumsOfTheSameTensorAreTheSameInAnyFormat() throws {
  func sums(_ url: URL) throws -> [String: String] {
    let object = try inspect(url, ["--checksums"])
    #expect(object["checksums"] as? String == "valid")
    let list = try #require(object["tensorList"] as? [[String: Any]])
    return Dictionary(
      uniqueKeysWithValues: list.compactMap { entry in
        (entry["name"] as? String).map { ($0, entry["crc32"] as? String ?? "") }
      })
  }
  let stored = try sums(Support.data("formats/td_gpt_tp2_pp2"))
  let expected = try sums(Support.data("formats/td_gpt_tp2_pp2.expected.safetensors"))
  #expect(stored == expected)
  #expect(!stored.isEmpty)
}

@Test func damagedBytesAreFoundByTheirChecksum() throws {
  try Support.withTemporaryFolder { folder in
    let copy = folder.appending(path: "iter_0000010")
    try FileManager.default.copyItem(
      at: Support.data("formats/td_gpt_tp1/iter_0000010"), to: copy)
    let path = copy.appending(path: "__0_0.distcp")
    var bytes = try Data(contentsOf: path)
    // A zip record: a header of 30 bytes, which ends with the lengths of name and padding, then both.
    let name = try #require(bytes.range(of: Data("archive/data/0".utf8)))
    let header = name.lowerBound - 30
    let lengths = [26, 28].map { Int(bytes[header + $0]) | Int(bytes[header + $0 + 1]) << 8 }
    bytes[header + 30 + lengths[0] + lengths[1]] ^= 0xFF
    try bytes.write(to: path)
    let outcome = try program.run(["inspect", copy.path, "--checksums"])
    #expect(outcome.status == 3)
    #expect(outcome.output.contains("Damaged:"))
  }
}

@Test func whatIsNothingKnownIsAnError() throws {
  try Support.withTemporaryFolder { folder in
    let file = folder.appending(path: "notes.txt")
    try Data("just a text, and nothing else".utf8).write(to: file)
    for path in [file.path, folder.path] {
      let outcome = try program.run(["inspect", path])
      #expect(outcome.status == 1)
      #expect(outcome.error.contains(path))
    }
  }
}
