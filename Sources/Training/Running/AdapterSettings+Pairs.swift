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
    let finder = AdapterPlaces(self, model)
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

/// Finds the places on a model that settings mean.
private struct AdapterPlaces {
  let settings: AdapterSettings
  let model: Model
  private let names: MegatronNames
  private let attentions: AttentionTable

  init(_ settings: AdapterSettings, _ model: Model) {
    self.settings = settings
    self.model = model
    names = MegatronNames(model.blueprint)
    attentions = AttentionTable(model.blueprint)
  }

  func places() throws(RunningError) -> [AdapterPlace] {
    var places: [AdapterPlace] = []
    for parameter in model.parameters where parameter.slot.slot.takesAdapters {
      switch settings.kind {
      case .parts: places += parts(parameter)
      case .lora, .dora:
        if let path = path(parameter), isMeant(path) { places.append(whole(parameter)) }
      case .canonical: places += try canonical(parameter)
      }
    }
    return places
  }

  /// The last words of all modules that could be targets, sorted.
  var modules: [String] {
    let paths = model.parameters.filter(\.slot.slot.takesAdapters).flatMap { parameter in
      settings.kind == .parts ? tensors(parameter) : [path(parameter)].compactMap(\.self)
    }
    return Set(paths.compactMap { $0.split(separator: ".").last.map(String.init) }).sorted()
  }

  // MARK: Megatron's modules

  /// The module in a running model, where each layer has its number.
  private func path(_ parameter: Parameter) -> String? {
    names.modules(of: parameter.slot).joined().first { $0.lead.isEmpty && $0.expert == nil }?.key
  }

  /// All of a matrix; the experts of a bank share one pair.
  private func whole(_ parameter: Parameter) -> AdapterPlace {
    let isBank = parameter.slot.slot.matrices > 1
    return AdapterPlace(parameter.name, .all, sharesInputs: isBank, sharesOutputs: isBank)
  }

  private func canonical(_ parameter: Parameter) throws(RunningError) -> [AdapterPlace] {
    guard let path = path(parameter) else { return [] }
    let slot = parameter.slot.slot
    // The experts of a bank have one pair, whatever it is called.
    let members: [AdapterMember] =
      switch slot.role {
      case .queryKeyValue: [.query, .key, .value]
      case .fc1, .sharedFC1: [.gate, .up]
      default: []
      }
    guard !members.isEmpty else { return isMeant(path) ? [whole(parameter)] : [] }
    let lead = path.split(separator: ".").dropLast().joined(separator: ".")
    var places: [AdapterPlace] = []
    for member in members {
      guard let target = member.target, isMeant("\(lead).\(target)") else { continue }
      switch member.rows(of: slot, attentions[slot]) {
      case .success(let rows): places.append(AdapterPlace(parameter.name, .packed(rows)))
      case .failure(let fault):
        throw .indivisible(layer: path, target: target, reason: fault.reason)
      }
    }
    return places
  }

  // MARK: Hugging Face's tensors

  private func parts(_ parameter: Parameter) -> [AdapterPlace] {
    tensors(parameter).enumerated().compactMap { part, path in
      isMeant(path) ? AdapterPlace(parameter.name, .part(part)) : nil
    }
  }

  /// The modules of a matrix' tensors, of a bank those of its first expert.
  private func tensors(_ parameter: Parameter) -> [String] {
    let slot = parameter.slot.slot
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
