/// The published configurations of the recipes' models (config.json on the Hugging Face hub), as the `model` section of a
/// recipe's text.
enum PublishedModels {
  static let phi3Mini4k =
    phi3Mini("4k") + """

          max_position_embeddings: 4096
          rope_scaling: null
          sliding_window: 2047
      """

  static let phi3Mini128k =
    phi3Mini("128k") + """

          max_position_embeddings: 131072
          sliding_window: 262144
          rope_scaling:
            type: longrope
            long_factor:
              [1.0700000524520874, 1.1200000047683716, 1.149999976158142, 1.4199999570846558,
               1.5699999332427979, 1.7999999523162842, 2.129999876022339, 2.129999876022339,
               3.009999990463257, 5.910000324249268, 6.950000286102295, 9.070000648498535,
               9.930000305175781, 10.710000038146973, 11.130000114440918, 14.609999656677246,
               15.409998893737793, 19.809999465942383, 37.279998779296875, 38.279998779296875,
               38.599998474121094, 40.12000274658203, 46.20000457763672, 50.940006256103516,
               53.66000747680664, 54.9373893737793, 56.89738845825195, 57.28738784790039,
               59.98738479614258, 60.86738586425781, 60.887386322021484, 61.71739196777344,
               62.91739273071289, 62.957393646240234, 63.41739273071289, 63.8173942565918,
               63.83739471435547, 63.897396087646484, 63.93739700317383, 64.06739807128906,
               64.11434936523438, 64.12435150146484, 64.15435028076172, 64.19435119628906,
               64.24435424804688, 64.57435607910156, 64.69000244140625, 64.76000213623047]
            short_factor:
              [1.1, 1.1, 1.1, 1.3000000000000003, 1.3500000000000003, 1.3500000000000003,
               1.4000000000000004, 1.5500000000000005, 2.000000000000001, 2.000000000000001,
               2.000000000000001, 2.000000000000001, 2.000000000000001, 2.000000000000001,
               2.000000000000001, 2.000000000000001, 2.000000000000001, 2.000000000000001,
               2.000000000000001, 2.000000000000001, 2.000000000000001, 2.000000000000001,
               2.000000000000001, 2.000000000000001, 2.000000000000001, 2.0500000000000007,
               2.0500000000000007, 2.0500000000000007, 2.0500000000000007, 2.0500000000000007,
               2.0500000000000007, 2.1000000000000005, 2.1000000000000005, 2.1500000000000004, 2.25,
               2.25, 2.25, 2.25, 2.25, 2.3999999999999995, 2.4499999999999993, 2.499999999999999,
               2.6999999999999984, 2.6999999999999984, 2.7499999999999982, 2.799999999999998,
               2.8999999999999977, 3.049999999999997]
      """

  private static func phi3Mini(_ length: String) -> String {
    """
    model:
      hf_model_id: microsoft/Phi-3-mini-\(length)-instruct
      config:
        architectures: [Phi3ForCausalLM]
        model_type: phi3
        attention_bias: false
        attention_dropout: 0.0
        bos_token_id: 1
        embd_pdrop: 0.0
        eos_token_id: 32000
        hidden_act: silu
        hidden_size: 3072
        initializer_range: 0.02
        intermediate_size: 8192
        num_attention_heads: 32
        num_hidden_layers: 32
        num_key_value_heads: 32
        original_max_position_embeddings: 4096
        pad_token_id: 32000
        resid_pdrop: 0.0
        rms_norm_eps: 1.0e-5
        rope_theta: 10000.0
        tie_word_embeddings: false
        torch_dtype: bfloat16
        vocab_size: 32064
    """
  }

  static let phi3Small8k = """
    model:
      hf_model_id: microsoft/Phi-3-small-8k-instruct
      config:
        architectures: [Phi3SmallForCausalLM]
        model_type: phi3small
        attention_bias: false
        attention_dropout_prob: 0.0
        blocksparse_block_size: 64
        blocksparse_homo_head_pattern: false
        blocksparse_num_local_blocks: 16
        blocksparse_triton_kernel_block_size: 64
        blocksparse_vert_stride: 8
        bos_token_id: 100257
        dense_attention_every_n_layers: 2
        embedding_dropout_prob: 0.1
        eos_token_id: 100257
        ff_dim_multiplier: null
        ff_intermediate_size: 14336
        ffn_dropout_prob: 0.1
        gegelu_limit: 20.0
        gegelu_pad_to_256: true
        hidden_act: gegelu
        hidden_size: 4096
        initializer_range: 0.02
        layer_norm_epsilon: 1e-05
        max_position_embeddings: 8192
        mup_attn_multiplier: 1.0
        mup_embedding_multiplier: 10.0
        mup_use_scaling: true
        mup_width_multiplier: 8.0
        num_attention_heads: 32
        num_hidden_layers: 32
        num_key_value_heads: 8
        pad_sequence_to_multiple_of_64: true
        reorder_and_upcast_attn: false
        rope_embedding_base: 1000000
        rope_position_scale: 1.0
        vocab_size: 100352
    """

