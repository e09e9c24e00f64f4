/// NeMo's own chat format: turns between extra tokens, and roles that are not learnt.
///
/// Source: `_preprocess` and `_mask_targets` of Megatron-Bridge's data/datasets/utils.py, which keeps it from NeMo.
struct MaskedTurnsFormat {
  let tokenizer: any TextTokenizer
  let options: FormatOptions

  private static let systemStart = "<extra_id_0>"
  private static let turnStart = "<extra_id_1>"
  private static let labelStart = "<extra_id_2>"
  private static let end = "\n"
  /// Stands before what is tokenised in part, so that what a tokenizer puts in front of a text is no matter.
  private static let lead = "\0"

  func sample(_ turns: MaskedTurns) throws(RowFaultOrData) -> Sample {
    let header = "\(Self.systemStart)System\(Self.end)\(turns.system)\(Self.end)"
    let texts = turns.turns.map { Self.text($0, turns.direction) }
    var whole = header + texts.joined()
    // The start of a turn is learnt as the end of the last one.
    if let last = turns.turns.last, !turns.masks(last.speaker) { whole += Self.turnStart }
    let tokens = try tokens(whole)
    var mask = [Bool](repeating: true, count: tokens.count)
    var place = try self.tokens(header).count
    mask.clear(0..<place)
    for (index, turn) in turns.turns.enumerated() {
      let ids = try part(texts[index])
      if place >= tokens.count { break }
      guard let masked = try masked(index, turn, ids, turns) else {
        // The peer masks such a turn and does not step behind it.
        mask.clear(place..<place + ids.count)
        continue
      }
      mask.clear(place + masked.lowerBound..<place + masked.upperBound)
      place += ids.count
    }
    let sample = Sample(tokens: tokens, trained: mask)
    guard mask.contains(true) else {
      throw .row(RowFault("mask", "leaves nothing to learn in this conversation"))
    }
    return sample.cutAsBridge(options.length)
  }

  /// The tokens of a turn that are not learnt; `nil` if it is nothing but the beginning of a label.
  private func masked(
    _ index: Int, _ turn: MaskedTurns.Turn, _ ids: [Int32], _ turns: MaskedTurns
  ) throws(RowFaultOrData) -> Range<Int>? {
    var name = try part(Self.turnStart + turn.speaker + Self.end).count
    let label = try part(Self.labelStart)
    if let found = ids.firstIndex(of: label) {
      switch turns.direction {
      case .valueToText?:
        guard found == name else {
          throw .row(
            RowFault(
              "conversations[\(index)].label", "does not become tokens right behind the speaker",
              "Use a tokenizer that has \(Self.labelStart) as one token."))
        }
        let end = try part(Self.end)
        guard let line = Array(ids[name...]).firstIndex(of: end) else { return nil }
        name += line + end.count
      case .textToValue?: name = found + label.count
      case nil: break
      }
    }
    let isMasked = turns.masks(turn.speaker)
    let start = try part(Self.turnStart).count
    switch (index, turns.direction) {
    // The first turn is only context, for there is none before it.
    case (0, nil), (0, .valueToText?): return 0..<ids.count
    // The start of a turn is learnt, as the end of the one before.
    case (1, .textToValue?) where isMasked: return min(start, ids.count)..<ids.count
    case (2..., _) where isMasked: return min(start, ids.count)..<ids.count
    case _ where isMasked: return 0..<ids.count
    default: return 0..<name
    }
  }

  // MARK: Texts

  private static func text(
    _ turn: MaskedTurns.Turn, _ direction: MaskedTurns.Direction?
  ) -> String {
    let label = turn.label.map { labelStart + $0 + end } ?? ""
    let name = turnStart + turn.speaker + end
    switch direction {
    case nil: return name + turn.text + end
    case .valueToText?: return name + label + turn.text + end
    case .textToValue?: return name + turn.text + end + label
    }
  }

  private func tokens(_ text: String) throws(RowFaultOrData) -> [Int32] {
    do throws(DataError) { return try tokenizer.tokens(text, addsSpecialTokens: true) } catch {
      throw .data(error)
    }
  }

  /// The tokens of a text behind another.
  private func part(_ text: String) throws(RowFaultOrData) -> [Int32] {
    let lead = try tokens(Self.lead).count
    return Array(try tokens(Self.lead + text).dropFirst(lead))
  }
}

extension MaskedTurns {
  /// Whether a speaker's turns are not learnt: the peer looks whether the name occurs in the mask.
  func masks(_ speaker: String) -> Bool {
    let name = Array(speaker.utf8)
    return name.isEmpty || Array(mask.utf8).firstIndex(of: name) != nil
  }
}

extension Array where Element: Equatable {
  /// Where another list begins in this one.
  func firstIndex(of other: [Element]) -> Int? {
    guard !other.isEmpty, other.count <= count else { return other.isEmpty ? 0 : nil }
    return (0...count - other.count).first { self[$0...].starts(with: other) }
  }
}
