import Blueprint
import Checkpoints
import MegatronFormat
import Tensors

extension Adapter {
  /// Reads the adapter of a Megatron-Bridge or NeMo 2 run, whatever ranks wrote it.
  ///
  /// - Parameters:
  ///   - path: a run folder or one iteration in it.
  ///   - model: the model that the adapter belongs to.
  /// - Throws: `AdapterError`, listing what does not belong to the model; `MegatronError`.
  public init(megatron path: String, for model: HuggingFaceModel) throws {
    let run = try RunFolder(resolving: path)
    try run.requireDistributed()
    if try run.runConfig()?["peft", "_target_"]?.string == MegatronAdapterSettings.ownClass {
      try self.init(peft: "\(run.folder)/hf", for: model)
      return
    }
    let stored = try MegatronModel(path: path)
    guard stored.tensors.keys.contains(where: { $0.parted(at: ".adapter") != nil }) else {
      throw AdapterError.unsupported(
        file: run.folder,
        what:
          "it holds no adapter but a model's own weights. Name it with --pretrained if it is the "
          + "base, and the adapter's run with --lora-checkpoint")
    }
    let settings = try MegatronAdapterSettings(run)
    var reader = try MegatronAdapterReader(stored, model.blueprint, settings)
    for placed in model.blueprint.slots { try reader.read(placed) }
    try reader.finish()
    self.init(source: "\(run.folder) (\(settings.kind.rawValue))")
    changes = reader.changes
    notes = reader.notes
  }
}

/// Finds the tensors of an adapter under the layers they belong to, and says what they change.
struct MegatronAdapterReader {
  private let folder: String
  private let settings: MegatronAdapterSettings
  private let names: MegatronNames
  private let attentions: AttentionTable
  /// By the layer's key, then by what stands behind `.adapter.`.
  private var modules: [String: [String: DistributedTensor]] = [:]
  private var used: Set<String> = []
  private var mismatches: [AdapterError.Mismatch] = []
  private var missing: Set<String> = []
  private var extra: [String] = []
  private(set) var changes: [String: [Change]] = [:]
  private(set) var notes: [String] = []

  private static let marker = ".adapter."

  init(
    _ model: MegatronModel, _ blueprint: Blueprint, _ settings: MegatronAdapterSettings
  ) throws(AdapterError) {
    folder = model.folder
    self.settings = settings
    names = MegatronNames(blueprint)
    attentions = AttentionTable(blueprint)
    for (key, tensor) in model.tensors {
      guard let (module, rest) = key.parted(at: Self.marker) else {
        extra.append(key)
        continue
      }
      modules[module, default: [:]][rest] = tensor
    }
    if let key = extra.first(where: { $0.parted(at: ".adapters.") != nil }) {
      throw .unsupported(
        file: folder,
        what:
          "\(key) is one of several adapters that were trained side by side (MultiLoRA), which are "
          + "not read; save the one you want with Megatron-Bridge's LoRA class")
    }
    if modules.isEmpty { throw .notFound(path: folder) }
  }

  /// Refuses what does not fit the model, and what belongs to none of its layers.
  mutating func finish() throws(AdapterError) {
    for (module, tensors) in modules {
      extra += tensors.keys.map { module + Self.marker + $0 }.filter { !used.contains($0) }
    }
    if !mismatches.isEmpty { throw .doesNotFit(source: folder, mismatches: mismatches) }
    if !missing.isEmpty { throw .incomplete(source: folder, tensors: missing.sorted()) }
    if !extra.isEmpty { throw .leftOver(source: folder, tensors: extra.sorted()) }
  }

  /// Adds what the adapter does to a slot's tensors, if it has anything for it.
  mutating func read(_ placed: PlacedSlot) throws(AdapterError) {
    for spelling in names.modules(of: placed) {
      guard spelling.contains(where: { modules[$0.key] != nil }) else { continue }
      for member in AdapterMember.allCases {
        let found = spelling.contains { module in
          modules[module.key]?.keys.contains { member.owns($0) } ?? false
        }
        if found { try read(placed, spelling, member) }
      }
      return
    }
  }

  private mutating func read(
    _ placed: PlacedSlot, _ spelling: [MegatronModule], _ member: AdapterMember
  ) throws(AdapterError) {
    let slot = placed.slot
    let key = spelling[0].key + Self.marker + member.prefix
    let rows: [Range<Int>]
    switch member.rows(of: slot, attentions[slot]) {
    case .success(let found): rows = found
    case .failure(let fault):
      throw .unsupported(file: folder, what: "\(key): \(fault.reason)")
    }
    guard !slot.layout.copiesRows(among: rows) else {
      throw .unsupported(
        file: folder,
        what:
          "\(key): the model's keys are its values, and the adapter tells them apart, as no tensor "
          + "of Hugging Face's can; train adapters on the other layers")
    }
    var finder = FactorFinder(
      slot: slot, spelling: spelling, member: member, rows: rows, rank: settings.rank)
    let found = finder.find(in: modules)
    used.formUnion(finder.used)
    for mismatch in finder.mismatches where !mismatches.contains(mismatch) {
      mismatches.append(mismatch)
    }
    missing.formUnion(finder.missing)
    guard let found else { return }
    if found.rank != settings.rank, !(slot.split.isExpert && settings.normalizesExperts) {
      let note =
        "\(key.dropLast()) has the rank \(found.rank), and the settings say \(settings.rank); its factor is "
        + "\(settings.alpha) / \(found.rank)."
      if !notes.contains(note) { notes.append(note) }
    }
    add(found, to: slot)
  }

  /// Adds one change for each Hugging Face tensor, or matrix of one, that has outputs of the layer.
  private mutating func add(_ found: FoundFactors, to slot: Slot) {
    let scale = settings.alpha / Double(found.rank)
    for (index, part) in slot.parts.enumerated() {
      let place = PartRows(slot: slot, part: index)
      guard place.isTouched(by: found.rows) else { continue }
      for matrix in 0..<place.matrices {
        let low = LowRank(
          a: found.a(expert: place.expert(matrix)), b: found.b(place, matrix: matrix), scale: scale,
          magnitude: found.magnitude(place, matrix: matrix), isTransposed: place.isTransposed)
        changes[part.name, default: []].append(
          Change(.lowRank(low), matrix: part.shape.rank == 3 ? matrix : nil))
      }
    }
  }
}

extension String {
  /// What stands before and behind the first place where the text holds another.
  func parted(at marker: String) -> (head: String, tail: String)? {
    let (text, wanted) = (Array(utf8), Array(marker.utf8))
    guard text.count >= wanted.count else { return nil }
    for start in 0...text.count - wanted.count where text[start] == wanted[0] {
      let end = start + wanted.count
      if text[start..<end].elementsEqual(wanted) {
        return (
          String(decoding: text[..<start], as: UTF8.self),
          String(decoding: text[end...], as: UTF8.self)
        )
      }
    }
    return nil
  }
}