  // MARK: Llama

  enum LlamaSize {
    case eight, seventy, fourHundred

    fileprivate var sizes: (name: String, width: Int, inner: Int, heads: Int, layers: Int) {
      switch self {
      case .eight: ("8B", 4096, 14336, 32, 32)
      case .seventy: ("70B", 8192, 28672, 64, 80)
      case .fourHundred: ("405B", 16384, 53248, 128, 126)
      }
    }
  }

  static func llama3(_ size: LlamaSize) -> String {
    llama("meta-llama/Meta-Llama-3-\(size.sizes.name)", size) + """

          max_position_embeddings: 8192
          rope_scaling: null
          tie_word_embeddings: false
      """
  }

  static func llama31(_ size: LlamaSize) -> String {
    llama("meta-llama/Llama-3.1-\(size.sizes.name)", size) + stretched(by: "8.0") + """

          tie_word_embeddings: false
      """
  }

  static let llama32 =
    llama(
      "meta-llama/Llama-3.2-1B", width: 2048, inner: 8192, heads: 32, layers: 16)
    + stretched(by: "32.0") + """

          head_dim: 64
          tie_word_embeddings: true
      """

  private static func llama(_ name: String, _ size: LlamaSize) -> String {
    let sizes = size.sizes
    return llama(
      name, width: sizes.width, inner: sizes.inner, heads: sizes.heads, layers: sizes.layers)
  }

  private static func llama(
    _ name: String, width: Int, inner: Int, heads: Int, layers: Int
  ) -> String {
    """
    model:
      hf_model_id: \(name)
      config:
        architectures: [LlamaForCausalLM]
        model_type: llama
        attention_bias: false
        attention_dropout: 0.0
        bos_token_id: 128000
        eos_token_id: 128001
        hidden_act: silu
        hidden_size: \(width)
        initializer_range: 0.02
        intermediate_size: \(inner)
        mlp_bias: false
        num_attention_heads: \(heads)
        num_hidden_layers: \(layers)
        num_key_value_heads: 8
        rms_norm_eps: 1.0e-5
        rope_theta: 500000.0
        torch_dtype: bfloat16
        vocab_size: 128256
    """
  }

  private static func stretched(by factor: String) -> String {
    """

        max_position_embeddings: 131072
        rope_scaling:
          rope_type: llama3
          factor: \(factor)
          low_freq_factor: 1.0
          high_freq_factor: 4.0
          original_max_position_embeddings: 8192
    """
  }

  // MARK: Nemotron

  static let nemotronNano = """
    model:
      hf_model_id: nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16
      config:
        architectures: [NemotronHForCausalLM]
        model_type: nemotron_h
        attention_bias: false
        attention_dropout: 0.0
        bos_token_id: 1
        chunk_size: 128
        conv_kernel: 4
        eos_token_id: 2
        expand: 2
        head_dim: 128
        hidden_dropout: 0.0
        hidden_size: 2688
        hybrid_override_pattern: "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME"
        initializer_range: 0.02
        intermediate_size: 1856
        layer_norm_epsilon: 1e-05
        mamba_head_dim: 64
        mamba_hidden_act: silu
        mamba_num_heads: 64
        mamba_proj_bias: false
        mamba_ssm_cache_dtype: float32
        max_position_embeddings: 262144
        mlp_bias: false
        mlp_hidden_act: relu2
        moe_intermediate_size: 1856
        moe_shared_expert_intermediate_size: 3712
        n_group: 1
        n_groups: 8
        n_routed_experts: 128
        n_shared_experts: 1
        norm_eps: 1e-05
        norm_topk_prob: true
        num_attention_heads: 32
        num_experts_per_tok: 6
        num_hidden_layers: 52
        num_key_value_heads: 2
        num_logits_to_keep: 1
        pad_token_id: 0
        partial_rotary_factor: 1.0
        rescale_prenorm_residual: true
        residual_in_fp32: false
        rope_theta: 10000
        routed_scaling_factor: 2.5
        sliding_window: null
        ssm_state_size: 128
        tie_word_embeddings: false
        time_step_floor: 0.0001
        time_step_limit: [0.0, .inf]
        time_step_max: 0.1
        time_step_min: 0.001
        topk_group: 1
        torch_dtype: bfloat16
        use_bias: false
        use_cache: true
        use_conv_bias: true
        use_mamba_kernels: true
        vocab_size: 131072
    """
}
