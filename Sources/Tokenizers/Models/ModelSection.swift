import JSON

/// The model in tokenizer.json as it was read: small members as a tree, the large ones flat.
struct ModelSection {
  private(set) var small = Section(JSONObject(), at: "model")
  /// The pieces of `vocab`, and what belongs to each of them.
  private(set) var pieces = PieceList()
  /// The ids of the pieces, where `vocab` is an object.
  private(set) var ids: [Int] = []
  /// The scores of the pieces, where `vocab` is an array.
  private(set) var scores: [Double] = []
  private(set) var vocabularyKind: JSONReader.Kind?
  /// Two pieces each.
  private(set) var merges = PieceList()
  private(set) var hasMerges = false
  /// The first thing found wrong that is no fault of the JSON.
  private var fault: TokenizerFault?

  init(_ reader: inout JSONReader) throws(JSONError) {
    var object = JSONObject()
    try reader.beginObject()
    while try reader.nextName() {
      let name = String(decoding: reader.name, as: UTF8.self)
      let isLarge = name == "vocab" || name == "merges"
      guard object[name] == nil, !(isLarge && (name == "vocab" ? vocabularyKind != nil : hasMerges))
      else { throw .duplicateName(name, offset: reader.nameOffset) }
      switch (name, try reader.kind()) {
      case ("vocab", .object): try readPairs(&reader)
      case ("vocab", .array): try readScored(&reader)
      case ("merges", .array): try readMerges(&reader)
      default: object[name] = try reader.value()
      }
    }
    small = Section(object, at: "model")
  }

  private mutating func readPairs(_ reader: inout JSONReader) throws(JSONError) {
    vocabularyKind = .object
    try reader.beginObject()
    while try reader.nextName() {
      pieces.append(reader.name)
      if try reader.kind() == .number, let id = try reader.number().integer {
        ids.append(id)
      } else {
        note(.idOutOfRange(piece: pieces.text(pieces.count - 1), found: "no whole number"))
        if ids.count < pieces.count { try? reader.skip() }
        return try drain(&reader)
      }
    }
  }

  /// Steps over the rest of an object in which a fault was found.
  private func drain(_ reader: inout JSONReader) throws(JSONError) {
    while try reader.nextName() { try reader.skip() }
  }

  private mutating func readScored(_ reader: inout JSONReader) throws(JSONError) {
    vocabularyKind = .array
    try reader.beginArray()
    var text: [UInt8] = []
    while try reader.nextElement() {
      let index = scores.count
      guard try reader.kind() == .array else {
        note(
          .value(at: "model.vocab[\(index)]", expected: "a piece and a score", found: "no array"))
        try reader.skip()
        continue
      }
      var parts: (piece: Bool, score: Double?, count: Int) = (false, nil, 0)
      text.removeAll(keepingCapacity: true)
      try reader.beginArray()
      while try reader.nextElement() {
        let kind = try reader.kind()
        if parts.count == 0, kind == .string {
          try reader.string(into: &text)
          parts.piece = true
        } else if parts.count == 1, kind == .number {
          parts.score = try reader.number().double
        } else {
          try reader.skip()
        }
        parts.count += 1
      }
      guard parts.piece, parts.count == 2, let score = parts.score else {
        note(.value(at: "model.vocab[\(index)]", expected: "a piece and a score", found: "others"))
        continue
      }
      pieces.append(text)
      scores.append(score)
    }
  }

  private mutating func readMerges(_ reader: inout JSONReader) throws(JSONError) {
    hasMerges = true
    try reader.beginArray()
    var text: [UInt8] = []
    var number = 0
    while try reader.nextElement() {
      number += 1
      text.removeAll(keepingCapacity: true)
      switch try reader.kind() {
      case .string:
        try reader.string(into: &text)
        if text.starts(with: "#version".utf8) {
          number -= 1
        } else {
          appendMerge(text, number)
        }
      case .array:
        var count = 0
        try reader.beginArray()
        while try reader.nextElement() {
          count += 1
          guard count <= 2, try reader.kind() == .string else {
            count = 3
            try reader.skip()
            continue
          }
          text.removeAll(keepingCapacity: true)
          try reader.string(into: &text)
          merges.append(text)
        }
        if count != 2 { note(.malformedMerge(number: number, found: "an array of other things")) }
      default:
        note(.malformedMerge(number: number, found: "neither a string nor an array"))
        try reader.skip()
      }
    }
  }

  private mutating func appendMerge(_ text: [UInt8], _ number: Int) {
    let space = UInt8(ascii: " ")
    guard let cut = text.firstIndex(of: space), !text[(cut + 1)...].contains(space) else {
      let found = "“\(String(decoding: text, as: UTF8.self))”"
      note(.malformedMerge(number: number, found: found))
      return
    }
    merges.append(text[..<cut])
    merges.append(text[(cut + 1)...])
  }

