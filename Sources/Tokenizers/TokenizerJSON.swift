import JSON

extension Pipeline {
  /// Reads tokenizer.json.
  init(tokenizerJSON bytes: [UInt8]) throws(TokenizerFault) {
    throw .missing("model", in: "tokenizer.json")
  }
}
