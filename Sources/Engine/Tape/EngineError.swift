import Blueprint

/// Why a model cannot be computed, or a batch not be used.
public enum EngineError: Error, Equatable {
  /// The blueprint has a piece that the engine has no mathematics for.
  case unknownPiece(String, block: String)
  /// A layer asks for a tensor that the blueprint does not have.
  case missingParameter(String, block: String)
  case emptyBatch
  case tokenOutOfRange(token: Int, index: Int, vocabulary: Int)
  case tooLong(positions: Int, limit: Int)
  /// No label of the batch is to be predicted.
  case nothingToLearn
  /// An adapter does not fit the model.
  case noPlaceForAdapter(String, reason: String)
  /// The loss is not a number; the first operation whose result was not, and where it stands.
  case notFinite(operation: String, place: String)
  /// A layer that keeps nothing of earlier tokens, though it needs them.
  case cannotContinue(String, block: String)
  /// Logits out of which no token can be chosen.
  case noPrediction(position: Int)
  case badSampling(what: String, value: Double, bounds: String)
}

extension EngineError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unknownPiece(let piece, let block):
      """
      The engine cannot compute this model: it has no mathematics for \(piece) (\(block)). \
      Converting and merging the model work all the same.
      """
    case .missingParameter(let what, let block):
      "The model has no tensor for \(what) in \(block). Check that config.json fits the weights."
    case .emptyBatch:
      "The batch holds no tokens. Give at least one sequence of at least one token."
    case .tokenOutOfRange(let token, let index, let vocabulary):
      """
      Token \(token) at index \(index) of the batch is outside the vocabulary of \(vocabulary) tokens. \
      Check that the data was made with this model's tokenizer.
      """
    case .tooLong(let positions, let limit):
      """
      A sequence has \(positions) tokens, but the model has positions for \(limit) only. \
      Shorten the sequences or cut them into several.
      """
    case .nothingToLearn:
      """
      Every label of the batch is masked (-100), so there is no loss to compute. Check the data's \
      masking, or raise the sequence length if answers are cut off.
      """
    case .noPlaceForAdapter(let tensor, let reason):
      "No adapter can be put on \(tensor): \(reason). Check the adapter's targets against the model."
    case .notFinite(let operation, let place):
      """
      The loss is not a finite number; the first result that was not came from \(operation) in \(place). \
      Lower the learning rate, clip gradients, or look at the batch.
      """
    case .cannotContinue(let piece, let block):
      """
      The engine cannot continue a text of this model token by token: it keeps nothing of earlier tokens \
      for \(piece) (\(block)). Computing all tokens anew for each one works (no cache).
      """
    case .noPrediction(let position):
      """
      The model's logits at position \(position) are not finite, so no token can be chosen. Check that the \
      weights are whole, or use float32.
      """
    case .badSampling(let what, let value, let bounds):
      "\(what.prefix(1).uppercased() + what.dropFirst()) is \(value), but must be \(bounds)."
    }
  }
}
