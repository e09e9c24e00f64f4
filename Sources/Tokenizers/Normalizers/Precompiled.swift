extension Pipeline {
  /// The normaliser that replaces by sentencepiece's compiled table.
  static func precompiled(_ section: Section) throws(TokenizerFault) -> any Normalizer {
    throw .unknownKind("Precompiled", at: section.place, known: [])
  }
}
