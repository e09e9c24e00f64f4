import Testing

@testable import Tokenizers

/// A generator of numbers from a seed (splitmix64).
struct SeededNumbers: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var number = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    number = (number ^ (number >> 27)) &* 0x94D0_49BB_1331_11EB
    return number ^ (number >> 31)
  }
}

/// Byte-pair encoding, by its ways that must come to the same.
struct BPETests {
  /// A model with merges at random, most of which can be reached.
  private func model(_ numbers: inout SeededNumbers, cutsWords: Bool, mark: Bool) -> BPE {
    let letters = Array("abcdeé▁").map { Array(String($0).utf8) }
    var pieces = letters
    var vocabulary = Vocabulary()
    for (id, piece) in pieces.enumerated() { _ = vocabulary.add(piece, id: Int32(id)) }
    var table = MergeTable(capacity: 80)
    var results: [Int32] = []
    for rank in 0..<80 {
      let left = Int.random(in: 0..<pieces.count, using: &numbers)
      let right = Int.random(in: 0..<pieces.count, using: &numbers)
      let joined = pieces[left] + pieces[right]
      // As in sentencepiece's vocabularies the mark only starts pieces.
      if mark, pieces[right].starts(with: letters[6]) { continue }
      if joined.count > 24 { continue }
      let id = vocabulary.id(of: joined) ?? Int32(pieces.count)
      if Int(id) == pieces.count {
        pieces.append(joined)
        _ = vocabulary.add(joined, id: id)
      }
      table.add(Int32(left), Int32(right), MergeTable.Merge(rank: UInt32(rank), id: id))
      results.append(id)
    }
    return BPE(vocabulary, table, mergeResults: results, BPE.Options(), cutsWords: cutsWords)
  }

  /// The tokens by the definition: the leftmost pair of lowest rank, over and over.
  private func plainTokens(_ model: BPE, _ text: String) -> [Int32] {
    var ids = text.unicodeScalars.compactMap { model.vocabulary.id(of: Array(String($0).utf8)) }
    while true {
      let merges = (0..<max(0, ids.count - 1)).compactMap { place in
        model.merges[ids[place], ids[place + 1]].map { (place, $0) }
      }
      guard let best = merges.min(by: { $0.1.rank < $1.1.rank }) else { return ids }
      ids[best.0] = best.1.id
      ids.remove(at: best.0 + 1)
    }
  }

  @Test(arguments: [false, true])
  func shortWordsLongWordsAndCutWordsAreMergedAlike(_ mark: Bool) throws {
    for seed in UInt64(1)...12 {
      var numbers = SeededNumbers(seed)
      let cutting = model(&numbers, cutsWords: true, mark: mark)
      numbers = SeededNumbers(seed)
      let whole = model(&numbers, cutsWords: false, mark: mark)
      for length in [1, 2, 7, 40, 63, 64, 65, 66, 200, 700] {
        let text = String(
          String.UnicodeScalarView(
            (0..<length).compactMap { _ in "abcdeé▁▁".unicodeScalars.randomElement(using: &numbers)
            }))
        let bytes = Array(text.utf8)
        let expected = plainTokens(whole, text)
        for model in [cutting, whole] {
          var tokens = Tokens(keepsRanges: true)
          var workspace = Workspace()
          // The second time out of the cache.
          for _ in 0..<2 { try model.tokenize(bytes, 0..<bytes.count, into: &tokens, &workspace) }
          #expect(tokens.ids == expected + expected, "\(seed) \(text)")
          #expect(
            tokens.ranges.first?.lowerBound == 0 && tokens.ranges.last?.upperBound == bytes.count)
        }
      }
    }
  }

  @Test func aTextThatIsOneWordIsCutWhereNoPieceReachesOver() {
    var vocabulary = Vocabulary()
    for (id, piece) in ["a", "b", "▁", "▁a", "▁▁", "ab"].enumerated() {
      _ = vocabulary.add(piece.utf8, id: Int32(id))
    }
    let cuts = SafeCuts(vocabulary, [3, 4, 5])
    let text = Array("ab▁▁ab▁b".utf8)
    #expect(cuts.next(in: text, 0..<text.count) == 2)
    #expect(cuts.next(in: text, 2..<text.count) == 8 + 2)
    #expect(cuts.next(in: text, 10..<text.count) == nil)
    // One piece with the mark inside, and nothing is safe any more before it.
    _ = vocabulary.add("a▁".utf8, id: 6)
    let fewer = SafeCuts(vocabulary, [3, 4, 5, 6])
    #expect(fewer.next(in: text, 0..<text.count) == nil)
  }

  @Test func vocabulariesFindPiecesByTheirBytes() {
    var vocabulary = Vocabulary()
    for id in 0..<5000 {
      #expect(vocabulary.add("piece \(id)".utf8, id: Int32(id * 3)) == .added)
    }
    #expect(vocabulary.add("piece 7".utf8, id: 1) == .pieceTaken(21))
    #expect(vocabulary.add("new".utf8, id: 21) == .idTaken)
    #expect((0..<5000).allSatisfy { vocabulary.id(of: "piece \($0)") == Int32($0 * 3) })
    #expect((0..<5000).allSatisfy { vocabulary.text(of: Int32($0 * 3)) == "piece \($0)" })
    #expect(vocabulary.id(of: "new") == nil && vocabulary.text(of: 1) == nil)
    #expect(vocabulary.add("far".utf8, id: .max - 1) == .added)
    #expect(vocabulary.text(of: .max - 1) == "far" && vocabulary.idLimit == .max)
  }

  @Test func severalThreadsMayUseOneTokenizer() async throws {
    let json = #"""
      {"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"▁":3,"▁a":4},"merges":["a b","▁ a"]},
       "pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}}
      """#
    let tokenizer = Tokenizer(try Pipeline(tokenizerJSON: Array(json.utf8)))
    let expected = try tokenizer.encode("ab aab b")
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask {
          try (0..<200).allSatisfy { _ in try tokenizer.encode("ab aab b") == expected }
        }
      }
      for try await isSame in group { #expect(isSame) }
    }
  }
}
