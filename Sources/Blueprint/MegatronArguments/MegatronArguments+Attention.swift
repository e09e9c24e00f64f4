import JSON

// What the attentions of a model have in common, and how they differ from layer to layer.

extension MegatronArguments {
  /// The class of Gemma's that a model without capped scores needs, or the plain one.
  func gemma() -> Provider {
    let width = Double(blueprint.frame.width)
    guard blueprint.embeddingScale == width.squareRoot(), blueprint.final.kind == .rmsUnitOffset,
      blueprint.logitSoftCap == nil
    else { return .plain }
    if !hasOutputNorms { return .scaled }
    return attentions.allSatisfy { $0.headNorms != nil } && windowPeriod != nil
      ? .alternating : .plain
  }

  /// n where every n-th layer sees all and all others slide.
  var windowPeriod: Int? {
    guard let first = attentions.firstIndex(where: { $0.window == nil }), first > 0 else {
      return nil
    }
    let isRegular = attentions.enumerated().allSatisfy { index, attention in
      (attention.window == nil) == ((index + 1) % (first + 1) == 0)
    }
    return isRegular ? first + 1 : nil
  }

  // MARK: - Norms

  private var residuals: [Residual] {
    blueprint.blocks.flatMap(\.layers).compactMap { $0 as? Residual }
      .filter { !($0.layer is LayerInput) }
  }

  var hasOutputNorms: Bool { residuals.contains { $0.after != nil } }

  /// Norms on layers' outputs: Bridge has layers with them in place of those on the inputs.
  mutating func describeOutputNorms() {
    guard provider == .plain, hasOutputNorms else { return }
    if residuals.allSatisfy({ $0.before == nil }), values["isthmus_qk_layernorm"] == nil {
      values["transformer_layer_spec"] = MegatronDefaults.outputNorms
    } else {
      values["isthmus_output_norms"] = .bool(true)
      if residuals.contains(where: { $0.before == nil }) {
        values["isthmus_input_norms"] = .bool(false)
      }
    }
  }

  // MARK: - Rotations and windows

  /// What the attentions say, where they differ what those say that see all; how those that slide
  /// differ; layers without rotation, and without keys or values of their own.
  mutating func describeAttentions() {
    guard !attentions.isEmpty else { return }
    let turning = attentions.filter { $0.rotary != nil }
    guard let main = turning.first(where: { $0.window == nil }) ?? turning.first else {
      values["position_embedding_type"] = .string("none")
      return
    }
    let words = words(of: main)
    values.merge(words) { $1 }
    if turning.count < attentions.count, provider != .hybrid {
      values["no_rope_freq"] = .array(attentions.map { .integer($0.rotary == nil ? 1 : 0) })
    }
    describeKeySources()
    guard
      let other = turning.first(where: { $0.rotary != main.rotary || $0.headSize != main.headSize })
    else { return }
    if provider == .alternating, let local = other.rotary, local.scaling == .none,
      let global = main.rotary
    {
      values["rotary_base"] = .array([.number(local.theta), .number(global.theta)])
      if case .linear(let factor) = global.scaling {
        values["rope_scaling_factor"] = .number(factor)
        values["seq_len_interpolation_factor"] = nil
      }
    } else {
      let differing = self.words(of: other).filter { words[$0.key] != $0.value }
      values["isthmus_sliding_attention"] = sorted(differing)
    }
  }

  /// All that one attention says, its rotation included.
  private func words(of attention: Attention) -> [String: JSON] {
    var alone = self
    alone.values = [:]
    attention.describe(in: &alone)
    if let rotary = attention.rotary {
      alone.describe(rotary, headSize: attention.headSize)
      if rotary.isInterleaved { alone.values["rotary_interleaved"] = .bool(true) }
    }
    return alone.values
  }

  private func sorted(_ values: [String: JSON]) -> JSON {
    var object = JSONObject()
    for (key, value) in values.sorted(by: { $0.key < $1.key }) { object[key] = value }
    return .object(object)
  }

  /// Layers whose values are what the key projection gives, and those that use another layer's.
  private mutating func describeKeySources() {
    let sources = attentions.map(\.keySource)
    if sources.contains(.sameProjection) {
      values["isthmus_values_are_keys"] = .array(
        sources.map { .integer($0 == .sameProjection ? 1 : 0) })
    }
    if sources.contains(where: \.isElsewhere) {
      values["isthmus_keys_of_layer"] = .array(
        sources.enumerated().map { index, source in
          if case .block(let other) = source { .integer(other) } else { .integer(index) }
        })
    }
  }

  mutating func describeWindows() {
    let windows = attentions.map(\.window)
    guard let window = windows.compactMap({ $0 }).max() else { return }
    if provider == .alternating, let period = windowPeriod {
      // This class takes the configuration's number and sees which layers slide by itself.
      values["window_size"] = .integer(window)
      values["interleaved_attn_pattern"] = .array([.integer(period - 1), .integer(1)])
      return
    }
    values["window_size"] = .array([.integer(window - 1), .integer(0)])
    // Gemma's provider windows every second layer on its own.
    let alternates = windows.enumerated().allSatisfy { index, value in
      value == (index % 2 == 0 ? window : nil)
    }
    if provider == .capped {
      if !alternates {
        values["isthmus_window_sizes"] = .array(windows.map { .integer($0 ?? 0) })
      }
      return
    }
    values["cp_comm_type"] = .string("a2a")
    if windows.contains(where: { $0 == nil }) {
      values["window_attn_skip_freq"] =
        windowPeriod.map { .integer($0) } ?? .array(windows.map { .integer($0 == nil ? 0 : 1) })
    }
  }
}
