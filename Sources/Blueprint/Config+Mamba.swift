extension Config {
  /// A Mamba-2 layer, in the keys of NVIDIA's and of transformers' hybrid models.
  ///
  /// Defaults are those of Nemotron-H's configuration class.
  public func mamba(
    width: Int, eps: Double, prefix: String = "mixer"
  ) throws(ConfigError) -> Mamba {
    try require("mamba_hidden_act", "silu", "swish", because: "Mamba-2 gates by SiLU")
    // Follows from the heads; the class does not read it.
    ignore("expand", "mamba_expand")
    let heads = try size("mamba_num_heads", default: 128, limit: 1 << 14)
    let groups = try size("n_groups", "mamba_n_groups", default: 8, limit: heads)
    guard heads % groups == 0 else {
      throw .contradiction("mamba_num_heads \(heads) is not a multiple of n_groups \(groups)")
    }
    let limits: [Double] =
      try optional(anyOf: ["time_step_limit", "mamba_dt_limit"]) ?? [0, .infinity]
    guard limits.count == 2, limits[0] <= limits[1] else {
      throw .outOfRange(
        key: "time_step_limit", expected: "a lower and an upper bound", found: "\(limits)")
    }
    return Mamba(
      width, heads: heads,
      headSize: try size("mamba_head_dim", default: 64, limit: 1 << 14), groups: groups,
      state: try size("ssm_state_size", default: 128, limit: 1 << 16),
      kernel: try size("conv_kernel", "mamba_d_conv", default: 4, limit: 1 << 10),
      chunk: try size("chunk_size", "mamba_chunk_size", default: 128),
      convolutionBias: try optional(anyOf: ["use_conv_bias", "mamba_conv_bias"]) ?? true,
      eps: eps, stepLimit: (limits[0], limits[1]), prefix: prefix)
  }
}