  private mutating func note(_ found: TokenizerFault) {
    if fault == nil { fault = found }
  }

  // MARK: - Models

  /// The model that the section describes.
  ///
  /// One that does not say its kind is known by its members, in the order in which the crate tries.
  func model() throws(TokenizerFault) -> any TokenModel {
    if let fault { throw fault }
    guard vocabularyKind != nil else { throw small.fault("vocab", "an object or an array") }
    var kind = small.kind
    if small["type"] == nil {
      if vocabularyKind == .array {
        kind = "Unigram"
      } else if hasMerges {
        kind = "BPE"
      } else {
        kind = small["max_input_chars_per_word"] == nil ? "WordLevel" : "WordPiece"
      }
    }
    let expected: JSONReader.Kind = kind == "Unigram" ? .array : .object
    guard vocabularyKind == expected else {
      throw .value(
        at: "model.vocab", expected: expected == .array ? "an array" : "an object",
        found: expected == .array ? "an object" : "an array")
    }
    switch kind {
    case "BPE": return try bpe()
    case "WordPiece": return try WordPiece(small, vocabulary())
    case "WordLevel": return try WordLevel(small, vocabulary())
    case "Unigram": return try unigram()
    default:
      throw .unknownKind(
        kind, at: "model", known: ["BPE", "Unigram", "WordPiece", "WordLevel"])
    }
  }

  /// The pieces under their ids.
  func vocabulary() throws(TokenizerFault) -> Vocabulary {
    var vocabulary = Vocabulary(capacity: pieces.count)
    for index in 0..<pieces.count {
      guard ids[index] >= 0, ids[index] < Int(Int32.max) else {
        throw .idOutOfRange(piece: pieces.text(index), found: String(ids[index]))
      }
      let id = Int32(ids[index])
      switch vocabulary.add(pieces.bytes[pieces.range(index)], id: id) {
      case .added: break
      case .pieceTaken(let first): throw .repeatedPiece(pieces.text(index), first, id)
      case .idTaken:
        throw .repeatedID(id, vocabulary.text(of: id) ?? "", pieces.text(index))
      }
    }
    return vocabulary
  }

  private func bpe() throws(TokenizerFault) -> BPE {
    guard hasMerges else { throw .missing("merges", in: "model") }
    let vocabulary = try vocabulary()
    var options = BPE.Options()
    options.unknown = try bytes("unk_token")
    options.fusesUnknown = try flag("fuse_unk")
    options.fallsBackToBytes = try flag("byte_fallback")
    options.ignoresMerges = try flag("ignore_merges")
    options.continuingPrefix = try bytes("continuing_subword_prefix") ?? []
    options.endSuffix = try bytes("end_of_word_suffix") ?? []
    var table = MergeTable(capacity: merges.count / 2)
    var results: [Int32] = []
    results.reserveCapacity(merges.count / 2)
    var joined: [UInt8] = []
    for number in 0..<merges.count / 2 {
      let (left, right) = (merges.range(number * 2), merges.range(number * 2 + 1))
      joined.removeAll(keepingCapacity: true)
      joined.append(contentsOf: merges.bytes[left])
      joined.append(contentsOf: merges.bytes[right].dropFirst(options.continuingPrefix.count))
      let leftID = vocabulary.id(of: merges.bytes, left)
      let rightID = vocabulary.id(of: merges.bytes, right)
      let id = vocabulary.id(of: joined, 0..<joined.count)
      guard let leftID, let rightID, let id else {
        let missing =
          leftID == nil ? merges.bytes[left] : rightID == nil ? merges.bytes[right] : joined[...]
        throw .merge(
          number: number + 1, left: merges.text(number * 2), right: merges.text(number * 2 + 1),
          missing: String(decoding: missing, as: UTF8.self))
      }
      table.add(leftID, rightID, MergeTable.Merge(rank: UInt32(number), id: id))
      results.append(id)
    }
    return BPE(vocabulary, table, mergeResults: results, options)
  }

  /// A string that may be missing or null.
  private func bytes(_ key: String) throws(TokenizerFault) -> [UInt8]? {
    guard let value = small[key], !value.isNull else { return nil }
    return Array(try small.string(key).utf8)
  }

  /// A truth value that may be missing or null.
  private func flag(_ key: String) throws(TokenizerFault) -> Bool {
    guard let value = small[key], !value.isNull else { return false }
    return try small.flag(key)
  }
}

/// Many byte strings in one array.
struct PieceList: Sendable {
  private(set) var bytes: [UInt8] = []
  private var ends: [Int] = []

  var count: Int { ends.count }

  mutating func append(_ piece: some Collection<UInt8>) {
    bytes.append(contentsOf: piece)
    ends.append(bytes.count)
  }

  func range(_ index: Int) -> Range<Int> { (index == 0 ? 0 : ends[index - 1])..<ends[index] }

  func text(_ index: Int) -> String { String(decoding: bytes[range(index)], as: UTF8.self) }
}
