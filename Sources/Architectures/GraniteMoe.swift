import Blueprint

/// Granite 3 with experts: Granite's block, its experts stacked, in the newer class beside one for every
/// token.
///
/// A token's weights are a softmax over its chosen experts. Reference:
/// transformers/models/granitemoeshared/modeling_granitemoeshared.py
public enum GraniteMoe: Architecture {
  public static let names = ["GraniteMoeForCausalLM", "GraniteMoeSharedForCausalLM"]
  public static let note = "Granite 3.0–3.1 1B-A400M and 3B-A800M; PowerMoE"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    try Granite.blueprint(
      config, feedForward: try experts(config, width: try config.size("hidden_size")))
  }

  /// - Parameter sharedDefault: the shared expert's inner width where the configuration is silent; 0 is
  ///   none.
  static func experts(
    _ config: Config, width: Int, sharedDefault: Int = 0
  ) throws(ConfigError) -> Experts {
    let activation = try config.activation("hidden_act", default: .silu)
    let (count, perToken) = try config.experts(
      "num_local_experts", default: 8, perTokenDefault: 2)
    let router = Router(
      "block_sparse_moe.router.layer", .softmax, perToken: perToken, isNormalized: true,
      balance: try config("router_aux_loss_coef", default: 0.001))
    let shared: Int = try config("shared_intermediate_size", default: sharedDefault)
    try config.check("shared_intermediate_size", shared, in: 0...1 << 20)
    return Experts(
      width, count: count, inner: try config.size("intermediate_size"), activation,
      router: router,
      storage: .stacked(
        input: "block_sparse_moe.input_linear.weight",
        down: "block_sparse_moe.output_linear.weight"),
      shared: shared == 0
        ? nil
        : MLP(
          width, inner: shared, activation, input: .stacked("shared_mlp.input_linear"),
          down: "shared_mlp.output_linear"))
  }
}
