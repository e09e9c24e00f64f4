/// The name of a tensor in an adapter_model file, taken apart.
///
/// `base_model.model.` + module + what of the adapter, perhaps with the adapter's own name behind it:
/// `base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight`.
struct PEFTName {
  enum Kind: Hashable {
    case a
    case b
    case bias
    case embeddingA
    case embeddingB
    case magnitude
    /// A tensor of the model as it was trained, by its last component.
    case saved(String)
    /// The copy of a base tensor that is kept beside its adapter.
    case base(String)
  }

  /// The module's path in the running model.
  let module: String
  let kind: Kind
  /// How many other adapters of the same module this one lies under.
  let depth: Int

  /// - Returns: `nil` for a name of another form.
  init?(_ name: String) {
    var text = Substring(name)
    if text.hasPrefix("base_model.model.") { text = text.dropFirst("base_model.model.".count) }
    let components = text.split(separator: ".", omittingEmptySubsequences: false)
    guard components.count >= 2, !components.contains("") else { return nil }
    if let place = components.firstIndex(where: { Self.marks[$0] != nil }),
      let mark = Self.marks[components[place]]
    {
      var rest = components[(place + 1)...]
      let last = rest.last
      if last == "weight" || last == "bias" { rest = rest.dropLast() }
      // What is left is the adapter's name.
      guard rest.count <= 1, place > 0 else { return nil }
      if last == "bias" {
        guard mark == .b else { return nil }
        kind = .bias
      } else {
        kind = mark
      }
      (module, depth) = Self.unwrapped(components[..<place])
      return
    }
    guard let parameter = components.last else { return nil }
    var path = components.dropLast()
    if let place = path.lastIndex(of: "modules_to_save") {
      // The module's own path behind the adapter's name stays.
      let behind = path[(place + 1)...]
      path = path[..<place] + behind.dropFirst(min(1, behind.count))
    }
    let isBase = path.last == "base_layer" && parameter != "bias"
    (module, depth) = Self.unwrapped(path)
    kind = isBase ? .base(String(parameter)) : .saved(String(parameter))
  }

  private static let marks: [Substring: Kind] = [
    "lora_A": .a, "lora_B": .b, "lora_embedding_A": .embeddingA, "lora_embedding_B": .embeddingB,
    "lora_magnitude_vector": .magnitude,
  ]

  /// A path without the wrappers at its end.
  private static func unwrapped(_ path: ArraySlice<Substring>) -> (module: String, depth: Int) {
    let module = path.reversed().drop { $0 == "base_layer" }.reversed()
    return (module.joined(separator: "."), path.count - module.count)
  }
}
