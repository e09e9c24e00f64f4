/// A stretch of running text to learn from: inputs, what follows each of them, and what counts.
///
/// Source: `GPTDataset.__getitem__` and `_get_ltor_masks_and_position_ids` in
/// megatron/core/datasets/gpt_dataset.py.
public struct TokenWindow: Sendable, Equatable {
  public var inputs: [Int32]
  public var labels: [Int32]
  /// For each label whether it counts in the loss.
  public var counted: [Bool]
  /// The position of each input in its document, or in the window.
  public var positions: [Int32]
  /// Where attention begins anew: 0 and, where documents do not see each other, each one's first input.
  public var starts: [Int]

  /// As one sequence, of which the last token is only predicted.
  public var sample: Sample {
    guard let first = inputs.first else { return Sample(tokens: [], trained: []) }
    return Sample(tokens: [first] + labels, trained: [false] + counted)
  }
}

/// What the end of a document changes in a window.
public struct DocumentEnds: Sendable, Equatable {
  /// The token that ends a document.
  public var token: Int32?
  /// Whether what follows is not predicted from it (`eod_mask_loss`).
  public var isMasked = false
  /// Whether positions count from 0 behind it (`reset_position_ids`).
  public var resetsPositions = false
  /// Whether what follows does not see what comes before (`reset_attention_mask`).
  public var resetsAttention = false

  public init(
    token: Int32? = nil, isMasked: Bool = false, resetsPositions: Bool = false,
    resetsAttention: Bool = false
  ) {
    self.token = token
    self.isMasked = isMasked
    self.resetsPositions = resetsPositions
    self.resetsAttention = resetsAttention
  }

  /// The token Megatron pads with: the tokenizer's own, unless that means something else as well.
  public static func padding(_ token: Int32?, others: [Int32]) -> Int32 {
    guard let token, !others.contains(token) else { return -1 }
    return token
  }

  /// - Parameters:
  ///   - text: the tokens of a sample, padded to its length.
  ///   - hasExtraToken: whether the last of them is only predicted.
  ///   - padding: becomes 0, and no label that is padding counts.
  func window(_ text: [Int32], hasExtraToken: Bool, padding: Int32) -> TokenWindow {
    let inputs = Array(hasExtraToken ? text.dropLast() : text[...])
    var labels = Array(text.dropFirst())
    if !hasExtraToken, !text.isEmpty { labels.append(padding) }
    var window = TokenWindow(
      inputs: inputs, labels: labels, counted: labels.map { $0 != padding },
      positions: Array(0..<Int32(truncatingIfNeeded: inputs.count)), starts: [0])
    mark(&window)
    for index in inputs.indices {
      if window.inputs[index] == padding { window.inputs[index] = 0 }
      if window.labels[index] == padding { window.labels[index] = 0 }
    }
    return window
  }

  private func mark(_ window: inout TokenWindow) {
    guard let token, isMasked || resetsPositions || resetsAttention else { return }
    var start = 0
    for index in window.inputs.indices {
      if resetsPositions { window.positions[index] = Int32(truncatingIfNeeded: index - start) }
      guard window.inputs[index] == token else { continue }
      if isMasked { window.counted[index] = false }
      start = index + 1
      if resetsAttention, start < window.inputs.count { window.starts.append(start) }
    }
  }
}
