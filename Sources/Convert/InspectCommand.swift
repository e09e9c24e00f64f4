import ArgumentParser
import Checkpoints
import Console
import JSON
import Tensors

/// `convert inspect`: what a file or checkpoint is.
struct InspectCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Says what a file or checkpoint is.",
    discussion: """
      Takes a Hugging Face folder or reference, a .safetensors file, a file of torch.save, a Megatron \
      run folder or one iteration in it, a NeMo 2 folder. Only headers and configuration are read, of a \
      model on the hub only those are fetched, unless --checksums asks for all.

      EXAMPLES
        convert inspect ./llama
        convert inspect hf://org/name
        convert inspect run/iter_0000500 --tensors
        convert inspect model.safetensors --json
        convert inspect run --checksums
      """)

  @Argument(help: ArgumentHelp("The file, folder or reference.", valueName: "path"))
  var path: String

  @Flag(help: "List every tensor.") var tensors = false

  @Flag(
    help: ArgumentHelp(
      "Read everything: verify the checksums that .distcp and .pt files carry, and print a CRC-32 "
        + "of each tensor."))
  var checksums = false

  @Flag(help: "Print one JSON object.") var json = false

  var wantsJSON: Bool { json }

  func run() throws {
    let inspection: Inspection
    var sums: Checksums?
    if checksums || Folder.exists(path) {
      let thing = try StoredThing(path)
      inspection = try Inspection(thing)
      if checksums { sums = try inspection.checksums(thing) }
    } else {
      inspection = try Inspection(ModelReference(path).find())
    }
    if json {
      Report.print(object(inspection, sums))
    } else {
      Report.print(text(inspection, sums).joined(separator: "\n"))
    }
    if sums?.fault != nil { throw ExitStatus.difference }
  }

  // MARK: JSON

  private func object(_ inspection: Inspection, _ sums: Checksums?) -> JSONObject {
    var object = JSONObject([
      "path": .string(inspection.path), "format": .string(inspection.format),
      "title": .string(inspection.title),
      "architecture": inspection.architecture.map { .string($0) } ?? .null,
      "parameters": inspection.parameters.map { .integer($0) } ?? .null,
      "activeParameters": inspection.activeParameters.map { .integer($0) } ?? .null,
      "tensors": .integer(inspection.tensors.tensors.count),
      "tensorBytes": .integer(inspection.tensorBytes),
    ])
    object["types"] = .array(
      inspection.types.map { type in
        .object(
          JSONObject([
            "dtype": .string(type.dtype.name), "tensors": .integer(type.tensors),
            "elements": .integer(type.elements), "bytes": .integer(type.bytes),
          ]))
      })
    object["files"] = .array(
      inspection.files.map {
        .object(JSONObject(["name": .string($0.name), "bytes": .integer($0.bytes)]))
      })
    var layout = JSONObject()
    for fact in inspection.facts { layout[fact.key] = fact.value }
    object["layout"] = .object(layout)
    object["objects"] = .integer(inspection.objects.count)
    object["notes"] = inspection.notes.json
    if tensors || sums != nil { object["tensorList"] = .array(list(inspection, sums)) }
    if let sums {
      object["checksums"] = sums.fault.map { .string($0) } ?? .string("valid")
      object["objectList"] = inspection.objects.json
    }
    return object
  }

  private func list(_ inspection: Inspection, _ sums: Checksums?) -> [JSON] {
    inspection.tensors.tensors.map { tensor in
      var entry = JSONObject([
        "name": .string(tensor.name), "dtype": .string(tensor.dtype.name),
        "shape": .array(tensor.shape.dimensions.map { .integer($0) }),
        "bytes": .integer(tensor.byteCount), "chunks": .integer(tensor.pieces),
      ])
      if let sum = sums?.tensors[tensor.name] { entry["crc32"] = .string(sum) }
      return .object(entry)
    }
  }

  // MARK: Text

  private func text(_ inspection: Inspection, _ sums: Checksums?) -> [String] {
    var lines = [inspection.path]
    var rows = [("format", inspection.title)]
    if let architecture = inspection.architecture { rows.append(("architecture", architecture)) }
    if let parameters = inspection.parameters {
      rows.append(("parameters", Self.both(parameters)))
    }
    if let active = inspection.activeParameters {
      rows.append(("met by a token", Self.both(active)))
    }
    let count = inspection.tensors.tensors.count
    rows.append(("tensors", "\(Format.count(count)), \(Format.bytes(inspection.tensorBytes))"))
    for type in inspection.types {
      rows.append(
        (
          "  " + type.dtype.name,
          "\(Format.count(type.tensors, "tensor")), \(Format.bytes(type.bytes))"
        ))
    }
    rows += inspection.facts.map { fact in
      let bytes = fact.key.hasSuffix("_bytes") ? fact.value.integer : nil
      return (fact.label, bytes.map(Format.bytes) ?? fact.value.words)
    }
    rows.append(contentsOf: fileRows(inspection))
    if !inspection.objects.isEmpty {
      rows.append(("other objects", Format.count(inspection.objects.count)))
    }
    lines.append(Report.facts(rows))
    lines += Report.notes(inspection.notes)
    if tensors || sums != nil { lines += ["", table(inspection, sums)] }
    if let sums {
      lines.append(sums.fault.map { "Damaged: \($0)" } ?? "All stored checksums are right.")
    }
    lines.append(Report.next(next(inspection)))
    return lines
  }

  /// A number exactly, and in words where it is large.
  private static func both(_ number: Int) -> String {
    number < 1000
      ? Format.count(number) : "\(Format.count(number)) (\(Format.short(number)))"
  }

  private func fileRows(_ inspection: Inspection) -> [(String, String)] {
    guard !inspection.files.isEmpty else { return [] }
    let total = inspection.files.reduce(0) { $0 + $1.bytes }
    let summary = "\(Format.count(inspection.files.count)), \(Format.bytes(total))"
    guard inspection.files.count <= 8 else { return [("files", summary)] }
    return [("files", summary)]
      + inspection.files.map { ("", "\($0.name)  \(Format.bytes($0.bytes))") }
  }

  private func table(_ inspection: Inspection, _ sums: Checksums?) -> String {
    let isCut = inspection.tensors.tensors.contains { $0.pieces != 1 }
    return Format.table(
      inspection.tensors.tensors.map { tensor in
        var row = [
          tensor.name, tensor.dtype.name, tensor.shape.description, Format.bytes(tensor.byteCount),
        ]
        if isCut { row.append(Format.count(tensor.pieces, "chunk")) }
        if let sum = sums?.tensors[tensor.name] { row.append(sum) }
        return row
      }, indent: "")
  }

  private func next(_ inspection: Inspection) -> [[String]] {
    let path = inspection.path
    if inspection.facts.contains(where: { $0.key == "adapter" }) {
      return [["convert", "inspect", path, "--tensors"]]
    }
    return switch inspection.format {
    case "huggingface" where inspection.architecture != nil:
      [
        [
          "convert", "import", "--hf-model", path, "--megatron-path",
          (path.hasPrefix("hf://") ? Folder.name(path) : path) + "-megatron",
        ]
      ]
    case "torch_dist", "dcp", "nemo2":
      [
        [
          "convert", "export", "--hf-model", "MODEL", "--megatron-path", path, "--hf-path",
          path + "-hf",
        ]
      ]
    default: [["convert", "compare", path, "OTHER"]]
    }
  }
}

extension JSON {
  /// The value as people read it.
  fileprivate var words: String {
    switch self {
    case .null: "none"
    case .bool(let value): value ? "yes" : "no"
    case .integer(let value): Format.count(value)
    case .number(let value): "\(value)"
    case .string(let value): value
    case .array(let values): values.map(\.words).joined(separator: ", ")
    case .object(let object): "\(object.count) entries"
    }
  }
}

extension DType {
  /// PyTorch's name, or safetensors' where PyTorch has none.
  var name: String { torchName ?? rawValue }
}
