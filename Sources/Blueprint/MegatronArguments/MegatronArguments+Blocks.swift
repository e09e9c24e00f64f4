import JSON

// What is said of blocks rather than of layers.

extension MegatronArguments {
  /// The list of blocks that Megatron-Core's heterogeneous models are built from.
  ///
  /// It is wanted where a block lacks attention or MLP, has one matrix instead, or differs from others
  /// in sizes. Its keys are those of megatron/core/transformer/heterogeneous/heterogeneous_config.py.
  mutating func describeDifferingBlocks() {
    let blocks = blueprint.blocks.map { BlockSummary($0) }
    guard !blueprint.isHybrid, let first = blocks.first, blocks.allSatisfy(\.isDescribable),
      !first.isWhole || blocks.contains(where: { $0 != first })
    else { return }
    provider = .heterogeneous
    if let groups = blocks.compactMap(\.groups).first {
      values["num_query_groups"] = .integer(groups)
    }
    let list = JSON.object(JSONObject(["block_configs": .array(blocks.map(\.json))]))
    values["heterogeneous_layers_config_encoded_json"] = .string(list.serialized())
  }

  /// The kinds of layers in a hybrid's predictors, which are all alike.
  mutating func describePredictors() {
    guard provider == .hybrid, let predictor = blueprint.predictors.first else { return }
    var inner = self
    inner.pattern = ""
    for block in predictor.blocks {
      for layer in block.layers { inner.describe(layer) }
    }
    values["mtp_hybrid_override_pattern"] = .string(inner.pattern)
  }

  /// Facts for which Megatron-Core has no words.
  mutating func describeRareFacts() {
    let sparsities = attentions.map(\.sparsity)
    if let sparsity = sparsities.compactMap({ $0 }).first {
      values["isthmus_block_sparsity"] = .object(
        JSONObject([
          "size": .integer(sparsity.size), "local": .integer(sparsity.local),
          "stride": .integer(sparsity.stride), "step": .integer(sparsity.step),
          "layers": .array(sparsities.map { .integer($0 == nil ? 0 : 1) }),
        ]))
    }
    if !blueprint.silencedTokens.isEmpty {
      values["isthmus_silenced_tokens"] = .array(blueprint.silencedTokens.map(JSON.integer))
    }
    if !blueprint.skips.isEmpty {
      values["isthmus_block_skips"] = .array(
        blueprint.skips.map { skip in
          .object(
            JSONObject([
              "from": .integer(skip.from), "to": .integer(skip.to), "share": .number(skip.share),
              "training_share": .number(skip.trainingShare),
            ]))
        })
    }
  }
}

/// What Megatron-Core's list of blocks says of one.
private struct BlockSummary: Equatable {
  var groups: Int?
  var inner: Int?
  var mapsAttention = false
  var mapsMLP = false
  /// Whether it holds nothing that the list has no words for.
  var isDescribable = true

  init(_ block: Block) {
    for layer in block.leaves {
      switch layer {
      case let attention as Attention: groups = attention.groups
      case let mlp as MLP: inner = mlp.inner
      case let map as LinearMap where map.place == .attention: mapsAttention = true
      case is LinearMap: mapsMLP = true
      default: isDescribable = false
      }
    }
  }

  /// Whether attention and MLP are there.
  var isWhole: Bool { groups != nil && inner != nil }

  var json: JSON {
    .object(
      JSONObject([
        "attention": .object(
          JSONObject([
            "no_op": .bool(groups == nil && !mapsAttention),
            "num_query_groups": groups.map(JSON.integer) ?? .null,
            "replace_with_linear": .bool(mapsAttention),
          ])),
        "mlp": .object(
          JSONObject([
            "ffn_hidden_size": inner.map(JSON.integer) ?? .null,
            "no_op": .bool(inner == nil && !mapsMLP),
            "replace_with_linear": .bool(mapsMLP),
          ])),
      ]))
  }
}
