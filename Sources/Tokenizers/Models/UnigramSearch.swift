/// The most likely way to cut a text into pieces that are independent of each other (Viterbi's search).
///
/// One pass from left to right: for each place the best score of a way to it, and the piece that ends
/// there. Wherever all ways meet in one place the way to it is settled and forgotten, so that the memory
/// needed is that of a word and not of the text. It is written once for the two that exist: sentencepiece
/// adds scores in `Float` and sets them back when they grow large, the package `tokenizers` in `Double`.
///
/// Source: Model::EncodeOptimized in unigram_model.cc of sentencepiece 0.2.3.
struct UnigramSearch<Score: BinaryFloatingPoint & Sendable>: Sendable {
  let trie: PieceTrie
  /// By the values of the trie.
  let scores: [Score]
  /// The score of a character that is no piece.
  let unknownScore: Score
  /// Scores beyond this are set back to 0; `nil` for never.
  let reset: Score?

  /// The value of a piece that is none.
  static var unknown: Int32 { -1 }

  private struct Node {
    var score: Score = 0
    /// Where the piece that ends here begins; -1 for none.
    var start = -1
    var value: Int32 = -1
  }

  /// Cuts a part of a text.
  ///
  /// - Parameters:
  ///   - range: whole characters.
  ///   - found: is given each piece's value (`unknown` for a character that is no piece) and bytes, in order.
  func cut(_ text: [UInt8], _ range: Range<Int>, _ found: (Int32, Range<Int>) -> Void) {
    // Nodes of the places from `origin` on.
    var nodes = [Node](repeating: Node(), count: 64)
    var origin = range.lowerBound
    var place = origin
    var frontier = origin
    var settled: [(value: Int32, range: Range<Int>)] = []
    while place < range.upperBound {
      if place == frontier, place > origin {
        settle(nodes, origin, place, &settled)
        for piece in settled { found(piece.value, piece.range) }
        let score = nodes[place - origin].score
        for index in 0...(place - origin) { nodes[index] = Node() }
        nodes[0].score = score
        origin = place
      }
      place = extend(&nodes, text, place, origin, range.upperBound, &frontier)
    }
    settle(nodes, origin, range.upperBound, &settled)
    for piece in settled { found(piece.value, piece.range) }
  }

  /// Lengthens the ways that end at `place` by each piece that begins there, and returns the next place.
  private func extend(
    _ nodes: inout [Node], _ text: [UInt8], _ place: Int, _ origin: Int, _ end: Int,
    _ frontier: inout Int
  ) -> Int {
    var score = nodes[place - origin].score
    if let reset, score.magnitude > reset {
      for index in place - origin...max(frontier, place) - origin
      where index == place - origin || nodes[index].start >= 0 {
        nodes[index].score -= score
      }
      score = 0
    }
    let next = min(place + scalarLength(text[place]), end)
    var isKnown = false
    var node = PieceTrie.root
    var stop = place
    while stop < end, let child = trie.child(of: node, by: text[stop]) {
      node = child
      stop += 1
      guard let value = trie.value(at: node) else { continue }
      offer(&nodes, stop, origin, &frontier, score + scores[Int(value)], place, value)
      if stop == next { isKnown = true }
    }
    if !isKnown {
      offer(&nodes, next, origin, &frontier, score + unknownScore, place, Self.unknown)
    }
    return next
  }

  @inline(__always)
  private func offer(
    _ nodes: inout [Node], _ end: Int, _ origin: Int, _ frontier: inout Int, _ score: Score,
    _ start: Int, _ value: Int32
  ) {
    let index = end - origin
    frontier = max(frontier, end)
    if index >= nodes.count {
      nodes.append(
        contentsOf: repeatElement(Node(), count: max(index + 1 - nodes.count, nodes.count)))
    }
    if nodes[index].start < 0 || score > nodes[index].score {
      nodes[index] = Node(score: score, start: start, value: value)
    }
  }

  /// The best way from `origin` to `place`, in order.
  private func settle(
    _ nodes: [Node], _ origin: Int, _ place: Int,
    _ settled: inout [(value: Int32, range: Range<Int>)]
  ) {
    settled.removeAll(keepingCapacity: true)
    var end = place
    while end > origin {
      let node = nodes[end - origin]
      settled.append((node.value, node.start..<end))
      end = node.start
    }
    settled.reverse()
  }
}
