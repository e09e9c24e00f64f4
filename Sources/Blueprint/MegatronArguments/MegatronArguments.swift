import JSON
import Tensors

/// The `model:` section of a run_config.yaml: what Megatron-Bridge needs to build the model.
///
/// It is told from the blueprint alone, as Bridge 0.6.0 spells it. What Megatron-Core has no word for
/// stands under keys of our own (`isthmus_…`), which Bridge drops with a warning.
public struct MegatronArguments {
  /// The class that builds the model, by what only it can build.
  public enum Provider: Sendable {
    case plain
    /// An embedding times the root of the width.
    case scaled
    /// The same, norms on layers' outputs, and a rotation of its own for layers that slide.
    case alternating
    /// The same with one rotation, and capped scores.
    case capped
    case latent
    case hybrid
    /// Blocks that differ from each other.
    case heterogeneous
    /// Attention and a Mamba layer beside it.
    case sideBySide

    /// Its name in Python.
    var target: String {
      let models = "megatron.bridge.models."
      return switch self {
      case .plain: models + "gpt_provider.GPTModelProvider"
      case .scaled: models + "gemma.gemma_provider.GemmaModelProvider"
      case .alternating: models + "gemma.gemma3_provider.Gemma3ModelProvider"
      case .capped: models + "gemma.gemma2_provider.Gemma2ModelProvider"
      case .latent: models + "mla_provider.MLAModelProvider"
      case .hybrid: models + "hybrid.hybrid_provider.HybridModelProvider"
      case .heterogeneous:
        models + "llama_nemotron.llama_nemotron_provider.LlamaNemotronHeterogeneousProvider"
      case .sideBySide: models + "falcon_h1.falconh1_provider.FalconH1ModelProvider"
      }
    }

    /// Whether the class scales the embedding by the root of the width without being told.
    var scalesEmbedding: Bool {
      switch self {
      case .scaled, .alternating, .capped: true
      case .plain, .latent, .hybrid, .heterogeneous, .sideBySide: false
      }
    }
  }

  /// The key under which a checkpoint says that its names are not Bridge's.
  public static let namesKey = "isthmus_names"

  public var provider = Provider.plain
  /// What the layers said, and the frame; it goes before the provider's defaults.
  public var values: [String: JSON] = [:]

  // What the layers say one by one, in their order.

  /// The attentions over all tokens or a window of them.
  public var attentions: [Attention] = []
  /// The factors on what layers add to the residual, and the different ones on their inputs.
  public var residualScales: [Double] = []
  public var inputScales: Set<Double> = []
  /// Whether attention's projections have biases.
  public var attentionBiases: (input: Bool, output: Bool)?
  /// The letters of Megatron's hybrid pattern.
  public var pattern = ""
  /// The matrices' rows of dense and of expert layers.
  public var denseSizes: [Int] = []
  public var expertSizes: [Int] = []

  let blueprint: Blueprint

  /// Asks every layer of a blueprint.
  ///
  /// - Parameters:
  ///   - source: the Hugging Face name or path the weights are from.
  ///   - dtype: the precision of the weights: bfloat16, float16 or float32.
  ///   - sizes: over how many ranks the weights are meant to be shared.
  ///   - origin: where the tensors' names come from, which is said where it is not Bridge.
  public init(
    _ blueprint: Blueprint, source: String? = nil, dtype: DType,
    sizes: ParallelSizes = ParallelSizes(), origin: NameOrigin = .bridge
  ) {
    self.blueprint = blueprint
    if origin != .bridge { values[Self.namesKey] = .string(origin.rawValue) }
    for block in blueprint.blocks {
      for layer in block.layers { describe(layer) }
    }
    if provider == .plain { provider = gemma() }
    if blueprint.isHybrid, !blueprint.hasMambaBeside {
      provider = .hybrid
      values["is_hybrid_model"] = .bool(true)
      values["hybrid_layer_pattern"] = .string(pattern)
    }
    describeFrame(source: source)
    describePredictors()
    describeNorms()
    describeOutputNorms()
    describeAttentions()
    describeFeedForward()
    describeWhatReplacesAttention()
    describeDifferingBlocks()
    describeRareFacts()
    describeBiases()
    describeWindows()
    describeScales()
    describePrecision(dtype, sizes)
    if blueprint.hasMambaBeside { describeSideBySide() }
  }

  /// Every key that such a section may have without a layer that says more.
  public static let keys: [String] = {
    let providers: [Provider] = [
      .plain, .alternating, .capped, .latent, .hybrid, .heterogeneous, .sideBySide,
    ]
    return Set(providers.flatMap { MegatronDefaults.values(of: $0).keys }).sorted()
  }()

  /// The section, its keys sorted as Bridge sorts them.
  public var model: JSONObject {
    var all = MegatronDefaults.values(of: provider)
    all.merge(values) { $1 }
    all["_target_"] = .string(provider.target)
    var result = JSONObject()
    for (key, value) in all.sorted(by: { $0.key < $1.key }) { result[key] = value }
    return result
  }

