/// Why a run cannot be made of its settings, or cannot go on.
public enum RunningError: Error, Equatable, Sendable {
  /// An update takes more samples than there are, and none is made of fewer.
  case tooFewSamples(count: Int, update: Int, origin: String)
  case nothingToLearn(origin: String, samples: Int)
  /// Positions and attention do not begin anew together.
  case splitPositions
  /// Documents are to be told apart, and nothing says where they end.
  case noEnd
  /// Nothing says when the run ends.
  case endless
  case noSplit(String)
  case noTargets(wanted: [String], found: [String])
  /// A layer that canonical adapters divide cannot be divided.
  case indivisible(layer: String, target: String, reason: String)
  /// An adapter to go on with, and no files that say which model it is of.
  case adapterOfFresh(String)
}

extension RunningError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .tooFewSamples(let count, let update, let origin):
      """
      There are \(count) samples (\(origin)), and an update takes \(update). Make the global batch smaller \
      (train.global_batch_size), or give more data.
      """
    case .nothingToLearn(let origin, let samples):
      """
      None of \(samples) samples has a token to learn (\(origin)). Look at them with train preview: the masking may \
      leave nothing, or answers may be cut off.
      """
    case .splitPositions:
      """
      reset_position_ids and reset_attention_mask are different, and here documents are either told apart in both or \
      in neither. Set both to the same.
      """
    case .noEnd:
      """
      eod_mask_loss, reset_position_ids and reset_attention_mask need to know which token ends a document. Name the \
      tokenizer that the data were made with (tokenizer.tokenizer_model).
      """
    case .endless:
      "Nothing says when the run ends. Set train.train_iters, or step_scheduler.max_steps or num_epochs."
    case .noSplit(let split):
      """
      The indexed data have no \(split) split. Give the split a share (dataset.split), or set validation off \
      (train.eval_iters=0).
      """
    case .noTargets(let wanted, let found):
      """
      No matrix of the model is a target of the adapters: \(wanted.joined(separator: ", ")). The model has \
      \(found.joined(separator: ", ")); set peft.target_modules.
      """
    case .indivisible(let layer, let target, let reason):
      "The adapter \(target) cannot be put on \(layer): \(reason). Use peft lora, or other targets."
    case .adapterOfFresh(let path):
      "A fresh model cannot go on with the adapter \(path). Name the model it was trained on."
    }
  }
}
