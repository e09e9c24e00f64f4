/// What becomes of the places at which a text is cut.
///
/// Cutting `the-final--countdown` at `-` gives, in order of the cases: `the final countdown`,
/// `the - final - - countdown`, `the- final- - countdown`, `the -final - -countdown`, `the - final -- countdown`.
enum SplitBehavior: Sendable {
  case removed
  case isolated
  case mergedWithPrevious
  case mergedWithNext
  case contiguous
}

/// Puts the words together into which one word falls, out of matches and what lies between them.
struct WordSplitter {
  private let behavior: SplitBehavior
  private(set) var ranges: [Range<Int>] = []
  /// Where the word's own ranges begin in `ranges`.
  private var first = 0
  /// Whether the stretch before was a match.
  private var lastWasMatch = false
  /// A match that waits for what follows it.
  private var waiting: Int?

  init(_ behavior: SplitBehavior, capacity: Int) {
    self.behavior = behavior
    ranges.reserveCapacity(capacity)
  }

  /// Starts a word.
  mutating func begin() {
    first = ranges.count
    lastWasMatch = false
    waiting = nil
  }

  /// Adds the next stretch of the word; all stretches together are the word.
  @inline(__always)
  mutating func add(_ range: Range<Int>, isMatch: Bool) {
    switch behavior {
    case .isolated: ranges.append(range)
    case .removed: if !isMatch { ranges.append(range) }
    case .contiguous:
      if isMatch == lastWasMatch { extend(range) } else { ranges.append(range) }
    case .mergedWithPrevious:
      if isMatch, !lastWasMatch { extend(range) } else { ranges.append(range) }
    case .mergedWithNext:
      // A match waits, and goes with what follows unless that is a match too.
      if isMatch {
        if let start = waiting { ranges.append(start..<range.lowerBound) }
        waiting = range.lowerBound
      } else {
        ranges.append((waiting ?? range.lowerBound)..<range.upperBound)
        waiting = nil
      }
    }
    lastWasMatch = isMatch
  }

  /// Ends a word at its last byte.
  mutating func end(_ end: Int) {
    if let start = waiting { ranges.append(start..<end) }
    waiting = nil
  }

  private mutating func extend(_ range: Range<Int>) {
    if ranges.count > first {
      let last = ranges.count - 1
      ranges[last] = ranges[last].lowerBound..<range.upperBound
    } else {
      ranges.append(range)
    }
  }
}

extension Words {
  /// Cuts every word at the characters that a test picks.
  mutating func split(_ behavior: SplitBehavior, at isMatch: (UInt32) -> Bool) {
    var splitter = WordSplitter(behavior, capacity: ranges.count)
    let text = passage.bytes
    for word in ranges {
      splitter.begin()
      var done = word.lowerBound
      var place = word.lowerBound
      while place < word.upperBound {
        let end = place + scalarLength(text[place])
        if isMatch(scalar(text, place)) {
          if done < place { splitter.add(done..<place, isMatch: false) }
          splitter.add(place..<end, isMatch: true)
          done = end
        }
        place = end
      }
      if done < word.upperBound { splitter.add(done..<word.upperBound, isMatch: false) }
      splitter.end(word.upperBound)
    }
    ranges = splitter.ranges
  }

  /// Cuts every word at what is looked for, or if `isInverted` at what lies between.
  mutating func split(
    _ behavior: SplitBehavior, at needle: Needle, isInverted: Bool, _ workspace: inout Workspace
  ) throws(TokenizerError) {
    var splitter = WordSplitter(behavior, capacity: max(ranges.count, passage.bytes.count / 6))
    let text = passage.bytes
    for word in ranges where !word.isEmpty {
      splitter.begin()
      var done = word.lowerBound
      try needle.forEachMatch(in: text, word, &workspace) { match in
        if done != match.lowerBound { splitter.add(done..<match.lowerBound, isMatch: isInverted) }
        splitter.add(match, isMatch: !isInverted)
        done = match.upperBound
      }
      if done != word.upperBound { splitter.add(done..<word.upperBound, isMatch: isInverted) }
      splitter.end(word.upperBound)
    }
    ranges = splitter.ranges
  }

  /// Rewrites every word and keeps what stands between them out of the passage.
  mutating func rewrite(_ body: (Range<Int>, [UInt8], inout Passage.Rewriting) -> Void) {
    var rewriting = Passage.Rewriting(passage)
    var changed: [Range<Int>] = []
    changed.reserveCapacity(ranges.count)
    for word in ranges where !word.isEmpty {
      let start = rewriting.bytes.count
      body(word, passage.bytes, &rewriting)
      changed.append(start..<rewriting.bytes.count)
    }
    passage.take(rewriting)
    ranges = changed
  }
}
