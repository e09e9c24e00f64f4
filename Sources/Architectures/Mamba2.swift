import Blueprint

/// Mamba-2: nothing but state-space layers, one norm and one mixer a block.
///
/// Reference: transformers/models/mamba2/modeling_mamba2.py
public enum Mamba2: Architecture {
  public static let names = ["Mamba2ForCausalLM"]
  public static let note = "Mamba-Codestral 7B, Mamba-2 in transformers' form"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("layer_norm_epsilon", default: 1e-5)
    try config.require("rms_norm", true, because: "the class always has a norm in the mixer")
    // The class gates first whatever this says; and it has no use for the rest.
    config.ignore("norm_before_gate")
    config.ignore(
      "intermediate_size", "time_step_rank", "time_step_scale", "time_step_init_scheme")
    let mamba = try config.mamba(width: width, eps: eps, .pure)

    let frame = try config.frame(
      names: Frame.Names(embedding: "backbone.embeddings.weight", blocks: "backbone.layers"))
    var blueprint = Blueprint(frame, final: Norm(width, eps: eps, "backbone.norm_f")) { _ in
      Residual(Norm(width, eps: eps, "norm"), mamba)
    }
    blueprint.keepsResidualFloat32 = try config("residual_in_fp32", default: true)
    return blueprint
  }
}
