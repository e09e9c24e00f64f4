extension Config {
  /// What surrounds the blocks, in the keys most families share.
  ///
  /// - Parameters:
  ///   - isTied: the family's default of `tie_word_embeddings`.
  ///   - vocabulary: the family's default of `vocab_size`, where files leave it out.
  ///   - depth: the number of blocks where the family finds it elsewhere.
  ///   - deviation: the family's default of `initializer_range`.
  public func frame(
    isTied: Bool = false, vocabulary: Int? = nil, depth: Int? = nil, width: Int? = nil,
    deviation: Double = 0.02, names: Frame.Names = .init()
  ) throws(ConfigError) -> Frame {
    let width = if let width { width } else { try size("hidden_size") }
    let depth = if let depth { depth } else { try self.depth() }
    return Frame(
      vocabulary: try size("vocab_size", default: vocabulary), width: width, depth: depth,
      isTied: try self("tie_word_embeddings", default: isTied),
      positions: try optionalSize("max_position_embeddings", limit: 1 << 32),
      initialDeviation: try self("initializer_range", default: deviation), names: names)
  }

  /// The number of blocks.
  public func depth(_ key: String = "num_hidden_layers") throws(ConfigError) -> Int {
    try size(key, limit: 4096)
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
    case "quick_gelu": return .quickGelu
    case "xielu": return .xIELU
    default:
      throw .unsupported(
        key: keys[0], value: "\"\(name)\"", reason: "no activation of this name is known")
    }
  }

  /// Heads, groups and head size, checked against each other.
  ///
  /// - Parameters:
  ///   - headsDefault: the heads where the key may be absent.
  ///   - groupsDefault: the groups where the key is absent; the heads where it is `nil`.
  ///   - headSizeDefault: the head size where the key is absent; width / heads where it is `nil`.
  public func heads(
    width: Int, headsDefault: Int? = nil, groupsDefault: Int? = nil, headSizeDefault: Int? = nil
  ) throws(ConfigError) -> (heads: Int, groups: Int, headSize: Int) {
    let heads = try size("num_attention_heads", default: headsDefault, limit: 1 << 14)
    let groups: Int =
      try nullable("num_key_value_heads", default: groupsDefault ?? heads) ?? heads
    try check("num_key_value_heads", groups, in: 1...heads)
    // Where the key says null, the classes divide.
    let stated: Int? =
      if let headSizeDefault {
        try nullable("head_dim", default: headSizeDefault)
      } else {
        try optional("head_dim")
      }
    if let stated { try check("head_dim", stated, in: 1...1 << 14) }
    guard heads % groups == 0 else {
      throw .contradiction(
        "num_attention_heads \(heads) is not a multiple of num_key_value_heads \(groups)")
    }
    guard stated != nil || width % heads == 0 else {
      throw .contradiction(
        "hidden_size \(width) is not a multiple of num_attention_heads \(heads)")
    }
    return (heads, groups, stated ?? width / heads)
  }

  /// The size of a head where all heads together are as wide as the model.
  public func headSize(of width: Int, heads: Int) throws(ConfigError) -> Int {
    guard width % heads == 0 else {
      throw .contradiction("the width \(width) is not a multiple of the \(heads) heads")
    }
    return width / heads
  }

  /// Experts and how many each token passes, checked against each other.
  public func experts(
    _ keys: String..., default fallback: Int? = nil, perTokenDefault: Int? = nil
  ) throws(ConfigError) -> (count: Int, perToken: Int) {
    try experts(anyOf: keys, default: fallback, perTokenDefault: perTokenDefault)
  }

  /// The same, with the spellings of both keys in lists.
  public func experts(
    anyOf keys: [String], default fallback: Int? = nil,
    perToken perTokenKey: String = "num_experts_per_tok", perTokenDefault: Int? = nil
  ) throws(ConfigError) -> (count: Int, perToken: Int) {
    guard let count: Int = try optional(anyOf: keys) ?? fallback else {
      throw .missing(key: keys[0])
    }
    try check(keys.first(where: has) ?? keys[0], count, in: 1...4096)
    let perToken = try size(perTokenKey, default: perTokenDefault)
    try check(perTokenKey, perToken, in: 1...count)
    return (count, perToken)
  }

  /// The groups a router first chooses among.
  ///
  /// - Throws: `ConfigError.contradiction` where the groups leave fewer experts than a token needs.
  public func routerGroups(
    countDefault: Int?, keptDefault: Int?, experts: Int, perToken: Int
  ) throws(ConfigError) -> Router.Groups? {
    func stated(_ key: String, _ fallback: Int?) throws(ConfigError) -> Int? {
      guard let fallback else { return try optional(key) }
      return try nullable(key, default: fallback)
    }
    let groups = try stated("n_group", countDefault)
    let keptGroups = try stated("topk_group", keptDefault)
    guard let count = groups, let kept = keptGroups else {
      guard groups == nil, keptGroups == nil else {
        throw .contradiction("only one of n_group and topk_group is given")
      }
      return nil
    }
    try check("n_group", count, in: 1...experts)
    try check("topk_group", kept, in: 1...count)
    guard experts % count == 0 else {
      throw .contradiction("\(experts) experts do not divide into n_group \(count) groups")
    }
    guard experts / count * kept >= perToken else {
      throw .contradiction(
        "topk_group \(kept) groups of \(experts / count) experts leave fewer than num_experts_per_tok \(perToken)"
      )
    }
    return Router.Groups(count: count, kept: kept)
  }

  /// Whether each layer looks back through a window only, from a list of layer kinds.
  ///
  /// - Returns: `nil` where the configuration has no such list.
  public func slidingLayers(depth: Int) throws(ConfigError) -> [Bool]? {
    guard let kinds: [String] = try optional("layer_types") else { return nil }
    guard kinds.count == depth else {
      throw .contradiction("layer_types has \(kinds.count) entries for \(depth) layers")
    }
    var sliding: [Bool] = []
    for kind in kinds {
      switch kind {
      case "full_attention": sliding.append(false)
      case "sliding_attention": sliding.append(true)
      default:
        throw .unsupported(
          key: "layer_types", value: "\"\(kind)\"",
          reason: "the kinds known here are full_attention and sliding_attention")
      }
    }
    return sliding
  }

  /// The window of each layer where `use_sliding_window` switches windows on (Qwen).
  ///
  /// Without a list of layer kinds the layers from `max_window_layers` on have it.
  public func switchedWindows(depth: Int) throws(ConfigError) -> [Int?] {
    let isOn: Bool = try self("use_sliding_window", default: false)
    let stated: Int? = try nullable("sliding_window", default: 4096)
    let first: Int = try self("max_window_layers", default: 28)
    let listed = try slidingLayers(depth: depth)
    guard isOn, let window = stated else {
      guard listed?.contains(true) != true else {
        throw .contradiction(
          "layer_types has sliding layers, but use_sliding_window and sliding_window give no window"
        )
      }
      return Array(repeating: nil, count: depth)
    }
    try check("sliding_window", window, in: 1...Int.max)
    let sliding = listed ?? (0..<depth).map { $0 >= first }
    return sliding.map { $0 ? window : nil }
  }

  /// The window of all layers.
  ///
  /// - Parameter fallback: the window where the key is absent; `null` in the file means none.
  public func window(default fallback: Int?) throws(ConfigError) -> Int? {
    let window: Int? =
      if let fallback {
        try nullable("sliding_window", default: fallback)
      } else {
        try optional("sliding_window")
      }
    if let window { try check("sliding_window", window, in: 1...Int.max) }
    return window
  }
}
