import JSON
import Tensors

/// Why a tokenizer cannot be read, or a text cannot go through it, with the place.
public enum TokenizerError: Error, Equatable, Sendable {
  case file(FileError)
  /// A folder without any file that a tokenizer is read from; `found` lists what lies there.
  case noTokenizer(folder: String, found: [String])
  /// A folder with several files of which any could be meant.
  case severalTokenizers(folder: String, found: [String])
  /// A file that does not say how a text is cut into words.
  case needsPattern(file: String)
  /// A file that cannot be understood.
  case content(file: String, TokenizerFault)
  /// The text is not UTF-8 at this byte.
  case invalidText(offset: Int)
  /// A text longer than ranges can say.
  case textTooLong(bytes: Int, limit: Int)
  /// The tokenizer's replacements make too much of a text.
  case textGrows(limit: Int)
  /// A pattern of the tokenizer takes too many steps for a text.
  case patternGaveUp(pattern: String, offset: Int)
  /// The model has neither a piece for a word nor a token for the unknown.
  case noTokenFor(word: String, unknown: String?)
  case unknownID(Int32, size: Int)
}

/// What is wrong in a tokenizer's file.
public enum TokenizerFault: Error, Equatable, Sendable {
  case json(JSONError)
  /// A value at a place, such as `normalizer.pattern`, that is not what is asked for there.
  case value(at: String, expected: String, found: String)
  case missing(String, in: String)
  /// A kind of part that this program does not know.
  case unknownKind(String, at: String, known: [String])
  case pattern(String, at: String, offset: Int, reason: String)
  /// One id for two pieces.
  case repeatedID(Int32, String, String)
  case repeatedPiece(String, Int32, Int32)
  /// An id below 0 or beyond what a token's number can be.
  case idOutOfRange(piece: String, found: String)
  /// A merge (counted from 1) whose parts or whose result are not in the vocabulary.
  case merge(number: Int, left: String, right: String, missing: String)
  /// A merge that is not two pieces.
  case malformedMerge(number: Int, found: String)
  /// A special or unknown token that the vocabulary lacks.
  case notInVocabulary(String, at: String)
  /// A line (counted from 1) of a text file.
  case line(Int, expected: String, found: String)
  /// A binary file that breaks off or contradicts itself.
  case malformed(offset: Int, expected: String)
  case tooLarge(what: String, found: Int, limit: Int)
}

extension TokenizerError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .file(let error): error.description
    case .noTokenizer(let folder, let found):
      "\(folder) holds no tokenizer: tokenizer.json, tokenizer.model, tekken.json or a .tiktoken file is expected"
        + (found.isEmpty ? "; the folder is empty." : "; found \(found.joined(separator: ", ")).")
    case .severalTokenizers(let folder, let found):
      "\(folder) holds several tokenizers, and nothing says which counts: \(found.joined(separator: ", ")); "
        + "give the path of one of them."
    case .needsPattern(let file):
      "\(file) does not say how a text is cut into words, and no other data file does; give the regular "
        + "expression with --pattern (it stands in the model's Python code)."
    case .content(let file, let fault): "\(file): \(fault)"
    case .invalidText(let offset):
      "The text is not UTF-8 at byte \(offset); convert it to UTF-8 first."
    case .textTooLong(let bytes, let limit):
      "The text has \(bytes) bytes, and at most \(limit) are encoded at once; cut it into documents."
    case .textGrows(let limit):
      "The tokenizer's replacements make more than \(limit) bytes of the text; use another tokenizer."
    case .patternGaveUp(let pattern, let offset):
      "The pattern “\(pattern)” takes too many steps on the text from byte \(offset) on; "
        + "it backtracks without end, use another tokenizer."
    case .noTokenFor(let word, let unknown):
      "The vocabulary has no token for “\(word)”"
        + (unknown.map { ", and the unknown token “\($0)” is not in it." }
          ?? ", and the tokenizer names no unknown token.")
    case .unknownID(let id, let size):
      "The id \(id) stands for no token; the vocabulary has \(size) tokens."
    }
  }
}

extension TokenizerFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .json(let error): error.description
    case .value(let place, let expected, let found):
      "“\(place)” must be \(expected), but is \(found)."
    case .missing(let key, let place): "“\(place)” lacks “\(key)”."
    case .unknownKind(let kind, let place, let known):
      "“\(place)” is of the kind “\(kind)”, which is not known; known are \(known.joined(separator: ", "))."
    case .pattern(let pattern, let place, let offset, let reason):
      "the pattern “\(pattern)” at “\(place)” cannot be used: at its byte \(offset), \(reason)."
    case .repeatedID(let id, let first, let second):
      "the id \(id) is given to “\(first)” and to “\(second)”; each piece needs an id of its own."
    case .repeatedPiece(let piece, let first, let second):
      "the piece “\(piece)” has the ids \(first) and \(second); it may have one."
    case .idOutOfRange(let piece, let found):
      "the id of “\(piece)” is \(found); ids are whole numbers from 0 to 2147483646."
    case .merge(let number, let left, let right, let missing):
      "merge \(number), “\(left)” and “\(right)”, needs the piece “\(missing)”, which the vocabulary lacks."
    case .malformedMerge(let number, let found):
      "merge \(number) must be two pieces, but is \(found)."
    case .notInVocabulary(let token, let place):
      "“\(place)” names the token “\(token)”, which the vocabulary lacks."
    case .line(let number, let expected, let found):
      "line \(number) must be \(expected), but is \(found)."
    case .malformed(let offset, let expected):
      "at byte \(offset), \(expected) is expected; the file is damaged, download or copy it again."
    case .tooLarge(let what, let found, let limit):
      "\(what) is \(found), and at most \(limit) is read."
    }
  }
}
