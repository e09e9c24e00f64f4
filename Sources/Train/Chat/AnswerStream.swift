import Tokenizers

/// The text of a model's tokens as it becomes sure: whole characters, up to a text that ends the answer.
struct AnswerStream {
  private var stream: TextStream
  /// Tokens that open and close reasoning but are special, so that decoding leaves them out.
  private let marks: [Int32: String]
  private var held: HeldText
  /// All text so far.
  private(set) var text = ""

  /// - Parameters:
  ///   - ids: the tokens before, which are not shown.
  ///   - stops: texts that end an answer and are no part of it.
  init(_ tokenizer: Tokenizer, behind ids: [Int32], stops: [String] = []) {
    stream = TextStream(tokenizer, behind: ids)
    held = HeldText(stops)
    var marks: [Int32: String] = [:]
    for mark in [Reasoning.open, Reasoning.close] {
      guard let id = tokenizer.id(of: mark) else { continue }
      let plain = try? tokenizer.decode([id], skipsSpecialTokens: true)
      if plain?.isEmpty ?? true { marks[id] = mark }
    }
    self.marks = marks
  }

  /// Whether one of the texts has come that end an answer.
  var isEnded: Bool { held.isEnded }

  /// Takes a token, and gives the text that is sure with it.
  mutating func append(_ token: Int32) throws -> String {
    take(held.append(try stream.append(token) + (marks[token] ?? "")))
  }

  /// The text that was held back.
  mutating func finish() throws -> String {
    let rest = held.append(try stream.finish())
    return take(rest + held.finish())
  }

  private mutating func take(_ new: String) -> String {
    text += new
    return new
  }
}

/// Holds text back that may be the beginning of one of several texts.
struct HeldText {
  private let stops: [[UInt8]]
  private var held: [UInt8] = []
  /// Whether one of the texts was found; nothing comes out behind it.
  private(set) var isEnded = false

  /// - Parameter stops: texts that are not empty.
  init(_ stops: [String]) { self.stops = stops.map { Array($0.utf8) }.filter { !$0.isEmpty } }

  /// Takes text, and gives what is surely before any of the texts.
  mutating func append(_ new: String) -> String {
    guard !isEnded else { return "" }
    guard !stops.isEmpty else { return new }
    held += Array(new.utf8)
    if let place = held.indices.first(where: { place in
      stops.contains { held[place...].starts(with: $0) }
    }) {
      isEnded = true
      defer { held = [] }
      return String(decoding: held[..<place], as: UTF8.self)
    }
    let kept = held.indices.first { place in stops.contains { $0.starts(with: held[place...]) } }
    let sure = held[..<(kept ?? held.endIndex)]
    defer { held.removeFirst(sure.count) }
    return String(decoding: sure, as: UTF8.self)
  }

  /// What is still held back, when nothing more comes.
  mutating func finish() -> String {
    defer { held = [] }
    return String(decoding: held, as: UTF8.self)
  }
}

/// Tells a model's reasoning from what it says, where it stands between marks.
struct Reasoning: Equatable {
  static let open = "<think>"
  static let close = "</think>"

  struct Piece: Equatable {
    var text: String
    var isReasoning: Bool
  }

  private var isInside: Bool
  /// Text that may be the beginning of a mark.
  private var rest = ""

  /// - Parameter prompt: the text before, which may end within reasoning.
  init(behind prompt: String = "") {
    let scalars = prompt.unicodeScalars
    let last = scalars.lastIndex { !$0.properties.isWhitespace }
    isInside = last.map { String(scalars[...$0]).hasSuffix(Self.open) } ?? false
  }

  /// Takes text, and gives it in pieces, the marks with the reasoning.
  mutating func append(_ new: String) -> [Piece] {
    rest += new
    var pieces: [Piece] = []
    while true {
      let mark = isInside ? Self.close : Self.open
      let bytes = Array(rest.utf8)
      guard let place = bytes.indices.first(where: { bytes[$0...].starts(with: mark.utf8) }) else {
        break
      }
      let end = place + mark.utf8.count
      if isInside {
        pieces.append(piece(bytes[..<end]))
      } else {
        pieces.append(piece(bytes[..<place]))
        isInside = true
        pieces.append(piece(bytes[place..<end]))
      }
      isInside = mark == Self.open
      rest = String(decoding: bytes[end...], as: UTF8.self)
    }
    let bytes = Array(rest.utf8)
    let mark = isInside ? Self.close : Self.open
    let kept = bytes.indices.first { mark.utf8.starts(with: bytes[$0...]) } ?? bytes.endIndex
    pieces.append(piece(bytes[..<kept]))
    rest = String(decoding: bytes[kept...], as: UTF8.self)
    return pieces.filter { !$0.text.isEmpty }
  }

  mutating func finish() -> [Piece] {
    defer { rest = "" }
    return rest.isEmpty ? [] : [Piece(text: rest, isReasoning: isInside)]
  }

  private func piece(_ bytes: ArraySlice<UInt8>) -> Piece {
    Piece(text: String(decoding: bytes, as: UTF8.self), isReasoning: isInside)
  }
}
