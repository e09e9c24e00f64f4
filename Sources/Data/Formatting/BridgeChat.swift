import JSON
import Jinja

/// A conversation through a chat template, as Megatron-Bridge's `_chat_preprocess` makes tokens of it.
///
/// Without `{% generation %}` in the template everything is learnt. The token that ends a sequence is appended where
/// it is missing, and learnt.
struct BridgeChat {
  let tokenizer: any TextTokenizer
  let template: ChatTemplate
  let options: FormatOptions

  func sample(_ conversation: Conversation) throws(RowFaultOrData) -> Sample {
    let rendered = try RenderedChat(
      conversation.messages, conversation.tools, template: template, tokenizer: tokenizer)
    var tokens = rendered.tokens
    var mask =
      template.marksGeneration && options.trained != .all
      ? rendered.generatedMask : tokens.map { _ in true }
    // The peer looks whether the number is true, so that an end of 0 is never appended.
    if let end = tokenizer.end, end != 0, tokens.last != end {
      tokens.append(end)
      mask.append(true)
    }
    if options.trained == .last { mask.keepLastRun() }
    return Sample(tokens: tokens, trained: mask).cutAsBridge(options.length)
  }
}

extension Sample {
  /// The sample cut so that so many tokens are predicted from; if none of those is learnt, all are, as the peer
  /// has it.
  func cutAsBridge(_ length: Int?) -> Sample {
    guard let length, count - 1 > length else { return self }
    var result = Sample(
      tokens: Array(tokens[...length]), trained: Array(trained[...length]))
    if result.trainedCount == 0 {
      result.trained = result.tokens.map { _ in true }
    }
    return result
  }
}
