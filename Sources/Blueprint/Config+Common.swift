extension Config {
  /// What surrounds the blocks, in the keys most families share.
  ///
  /// - Parameter isTied: the family's default of `tie_word_embeddings`.
  public func frame(isTied: Bool = false, names: Frame.Names = .init()) throws(ConfigError) -> Frame
  {
    Frame(
      vocabulary: try self("vocab_size"), width: try self("hidden_size"),
      depth: try self("num_hidden_layers"),
      isTied: try self("tie_word_embeddings", default: isTied),
      positions: try optional("max_position_embeddings"), names: names)
  }

  /// An activation by its Hugging Face name.
  ///
  /// - Throws: `ConfigError.unsupported` for a name that is not known.
  public func activation(_ keys: String..., default fallback: Activation) throws(ConfigError)
    -> Activation
  {
    guard let name: String = try optional(anyOf: keys) else { return fallback }
    switch name {
    case "silu", "swish": return .silu
    case "gelu": return .gelu
    case "gelu_pytorch_tanh", "gelu_new", "gelu_fast": return .geluTanh
    case "relu": return .relu
    case "relu2": return .squaredReLU
    default:
      throw .unsupported(
        key: keys[0], value: "\"\(name)\"", reason: "no activation of this name is known")
    }
  }

  /// Heads, groups and head size, checked against each other.
  public func heads(
    width: Int, groupsDefault: Int? = nil
  ) throws(ConfigError) -> (heads: Int, groups: Int, headSize: Int) {
    let heads: Int = try self("num_attention_heads")
    let groups: Int = try self("num_key_value_heads", default: groupsDefault ?? heads)
    let stated: Int? = try optional("head_dim")
    guard heads > 0, groups > 0, heads % groups == 0 else {
      throw .contradiction(
        "num_attention_heads \(heads) is not a multiple of num_key_value_heads \(groups)")
    }
    guard stated != nil || width % heads == 0 else {
      throw .contradiction(
        "hidden_size \(width) is not a multiple of num_attention_heads \(heads)")
    }
    return (heads, groups, stated ?? width / heads)
  }
}
