/// A token that is looked for in the text itself, before it is cut into words.
struct AddedToken: Sendable, Equatable {
  /// UTF-8.
  var content: [UInt8]
  var id: Int32
  /// Whether it counts only where no word character touches it.
  var isSingleWord = false
  /// Whether it swallows the whitespace before it.
  var stripsLeft = false
  /// Whether it swallows the whitespace behind it.
  var stripsRight = false
  /// Whether it is looked for in the normalised text, in its own normalised form.
  var isNormalized = true
  /// Whether decoding may leave it out.
  var isSpecial = false
}

/// All added tokens of a tokenizer.
struct AddedTokens: Sendable {
  /// In the order of the file; of two with one id the later one counts.
  private(set) var tokens: [AddedToken] = []
  private var places: [Int32: Int] = [:]
  /// The normalised form of the tokens that have another one than their content.
  private(set) var normalizedForms: [Int32: [UInt8]] = [:]
  private var rawTrie = ByteTrie()
  private var normalizedTrie = ByteTrie()

  init() {}

  /// Takes tokens in the order of their file.
  ///
  /// - Parameter normalize: gives the form in which a normalised token is looked for.
  init(
    _ given: [AddedToken], normalize: ([UInt8]) throws(TokenizerError) -> [UInt8]
  ) throws(TokenizerError) {
    for token in given where !token.content.isEmpty {
      if let place = places[token.id] {
        tokens[place] = token
      } else {
        places[token.id] = tokens.count
        tokens.append(token)
      }
    }
    for (place, token) in tokens.enumerated() {
      guard token.isNormalized else {
        rawTrie.add(token.content, Int32(place))
        continue
      }
      let form = try normalize(token.content)
      if form != token.content { normalizedForms[token.id] = form }
      if !form.isEmpty { normalizedTrie.add(form, Int32(place)) }
    }
  }

  var isEmpty: Bool { tokens.isEmpty }

  subscript(id id: Int32) -> AddedToken? { places[id].map { tokens[$0] } }

  /// What a token's id is decoded as.
  func decoded(_ id: Int32) -> [UInt8]? {
    places[id].map { normalizedForms[id] ?? tokens[$0].content }
  }

  /// Which of the two searches a text goes through.
  enum Pass {
    case raw
    case normalized
  }

  /// Cuts a text at the added tokens in it.
  ///
  /// - Parameter section: is given each stretch, in order, with its token unless it is plain text. A token's
  ///   stretch holds the whitespace that it swallows.
  func forEachSection<Failure>(
    of text: [UInt8], _ pass: Pass,
    _ section: (Range<Int>, AddedToken?) throws(Failure) -> Void
  ) throws(Failure) {
    let trie = pass == .raw ? rawTrie : normalizedTrie
    var done = 0
    var place = 0
    while let match = trie.next(in: text, from: place) {
      place = match.range.upperBound
      let token = tokens[Int(match.value)]
      var (start, end) = (match.range.lowerBound, match.range.upperBound)
      if token.isSingleWord, touchesWord(text, match.range) { continue }
      if token.stripsLeft {
        start = max(done, skipWhitespaceBackward(text, start))
      }
      if token.stripsRight { end = skipWhitespace(text, end) }
      if done < start { try section(done..<start, nil) }
      try section(start..<end, token)
      done = end
    }
    if done < text.count { try section(done..<text.count, nil) }
  }

  private func touchesWord(_ text: [UInt8], _ range: Range<Int>) -> Bool {
    if range.lowerBound > 0 {
      let before = scalarStart(text, before: range.lowerBound)
      if Scalars.isWord(scalar(text, before)) { return true }
    }
    return range.upperBound < text.count && Scalars.isWord(scalar(text, range.upperBound))
  }

  private func skipWhitespace(_ text: [UInt8], _ start: Int) -> Int {
    var place = start
    while place < text.count, Scalars.isWhitespace(scalar(text, place)) {
      place += scalarLength(text[place])
    }
    return place
  }

  private func skipWhitespaceBackward(_ text: [UInt8], _ end: Int) -> Int {
    var place = end
    while place > 0 {
      let before = scalarStart(text, before: place)
      guard Scalars.isWhitespace(scalar(text, before)) else { break }
      place = before
    }
    return place
  }
}

/// Where the character starts that ends before `offset`.
func scalarStart(_ text: [UInt8], before offset: Int) -> Int {
  var place = offset - 1
  while place > 0, text[place] & 0xC0 == 0x80 { place -= 1 }
  return place
}

/// Byte strings, looked for all at once; of those that start at one place the longest is found.
struct ByteTrie: Sendable {
  /// By node and byte the next node, 0 if there is none; the root's row is `root`.
  private var edges: [UInt64: Int32] = [:]
  private var root = [Int32](repeating: 0, count: 256)
  /// By node the value that ends there, or -1.
  private var values: [Int32] = [-1]

  /// Adds a string; one that is there already gets the new value.
  mutating func add(_ bytes: [UInt8], _ value: Int32) {
    var node: Int32 = 0
    for byte in bytes {
      var next = next(node, byte)
      if next == 0 {
        next = Int32(values.count)
        values.append(-1)
        if node == 0 { root[Int(byte)] = next } else { edges[key(node, byte)] = next }
      }
      node = next
    }
    values[Int(node)] = value
  }

  private func key(_ node: Int32, _ byte: UInt8) -> UInt64 {
    UInt64(UInt32(bitPattern: node)) << 8 | UInt64(byte)
  }

  private func next(_ node: Int32, _ byte: UInt8) -> Int32 {
    node == 0 ? root[Int(byte)] : edges[key(node, byte)] ?? 0
  }

  /// The leftmost and there longest string at or behind `start`.
  func next(in text: [UInt8], from start: Int) -> (range: Range<Int>, value: Int32)? {
    guard values.count > 1 else { return nil }
    var place = start
    while place < text.count {
      if root[Int(text[place])] != 0, let found = longest(in: text, at: place) { return found }
      place += 1
    }
    return nil
  }

  /// The longest string that starts at a place.
  func longest(in text: [UInt8], at start: Int) -> (range: Range<Int>, value: Int32)? {
    var node: Int32 = 0
    var found: (range: Range<Int>, value: Int32)?
    var place = start
    while place < text.count {
      node = next(node, text[place])
      if node == 0 { break }
      place += 1
      if values[Int(node)] >= 0 { found = (start..<place, values[Int(node)]) }
    }
    return found
  }
}
