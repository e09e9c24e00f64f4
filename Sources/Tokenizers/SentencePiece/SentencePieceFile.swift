/// What a sentencepiece `.model` file says: its pieces and what is done to texts.
///
/// The file is one protobuf message, `ModelProto`. A value of another wire type than the field's is stepped
/// over, an enumeration's unknown value counts as the default, of a repeated field the last one counts, and
/// messages given twice are joined, as protobuf asks for.
///
/// Source: sentencepiece_model.proto of sentencepiece 0.2.3.
struct SentencePieceFile: Sendable {
  struct Piece: Sendable {
    /// Where its bytes lie in the file.
    var range: Range<Int>
    var score: Float = 0
    var kind = Kind.normal
    /// Where the file tells of it.
    var offset: Int
  }

  enum Kind: Int32, Sendable {
    case normal = 1
    case unknown, control, userDefined, unused, byte

    /// Whether a text's own characters may become the piece.
    var isOrdinary: Bool { self == .normal || self == .userDefined || self == .unused }
  }

  enum ModelKind: Int32, Sendable {
    case unigram = 1
    case bpe, word, char
  }

  /// How a text is rewritten before it is cut.
  struct Rules: Sendable {
    /// A precompiled character map; empty for none.
    var characterMap: Range<Int> = 0..<0
    var addsDummyPrefix = true
    var removesExtraWhitespace = true
    var escapesWhitespace = true
  }

  private(set) var bytes: [UInt8]
  var pieces: [Piece] = []
  var kind = ModelKind.unigram
  var putsWhitespaceBehind = false
  var hasByteFallback = false
  /// What an unknown piece is decoded to.
  var unknownSurface = Array(" \u{2047} ".utf8)
  var unknownPiece = Array("<unk>".utf8)
  var beginPiece = Array("<s>".utf8)
  var endPiece = Array("</s>".utf8)
  var padPiece = Array("<pad>".utf8)
  var rules = Rules()
  /// How a decoded text is rewritten.
  var denormalizer: Rules?

  init(_ bytes: [UInt8]) throws(TokenizerFault) {
    self.bytes = bytes
    var reader = ProtobufReader(bytes)
    while let field = try reader.next() {
      guard let range = field.value.range else { continue }
      switch field.number {
      case 1: pieces.append(try Self.piece(bytes, range, field.offset))
      case 2: try readTraining(range)
      case 3: try Self.read(&rules, bytes, range)
      case 5:
        var found = denormalizer ?? Rules()
        try Self.read(&found, bytes, range)
        denormalizer = found
      default: break
      }
    }
    guard hasByteFallback else { return }
    // Some converters wrote a NUL beside the piece of its byte; the library takes it for unused.
    for index in pieces.indices where isNull(pieces[index]) { pieces[index].kind = .unused }
  }

  /// Whether a piece is the one byte 0.
  func isNull(_ piece: Piece) -> Bool {
    piece.range.count == 1 && bytes[piece.range.lowerBound] == 0
  }

  /// The bytes of a piece.
  func text(_ piece: Piece) -> ArraySlice<UInt8> { bytes[piece.range] }

  private static func piece(
    _ bytes: [UInt8], _ range: Range<Int>, _ offset: Int
  ) throws(TokenizerFault) -> Piece {
    var result = Piece(range: range.lowerBound..<range.lowerBound, offset: offset)
    var reader = ProtobufReader(bytes, range)
    while let field = try reader.next() {
      switch field.number {
      case 1: result.range = field.value.range ?? result.range
      case 2: result.score = field.value.float ?? result.score
      case 3: result.kind = field.value.int32.flatMap(Kind.init) ?? result.kind
      default: break
      }
    }
    return result
  }

  private mutating func readTraining(_ range: Range<Int>) throws(TokenizerFault) {
    var reader = ProtobufReader(bytes, range)
    while let field = try reader.next() {
      let value = field.value
      switch field.number {
      case 3: kind = value.int32.flatMap(ModelKind.init) ?? kind
      case 24: putsWhitespaceBehind = value.bool ?? putsWhitespaceBehind
      case 35: hasByteFallback = value.bool ?? hasByteFallback
      case 44: unknownSurface = text(value) ?? unknownSurface
      // An empty name stands for the usual one.
      case 45: unknownPiece = name(value, "<unk>") ?? unknownPiece
      case 46: beginPiece = name(value, "<s>") ?? beginPiece
      case 47: endPiece = name(value, "</s>") ?? endPiece
      case 48: padPiece = name(value, "<pad>") ?? padPiece
      default: break
      }
    }
  }

  private func text(_ value: ProtobufReader.Value) -> [UInt8]? {
    value.range.map { Array(bytes[$0]) }
  }

  private func name(_ value: ProtobufReader.Value, _ usual: String) -> [UInt8]? {
    text(value).map { $0.isEmpty ? Array(usual.utf8) : $0 }
  }

  private static func read(
    _ rules: inout Rules, _ bytes: [UInt8], _ range: Range<Int>
  ) throws(TokenizerFault) {
    var reader = ProtobufReader(bytes, range)
    while let field = try reader.next() {
      let value = field.value
      switch field.number {
      case 2: rules.characterMap = value.range ?? rules.characterMap
      case 3: rules.addsDummyPrefix = value.bool ?? rules.addsDummyPrefix
      case 4: rules.removesExtraWhitespace = value.bool ?? rules.removesExtraWhitespace
      case 5: rules.escapesWhitespace = value.bool ?? rules.escapesWhitespace
      default: break
      }
    }
  }
}
