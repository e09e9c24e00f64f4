import Adapters
import Blueprint
import Engine

extension AdapterSettings {
  /// The pairs that these settings mean on a model.
  ///
  /// A target is a module's own name (`linear_qkv`, `q_proj`), the end of its path, or a pattern of its whole path in
  /// which `*` stands for anything (`*.layers.0.*.linear_qkv`). Exclusions count only where there are no targets, as
  /// at the peers (`ModuleMatcher` of Megatron-Bridge and Automodel).
  ///
  /// - Throws: `RunningError.noTargets`, `.indivisible`.
  public func pairs(on model: Model) throws(RunningError) -> [PlannedPair] {
    let finder = AdapterPlaces(self, model.blueprint)
    let places = try finder.places()
    guard !places.isEmpty else {
      throw .noTargets(wanted: targets, found: finder.modules)
    }
    return places.map {
      PlannedPair(
        $0, rank: rank, scale: alpha / Double(rank), hasMagnitude: kind == .dora || hasMagnitude,
        start: .fresh(start))
    }
  }
}

extension AdapterSettings {
  /// How many numbers such adapters learn on a model, without there being one.
  ///
  /// - Throws: `RunningError`, as `pairs(on:)`.
  public func learnedCount(on blueprint: Blueprint) throws(RunningError) -> Int {
    let finder = AdapterPlaces(self, blueprint)
    let places = try finder.places()
    guard !places.isEmpty else {
      throw .noTargets(wanted: targets, found: finder.modules)
    }
    var shapes: [String: Slot] = [:]
    for placed in finder.slots { shapes[AdapterPlaces.name(placed)] = placed.slot }
    return places.reduce(0) { sum, place in
      guard let slot = shapes[place.parameter] else { return sum }
      let width = slot.rowWidth
      let rows: Int
      switch place.rows {
      case .all: rows = slot.rows / (place.sharesOutputs ? max(1, slot.matrices) : 1)
      case .packed(let stretches): rows = stretches.reduce(0) { $0 + $1.count }
      case .part(let part):
        rows = slot.parts.indices.contains(part) ? slot.parts[part].shape.dimensions.first ?? 0 : 0
      }
      let magnitudes = kind == .dora || hasMagnitude ? rows : 0
      return sum + rank * (width + rows) + magnitudes
    }
  }
}

/// Finds the places on a model that settings mean.
private struct AdapterPlaces {
  let settings: AdapterSettings
  let slots: [PlacedSlot]
  private let names: MegatronNames
  private let attentions: AttentionTable

  init(_ settings: AdapterSettings, _ blueprint: Blueprint) {
    self.settings = settings
    slots = blueprint.slots.filter {
      !$0.isPredictor && !$0.slot.parts.isEmpty && $0.slot.takesAdapters
    }
    names = MegatronNames(blueprint)
    attentions = AttentionTable(blueprint)
  }

  /// What the engine calls a slot's parameter.
  static func name(_ slot: PlacedSlot) -> String {
    slot.slot.parts.first?.name ?? "\(slot.slot.role)"
  }

  func places() throws(RunningError) -> [AdapterPlace] {
    var places: [AdapterPlace] = []
    for slot in slots {
      switch settings.kind {
      case .parts: places += parts(slot)
      case .lora, .dora:
        if let path = path(slot), isMeant(path) { places.append(whole(slot)) }
      case .canonical: places += try canonical(slot)
      }
    }
    return places
  }

  /// The last words of all modules that could be targets, sorted.
  var modules: [String] {
    let paths = slots.flatMap { slot in
      settings.kind == .parts ? tensors(slot) : [path(slot)].compactMap(\.self)
    }
    return Set(paths.compactMap { $0.split(separator: ".").last.map(String.init) }).sorted()
  }

  // MARK: Megatron's modules

  /// The module in a running model, where each layer has its number.
  private func path(_ slot: PlacedSlot) -> String? {
    names.modules(of: slot).joined().first { $0.lead.isEmpty && $0.expert == nil }?.key
  }

  /// All of a matrix; the experts of a bank share one pair.
  private func whole(_ slot: PlacedSlot) -> AdapterPlace {
    let isBank = slot.slot.matrices > 1
    return AdapterPlace(Self.name(slot), .all, sharesInputs: isBank, sharesOutputs: isBank)
  }

  private func canonical(_ placed: PlacedSlot) throws(RunningError) -> [AdapterPlace] {
    guard let path = path(placed) else { return [] }
    let slot = placed.slot
    // The experts of a bank have one pair, whatever it is called.
    let members: [AdapterMember] =
      switch slot.role {
      case .queryKeyValue: [.query, .key, .value]
      case .fc1, .sharedFC1: [.gate, .up]
      default: []
      }
    guard !members.isEmpty else { return isMeant(path) ? [whole(placed)] : [] }
    let lead = path.split(separator: ".").dropLast().joined(separator: ".")
    var places: [AdapterPlace] = []
    for member in members {
      guard let target = member.target, isMeant("\(lead).\(target)") else { continue }
      switch member.rows(of: slot, attentions[slot]) {
      case .success(let rows): places.append(AdapterPlace(Self.name(placed), .packed(rows)))
      case .failure(let fault):
        throw .indivisible(layer: path, target: target, reason: fault.reason)
      }
    }
    return places
  }

  // MARK: Hugging Face's tensors

  private func parts(_ slot: PlacedSlot) -> [AdapterPlace] {
    tensors(slot).enumerated().compactMap { part, path in
      isMeant(path) ? AdapterPlace(Self.name(slot), .part(part)) : nil
    }
  }

  /// The modules of a matrix' tensors, of a bank those of its first expert.
  private func tensors(_ placed: PlacedSlot) -> [String] {
    let slot = placed.slot
    return slot.parts.prefix(slot.partsOfMatrix).map { part in
      part.name.hasSuffix(".weight") ? String(part.name.dropLast(".weight".count)) : part.name
    }
  }

  // MARK: Patterns

  private func isMeant(_ path: String) -> Bool {
    if settings.matchesAll { return true }
    guard settings.targets.isEmpty else {
      return settings.targets.contains { ModulePattern($0).matches(path) }
    }
    return !settings.excluded.contains { ModulePattern($0).matches(path) }
  }
}

/// A module's own name, the end of its path, or a whole path with `*` for anything.
struct ModulePattern {
  private let pattern: [UInt8]

  init(_ pattern: String) { self.pattern = Array(pattern.utf8) }

  func matches(_ path: String) -> Bool {
    let path = Array(path.utf8)
    if pattern.contains(UInt8(ascii: "*")) { return matchesWhole(path) }
    return path == pattern || path.suffix(pattern.count + 1) == [UInt8(ascii: ".")] + pattern
  }

  /// Goes back to the last `*` where letters differ; takes time with the product of both lengths at most.
  private func matchesWhole(_ path: [UInt8]) -> Bool {
    var (place, letter) = (0, 0)
    var star: (place: Int, letter: Int)?
    while letter < path.count {
      if place < pattern.count, pattern[place] == UInt8(ascii: "*") {
        star = (place, letter)
        place += 1
      } else if place < pattern.count, pattern[place] == path[letter] {
        place += 1
        letter += 1
      } else if let last = star {
        star = (last.place, last.letter + 1)
        place = last.place + 1
        letter = last.letter + 1
      } else {
        return false
      }
    }
    return pattern[place...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