  // MARK: - The frame

  private mutating func describeFrame(source: String?) {
    let frame = blueprint.frame
    values["hf_model_id"] = source.map(JSON.string) ?? .null
    values["hidden_size"] = .integer(frame.width)
    values["num_layers"] = .integer(blueprint.stackDepth)
    values["vocab_size"] = .integer(frame.vocabulary)
    values["share_embeddings_and_output_weights"] = .bool(frame.isTied)
    if let positions = frame.positions { values["seq_length"] = .integer(positions) }
    values["make_vocab_size_divisible_by"] = .integer(blueprint.vocabularyDivisor)
    values["fp32_residual_connection"] = .bool(blueprint.keepsResidualFloat32)
    if let cap = blueprint.logitSoftCap {
      values[provider == .capped ? "final_logit_softcapping" : "isthmus_logit_softcapping"] =
        .number(cap)
    }
    if let scale = blueprint.embeddingScale, !provider.scalesEmbedding {
      values["isthmus_embedding_scale"] = .number(scale)
    }
    // A hybrid model says 0 where others say nothing.
    let predictors = blueprint.predictors.count(where: \.isInMegatron)
    values["mtp_num_layers"] =
      predictors > 0 ? .integer(predictors) : provider == .hybrid ? .integer(0) : .null
    let isParallel = blueprint.blocks.contains { block in
      block.layers.contains { layer in
        layer is ParallelResidual && layer.leaves.contains { $0 is Attention }
      }
    }
    if isParallel { values["isthmus_parallel_block"] = .bool(true) }
    describeFreshWeights()
  }

  private mutating func describeFreshWeights() {
    let deviation = blueprint.frame.initialDeviation
    // A hybrid's block adds to the residual once, others twice.
    let additions = Double(blueprint.stackDepth) * (provider == .hybrid ? 1 : 2)
    func normal(_ deviation: Double) -> JSON {
      .object(
        JSONObject([
          "_args_": .array([]), "_partial_": .bool(true),
          "_target_": .string("torch.nn.init.normal_"), "mean": .number(0),
          "std": .number(deviation),
        ]))
    }
    values["init_method_std"] = .number(deviation)
    values["embedding_init_method_std"] = .number(deviation)
    values["init_method"] = normal(deviation)
    values["embedding_init_method"] = normal(deviation)
    values["output_layer_init_method"] = normal(deviation / additions.squareRoot())
  }

  // MARK: - What the layers have in common

  private mutating func describeNorms() {
    let eps = JSON.number(blueprint.final.eps)
    values["layernorm_epsilon"] = eps
    if values["isthmus_latent_layernorm_epsilon"] == eps {
      values["isthmus_latent_layernorm_epsilon"] = nil
    }
    switch blueprint.final.kind {
    case .rms:
      values["normalization"] = .string("RMSNorm")
    case .rmsUnitOffset:
      values["normalization"] = .string("RMSNorm")
      values["layernorm_zero_centered_gamma"] = .bool(true)
    case .layer(let bias):
      values["normalization"] = .string("LayerNorm")
      if !bias { values["isthmus_layernorm_bias"] = .bool(false) }
    case .layerUnitOffset:
      values["normalization"] = .string("LayerNorm")
      values["layernorm_zero_centered_gamma"] = .bool(true)
    case .rmsWithoutWeight, .layerWithoutWeight:
      values["normalization"] = .string(
        blueprint.final.kind == .rmsWithoutWeight ? "RMSNorm" : "LayerNorm")
      values["isthmus_layernorm_weight"] = .bool(false)
    }
  }

  private mutating func describeFeedForward() {
    // Where no layer is dense Megatron still wants a size.
    if let size = denseSizes.first ?? expertSizes.first {
      values["ffn_hidden_size"] = .integer(size)
    }
    guard !expertSizes.isEmpty else { return }
    if let attention = attentions.first, attention.headNorms?.reach == .allHeads {
      values["transformer_layer_spec"] =
        attention.groups == attention.heads
        ? MegatronDefaults.wideNormLayers : MegatronDefaults.groupedWideNormLayers
    }
    if provider != .hybrid, blueprint.numbersLayers || !denseSizes.isEmpty {
      values["moe_layer_freq"] = .array(
        blueprint.blocks.map { block in
          .integer(block.leaves.contains { $0 is Experts } ? 1 : 0)
        })
      if values["transformer_layer_spec"] == nil {
        values["transformer_layer_spec"] = MegatronDefaults.mixedLayers
      }
    }
  }

