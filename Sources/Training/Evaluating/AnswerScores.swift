import Jinja

/// SQuAD's marks of answers: whether they are right word for word, and how many words they share.
///
/// Source: the official evaluate-v1.1.py. Both are the best over all answers that count as right. A question
/// that has none (SQuAD 2.0) is answered rightly by saying nothing, as evaluate-v2.0.py has it.
public struct AnswerScores: Equatable, Sendable {
  public private(set) var count = 0
  private var exact = 0
  private var shares = 0.0

  public init() {}

  /// One answer's marks.
  public struct Mark: Equatable, Sendable {
    public var isExact: Bool
    /// The harmonic mean of precision and recall of words, 0...1.
    public var f1: Double
  }

  /// The share of exact answers, in percent.
  public var exactMatch: Double { count == 0 ? 0 : 100 * Double(exact) / Double(count) }
  /// The mean F1, in percent.
  public var f1: Double { count == 0 ? 0 : 100 * shares / Double(count) }

  @discardableResult
  public mutating func add(_ prediction: String, answers: [String]) -> Mark {
    let mark = Self.mark(prediction, answers: answers)
    count += 1
    exact += mark.isExact ? 1 : 0
    shares += mark.f1
    return mark
  }

  /// The marks of an answer, the best over those that count as right.
  public static func mark(_ prediction: String, answers: [String]) -> Mark {
    let said = words(prediction)
    guard !answers.isEmpty else { return Mark(isExact: said.isEmpty, f1: said.isEmpty ? 1 : 0) }
    var best = Mark(isExact: false, f1: 0)
    for answer in answers {
      let right = words(answer)
      if said == right { best.isExact = true }
      best.f1 = max(best.f1, share(said, right))
    }
    return best
  }

  private static func share(_ said: [Word], _ right: [Word]) -> Double {
    var left: [Word: Int] = [:]
    for word in right { left[word, default: 0] += 1 }
    var same = 0
    for word in said {
      guard let count = left[word], count > 0 else { continue }
      left[word] = count - 1
      same += 1
    }
    guard same > 0 else { return 0 }
    let (precision, recall) = (
      Double(same) / Double(said.count), Double(same) / Double(right.count)
    )
    return 2 * precision * recall / (precision + recall)
  }

  /// A word's UTF-8: Swift's strings are equal where Python's are not, as é in one piece and in two.
  typealias Word = [UInt8]

  /// The words of a text, as `normalize_answer` leaves them: lower case, no ASCII punctuation, no articles.
  static func words(_ text: String) -> [Word] {
    let plain = PythonText.lowercased(text).unicodeScalars.filter { !isPunctuation($0) }
    var words: [Word] = []
    var word: Word = []
    func end() {
      if !word.isEmpty { words.append(word) }
      word = []
    }
    var rest = Array(plain)[...]
    while let scalar = rest.first {
      if PythonText.isSpace(scalar) {
        end()
        rest = rest.dropFirst()
        continue
      }
      let isWord = PythonText.isWord(scalar)
      let run = rest.prefix { PythonText.isWord($0) == isWord && !PythonText.isSpace($0) }
      rest = rest[run.endIndex...]
      let bytes = run.flatMap { Array(String($0).utf8) }
      // An article is taken out wherever its letters stand alone, and leaves a space.
      if articles.contains(bytes) { end() } else { word += bytes }
    }
    end()
    return words
  }

  private static let articles: Set<Word> = [Array("a".utf8), Array("an".utf8), Array("the".utf8)]

  /// Python's `string.punctuation`.
  private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: true
    default: false
    }
  }
}
