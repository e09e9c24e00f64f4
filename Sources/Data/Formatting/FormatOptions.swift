/// Whose way of making tokens of rows is followed.
public enum FormatStyle: String, Sendable, CaseIterable {
  /// NVIDIA NeMo Automodel 0.7.
  case automodel
  /// Megatron-Bridge 0.3 and NeMo 2.
  case bridge
}

/// Which part of a conversation or text is learnt.
public enum TrainedPart: String, Sendable, CaseIterable {
  /// What the assistant says; the answer behind a prompt.
  case assistant
  /// The last thing the assistant says.
  case last
  /// Everything.
  case all
}

/// How rows become tokens.
public struct FormatOptions: Sendable, Equatable {
  public var style: FormatStyle
  public var trained: TrainedPart
  /// The tokens a sequence may have; `nil` for any number.
  public var length: Int?
  public var automodel: Automodel
  public var bridge: Bridge

  /// What Automodel's data sets may be told.
  public struct Automodel: Sendable, Equatable {
    /// Whether sequences are cut at the length.
    public var truncates = false
    /// Whether reasoning is left out of the loss (`mask_reasoning_content`).
    public var masksReasoning = false
    /// Whether the tokens that the generation prompt supplies are left out (`mask_generation_prompt`).
    public var masksGenerationPrompt = false
    /// Whether prompts with completions are written as chat where there is a template (`use_hf_chat_template`).
    public var usesTemplate = false

    public init() {}
  }

  /// What GPTSFTDataset may be told.
  public struct Bridge: Sendable, Equatable {
    public var addsBegin = false
    public var addsEnd = true
    public var addsSeparator = false
    /// The token between prompt and answer, with `addsSeparator`.
    public var separator: Int32?
    /// The text to fill with a row's values, ending in its label: `{input} {output}`; `nil` to make one of the
    /// row's own keys.
    public var promptTemplate: String?
    /// The key of what is learnt; `nil` for the last one in the template.
    public var label: String?
    /// The keys whose values are cut first.
    public var truncationFields: [String] = ["input"]
    public var truncation: Truncation = .right

    public init() {}
  }

  public enum Truncation: String, Sendable, CaseIterable {
    case left, right
  }

  public init(
    _ style: FormatStyle, trained: TrainedPart = .assistant, length: Int? = nil,
    automodel: Automodel = Automodel(), bridge: Bridge = Bridge()
  ) {
    self.style = style
    self.trained = trained
    self.length = length
    self.automodel = automodel
    self.bridge = bridge
  }
}
