extension ModelSection {
  /// The Unigram model of tokenizer.json.
  func unigram() throws(TokenizerFault) -> any TokenModel {
    throw .unknownKind("Unigram", at: "model", known: ["BPE", "WordPiece", "WordLevel"])
  }
}
