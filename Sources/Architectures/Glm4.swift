import Blueprint

/// GLM-4 of April 2025 and GLM-Z1: GLM's block with norms on the layers' outputs as well.
///
/// Reference: transformers/models/glm4/modeling_glm4.py
public enum Glm4: Architecture {
  public static let names = ["Glm4ForCausalLM"]
  public static let note = "GLM-4-0414 9B and 32B, GLM-Z1"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    try Glm.blueprint(config) { place in
      place == .afterAttention ? "post_self_attn_layernorm" : "post_mlp_layernorm"
    }
  }
}
