extension SentencePieceModel: TokenDecoder {
  func decode(
    _ ids: [Int32], _ added: AddedTokens, skipsSpecialTokens: Bool
  ) throws(TokenizerError) -> [UInt8] {
    var text: [UInt8] = []
    var bytes: [UInt8] = []
    var mayBeginWithSpace = true
    for id in ids {
      if let byte = byteValues[id] {
        bytes.append(byte)
        continue
      }
      Self.append(&bytes, to: &text)
      if !text.isEmpty { mayBeginWithSpace = false }
      if let token = added[id: id] {
        if skipsSpecialTokens && token.isSpecial { continue }
        // A piece that is an added token as well is a piece to the library.
        if !isPiece(id) {
          text += token.content
          continue
        }
      }
      guard isPiece(id), let piece = vocabulary.bytes(of: id) else {
        throw .unknownID(id, size: max(kinds.count, Int(added.tokens.map(\.id).max() ?? 0) + 1))
      }
      switch kinds[Int(id)] {
      case .control: continue
      case .unknown: if !skipsSpecialTokens { text += unknownSurface }
      default:
        // The first word's space was put there by the library itself, or would have been removed.
        let strips =
          mayBeginWithSpace && (rewriting.addsDummyPrefix || rewriting.removesExtraWhitespace)
        let drops = strips && piece.starts(with: SentencePieceRewriting.escapedSpace)
        Self.append(drops ? piece.dropFirst(3) : piece, to: &text)
        if drops, !rewriting.removesExtraWhitespace { mayBeginWithSpace = false }
      }
      if !text.isEmpty { mayBeginWithSpace = false }
    }
    Self.append(&bytes, to: &text)
    return denormalizer?.rewrite(text, 0..<text.count).bytes ?? text
  }

  private func isPiece(_ id: Int32) -> Bool { id >= 0 && id < kinds.count }

  /// Appends a piece with U+2581 as spaces.
  private static func append(_ piece: ArraySlice<UInt8>, to text: inout [UInt8]) {
    let space = SentencePieceRewriting.escapedSpace
    var place = piece.startIndex
    while place < piece.endIndex {
      if piece[place] == space[0], piece[place...].starts(with: space) {
        text.append(0x20)
        place += 3
      } else {
        text.append(piece[place])
        place += 1
      }
    }
  }

  /// Appends what single bytes spell, each that spells nothing as U+FFFD, and forgets them.
  private static func append(_ bytes: inout [UInt8], to text: inout [UInt8]) {
    var place = 0
    while place < bytes.count {
      if let length = characterLength(bytes, place, bytes.count) {
        text += bytes[place..<place + length]
        place += length
      } else {
        text += [0xEF, 0xBF, 0xBD]
        place += 1
      }
    }
    bytes.removeAll(keepingCapacity: true)
  }
}
