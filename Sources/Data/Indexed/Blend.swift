import JSON
import Tensors

/// Data sets to be mixed, and how much of each; without weights, each as much as it has.
public struct Blend: Sendable, Equatable {
  public var prefixes: [String]
  public var weights: [Double]?

  public init(prefixes: [String], weights: [Double]? = nil) {
    self.prefixes = prefixes
    self.weights = weights
  }

  /// Reads a list as Megatron does: prefixes alone, or weights and prefixes by turns.
  ///
  /// - Throws: `IndexedError.malformedBlend` for a list that mixes the two.
  public init(_ words: [String]) throws(IndexedError) {
    guard !words.isEmpty else { throw .malformedBlend(words, problem: "is empty") }
    prefixes = words.map(Self.trimmed)
    weights = nil
    guard words.count % 2 == 0 else { return }
    let found = stride(from: 0, to: words.count, by: 2).map { Self.number(words[$0]) }
    let numbers = found.compactMap { $0 }
    guard !numbers.isEmpty else { return }
    guard numbers.count == found.count else {
      throw .malformedBlend(
        words, problem: "has weights for some of its data sets and not for others")
    }
    guard numbers.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw .malformedBlend(words, problem: "has a weight that is not above zero")
    }
    prefixes = stride(from: 1, to: words.count, by: 2).map { Self.trimmed(words[$0]) }
    weights = numbers
  }

  private static func trimmed(_ word: String) -> String {
    let isSpace: (Character) -> Bool = { $0.isWhitespace }
    return String(word.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
  }

  /// A number as Python's `float` reads it.
  private static func number(_ word: String) -> Double? {
    let text = trimmed(word).lowercased()
    guard !text.contains("x"), !text.contains("p") else { return nil }
    let words = text.split(separator: "_", omittingEmptySubsequences: false)
    let isGrouped = words.count > 1
    let isDigit: (Character?) -> Bool = { $0.map { ("0"..."9").contains($0) } ?? false }
    if isGrouped {
      // An underscore stands between two digits.
      for (left, right) in zip(words, words.dropFirst())
      where !isDigit(left.last) || !isDigit(right.first) { return nil }
    }
    if ["inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"].contains(text) {
      return .infinity
    }
    return Double(words.joined())
  }

  /// The list in a file, as `--data-args-path` names one: words with space between them.
  public static func arguments(file path: String) throws(IndexedError) -> Blend {
    try Blend(words(in: try text(path)))
  }

  /// The blends of the splits in a JSON file, as `--per-split-data-args-path` names one: `train`,
  /// `valid` and `test`, each a list of words or one text, or `null`.
  public static func perSplit(file path: String) throws(IndexedError) -> [Blend?] {
    func malformed(_ problem: String) -> IndexedError {
      .malformedArguments(file: path, problem: problem)
    }
    let bytes = try text(path)
    let root: JSON
    do throws(JSONError) { root = try JSON(parsing: bytes) } catch { throw malformed("\(error)") }
    guard let object = root.object else {
      throw malformed("an object with train, valid and test was expected")
    }
    var blends: [Blend?] = []
    for split in Split.allCases {
      switch object[split.name] {
      case .string(let text)?: blends.append(try Blend(words(in: Array(text.utf8))))
      case .array(let items)?:
        let words = items.compactMap { item in
          item.string ?? item.double.map { _ in item.serialized() }
        }
        guard words.count == items.count else {
          throw malformed("\(split.name) should be a list of weights and prefixes")
        }
        blends.append(words.isEmpty ? nil : try Blend(words))
      case .null?: blends.append(nil)
      case nil: throw malformed("\(split.name) is missing; give null for a split without data")
      default:
        throw malformed("\(split.name) should be a list of weights and prefixes, or one text")
      }
    }
    return blends
  }

  private static func text(_ path: String) throws(IndexedError) -> [UInt8] {
    try IndexedError.files { () throws(FileError) in try InputFile(path).readAll() }
  }

  private static func words(in bytes: [UInt8]) -> [String] {
    bytes.split { [0x20, 0x09, 0x0A, 0x0B, 0x0C, 0x0D].contains($0) }
      .map { String(decoding: $0, as: UTF8.self) }
  }
}