  /// Which layers have something else where others have attention.
  private mutating func describeWhatReplacesAttention() {
    func marks(_ matches: (any Layer) -> Bool) -> [JSON]? {
      let found = blueprint.blocks.map { $0.leaves.contains(where: matches) }
      return found.contains(true) ? found.map { .integer($0 ? 1 : 0) } : nil
    }
    if let linear = marks({ $0 is DeltaNet }) {
      values["linear_attention_freq"] = .array(linear)
      values["hetereogenous_dist_checkpoint"] = .bool(true)
      values["transformer_layer_spec"] = MegatronDefaults.attentionVariants
    }
    if let convolutions = marks({ $0 is ShortConvolution }) {
      values["isthmus_short_convolution_freq"] = .array(convolutions)
    }
  }

  private mutating func describeBiases() {
    guard let biases = attentionBiases else { return }
    // To Megatron-Core all linear layers have biases, or none but the one before attention.
    let all = values["add_bias_linear"] == .bool(true)
    if biases.output != all { values["isthmus_attention_output_bias"] = .bool(biases.output) }
    if all, !biases.input { values["isthmus_query_key_value_bias"] = .bool(false) }
  }

  /// A layer, and the layers it arranges.
  mutating func describe(_ layer: any Layer) {
    layer.describe(in: &self)
    for inner in layer.inner { describe(inner) }
  }

  /// Factors that Megatron-Core does not know, and layers that do not turn queries and keys.
  private mutating func describeScales() {
    if residualScales.contains(where: { $0 != 1 }) {
      let first = residualScales[0]
      values["isthmus_residual_scale"] =
        residualScales.allSatisfy { $0 == first }
        ? .number(first) : .array(residualScales.map(JSON.number))
    }
    if !inputScales.isEmpty {
      values["isthmus_input_scales"] = .array(inputScales.sorted().map(JSON.number))
    }
    if let scale = blueprint.logitScale { values["isthmus_logit_scale"] = .number(scale) }
    if let inputs = blueprint.layerInputs {
      values["isthmus_layer_inputs"] = .object(
        JSONObject([
          "size": .integer(inputs.size), "vocabulary": .integer(inputs.vocabulary),
        ]))
    }
    if blueprint.normalizesHead { values["isthmus_normalized_head"] = .bool(true) }
    if blueprint.frame.names.headBias != nil { values["isthmus_output_bias"] = .bool(true) }
    if blueprint.frame.names.positions != nil {
      values["position_embedding_type"] = .string("learned_absolute")
    }
    if let chunk = attentions.compactMap(\.chunk).first {
      values["isthmus_attention_chunk"] = .integer(chunk)
    }
  }

  private mutating func describePrecision(_ dtype: DType, _ sizes: ParallelSizes) {
    let type =
      dtype.torchName.map { name in
        JSON.object(JSONObject(["_call_": .bool(false), "_target_": .string("torch." + name)]))
      } ?? .null
    values["bf16"] = .bool(dtype == .bfloat16)
    values["fp16"] = .bool(dtype == .float16)
    values["params_dtype"] = type
    values["autocast_dtype"] = type
    let isShared = sizes != ParallelSizes()
    values["pipeline_dtype"] = isShared ? type : .null
    values["should_pad_vocab"] = .bool(
      blueprint.paddedVocabulary(sizes.tensor) != blueprint.frame.vocabulary)
    values["tensor_model_parallel_size"] = .integer(sizes.tensor)
    values["pipeline_model_parallel_size"] = .integer(sizes.pipeline)
    values["expert_model_parallel_size"] = .integer(sizes.expert)
    values["expert_tensor_parallel_size"] = .integer(sizes.expertTensor)
    values["microbatch_group_size_per_vp_stage"] = .integer(sizes.pipeline)
  }
}

extension MegatronArguments {
  /// What a gated layer's halves are cut at, and what the gated one is raised by.
  mutating func describe(limit: Double?, offset: Double) {
    if let limit { values["activation_func_clamp_value"] = .number(limit) }
    if offset != 0 { values["glu_linear_offset"] = .number(offset) }
  }

  /// What an activation is called.
  mutating func describe(_ activation: Activation, isGated: Bool) {
    let name =
      switch activation {
      case .silu: "torch.nn.functional.silu"
      case .gelu: "torch.nn.functional.gelu"
      case .geluTanh: "megatron.core.activations.fast_gelu"
      case .relu: "torch.nn.functional.relu"
      case .squaredReLU: "megatron.core.activations.squared_relu"
      // The gated one that Megatron-Core knows to clamp.
      case .quickGelu where isGated: "megatron.core.fusions.fused_bias_geglu.quick_gelu"
      case .quickGelu: "megatron.core.activations.quick_gelu"
      // Megatron-Core has none; the key below says what it is.
      case .xIELU: "torch.nn.functional.silu"
      }
    if activation == .xIELU { values["isthmus_activation_func"] = .string("xielu") }
    values["activation_func"] = .object(
      JSONObject(["_call_": .bool(false), "_target_": .string(name)]))
    values["gated_linear_unit"] = .bool(isGated)
  }
}
