extension Config {
  /// The language model in the files of a model that sees or hears as well.
  ///
  /// - Parameters:
  ///   - names: what the beginnings of the language model's own names are there.
  ///   - bystanders: the beginnings of the names of all that is no part of it.
  ///   - isTied: whether the output layer is the embedding where neither configuration says so.
  ///   - model: the model that the text's configuration describes.
  /// - Throws: `ConfigError`.
  public func languageModel(
    names: KeyValuePairs<String, String>, bystanders: [String], isTied: Bool,
    _ model: (Config) throws(ConfigError) -> Blueprint
  ) throws(ConfigError) -> Blueprint {
    guard let text = try self.model("text_config") else { throw .missing(key: "text_config") }
    var blueprint = try model(text)
    blueprint.rename(names)
    blueprint.bystanders = bystanders
    let ofText: Bool? = try text.optional("tie_word_embeddings")
    let ofAll: Bool? = try optional("tie_word_embeddings")
    let head = blueprint.frame.names.head
    blueprint.frame.isTied = stores(head) == false || ofText ?? ofAll ?? isTied
    blueprint.duplicates[head] = blueprint.frame.isTied ? blueprint.frame.names.embedding : nil
    ignore(
      "vision_config", "audio_config", "image_token_index", "image_token_id", "video_token_id",
      "audio_token_id", "boi_token_index", "boi_token_id", "eoi_token_index", "eoi_token_id",
      "boa_token_id", "eoa_token_id", "eoa_token_index", "mm_tokens_per_image",
      "vision_soft_tokens_per_image", "audio_soft_tokens_per_image", "projector_hidden_act",
      "multimodal_projector_bias", "spatial_merge_size", "vision_feature_layer")
    return blueprint
  }
}

extension Blueprint {
  /// Changes the beginnings of all names.
  fileprivate mutating func rename(_ starts: KeyValuePairs<String, String>) {
    func renamed(_ name: String) -> String {
      for (start, other) in starts where name.hasPrefix(start) {
        return other + name.dropFirst(start.count)
      }
      return name
    }
    let names = frame.names
    frame.names = Frame.Names(
      embedding: renamed(names.embedding), head: renamed(names.head), blocks: renamed(names.blocks),
      headBias: names.headBias.map(renamed), positions: names.positions.map(renamed))
    for index in blocks.indices { blocks[index].prefix = renamed(blocks[index].prefix) }
    final.name = renamed(final.name)
    layerInputs?.rename(renamed)
    func renamed(_ copies: [String: String]) -> [String: String] {
      Dictionary(
        copies.map { (renamed($0.key), renamed($0.value)) }, uniquingKeysWith: { first, _ in first }
      )
    }
    for index in predictors.indices {
      predictors[index].prefix = renamed(predictors[index].prefix)
      predictors[index].copies = renamed(predictors[index].copies)
      for block in predictors[index].blocks.indices {
        predictors[index].blocks[block].prefix = renamed(predictors[index].blocks[block].prefix)
      }
    }
    duplicates = renamed(duplicates)
  }
}

extension LayerInputs {
  fileprivate mutating func rename(_ renamed: (String) -> String) {
    table = renamed(table)
    projection = renamed(projection)
    norm.name = renamed(norm.name)
  }
}
