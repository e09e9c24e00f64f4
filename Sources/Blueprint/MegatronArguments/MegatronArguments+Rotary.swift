import JSON

// How rotations are called, and the ways of stretching them.

extension MegatronArguments {
  /// How a rotary embedding is called.
  ///
  /// - Parameter headSize: the dimensions of a head, of which `rotary.dimensions` turn.
  mutating func describe(_ rotary: Rotary, headSize: Int) {
    values["position_embedding_type"] = .string("rope")
    values["rotary_base"] = .number(rotary.theta)
    values["rotary_percent"] = .number(Double(rotary.dimensions) / Double(headSize))
    if let pairs = rotary.pairs {
      note(
        "proportional",
        ["partial_rotary_factor": .number(2 * Double(pairs) / Double(rotary.dimensions))])
    }
    switch rotary.scaling {
    case .none:
      break
    case .linear(let factor):
      values["seq_len_interpolation_factor"] = .number(factor)
    case .llama3(let factor, let low, let high, let original):
      values["rope_scaling"] = .bool(true)
      values["rope_scaling_factor"] = .number(factor)
      // Megatron-Core takes its own constants for the rest.
      if (low, high, original) != (1, 4, 8192) {
        note(
          "llama3",
          [
            "factor": .number(factor), "low_freq_factor": .number(low),
            "high_freq_factor": .number(high),
            "original_max_position_embeddings": .integer(original),
          ])
      }
    case .dynamic(let factor, let original):
      note(
        "dynamic",
        [
          "factor": .number(factor), "original_max_position_embeddings": .integer(original),
        ])
    case .stretchedBase(let alpha):
      note("dynamic", ["alpha": .number(alpha)])
    case .yarn(let yarn):
      describe(yarn)
    case .long(let long):
      describe(long)
    }
  }

  private mutating func describe(_ yarn: Rotary.Yarn) {
    values["position_embedding_type"] = .string("yarn")
    values["yarn_rotary_scaling_factor"] = .number(yarn.factor)
    values["yarn_original_max_position_embeddings"] = .integer(yarn.original)
    values["yarn_beta_fast"] = .number(yarn.betaFast)
    values["yarn_beta_slow"] = .number(yarn.betaSlow)
    values["yarn_mscale"] = yarn.mscale.map(JSON.number) ?? .null
    values["yarn_mscale_all_dim"] = yarn.mscaleAllDimensions.map(JSON.number) ?? .null
    values["yarn_correction_range_round_to_int"] = .bool(yarn.truncates)
    if let factor = yarn.attentionFactor {
      note("yarn", ["attention_factor": .number(factor)])
    }
  }

  private mutating func describe(_ long: Rotary.LongRope) {
    note(
      "longrope",
      [
        "factor": .number(long.factor),
        "original_max_position_embeddings": .integer(long.original),
        "short_factor": .array(long.short.map(JSON.number)),
        "long_factor": .array(long.long.map(JSON.number)),
        "attention_factor": long.attentionFactor.map(JSON.number) ?? .null,
        "short_mscale": long.shortAttentionFactor.map(JSON.number) ?? .null,
        "long_mscale": long.longAttentionFactor.map(JSON.number) ?? .null,
      ])
  }

  /// A way of stretching contexts that Megatron-Core does not know, in Hugging Face's words.
  mutating func note(_ kind: String, _ facts: KeyValuePairs<String, JSON>) {
    var object = JSONObject(["rope_type": .string(kind)])
    for (key, value) in facts where !value.isNull { object[key] = value }
    values["isthmus_rope_scaling"] = .object(object)
  }
}
