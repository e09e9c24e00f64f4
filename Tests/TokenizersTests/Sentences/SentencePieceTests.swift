import Foundation
import Support
import Testing

@testable import Tokenizers

@Suite struct SentencePieceTests {
  @Test func allKindsOfFilesAreThere() {
    #expect(SentenceCases.all.files.count == 13)
    #expect(SentenceCases.all.texts.count > 20)
  }

  @Test(arguments: SentenceCases.all.files)
  func idsAreTheLibrarys(_ file: SentenceCases.File) throws {
    let tokenizer = try file.tokenizer()
    #expect(tokenizer.vocabularySize == file.size)
    for (text, ids) in zip(SentenceCases.all.texts, file.ids) {
      #expect(try tokenizer.encode(text) == ids, "\(text)")
    }
  }

  @Test(arguments: SentenceCases.all.files.filter { $0.ranges != nil })
  func tokensStandWhereTheLibrarySays(_ file: SentenceCases.File) throws {
    let tokenizer = try file.tokenizer()
    for (index, text) in SentenceCases.all.texts.enumerated() {
      let found = try tokenizer.encoding(text).ranges.flatMap { [$0.lowerBound, $0.upperBound] }
      #expect(found == file.ranges?[index], "\(text)")
    }
  }

  @Test(arguments: SentenceCases.all.files)
  func textsAreTheLibrarys(_ file: SentenceCases.File) throws {
    let tokenizer = try file.tokenizer()
    for row in file.decoded {
      let text = try tokenizer.decode(row.ids)
      #expect(Array(text.utf8) == Array(row.text.utf8), "\(row.ids)")
    }
  }

  @Test(arguments: SentenceCases.all.files)
  func onceMoreGivesTheSame(_ file: SentenceCases.File) throws {
    // What was met before is remembered.
    let tokenizer = try file.tokenizer()
    let text = SentenceCases.all.texts.joined(separator: " ")
    let first = try tokenizer.encode(text)
    #expect(try tokenizer.encode(text) == first)
    #expect(try tokenizer.encoding(text).ids == first)
    #expect(try file.tokenizer().encode(text) == first)
  }

  @Test func anUnknownIDIsRefused() throws {
    let tokenizer = try SentenceCases.file("bpe.model").tokenizer()
    let size = tokenizer.vocabularySize
    #expect(throws: TokenizerError.unknownID(Int32(size), size: size)) {
      try tokenizer.decode([3, Int32(size)])
    }
    #expect(throws: TokenizerError.unknownID(-1, size: size)) { try tokenizer.decode([-1]) }
  }

  @Test func theFilesOwnNamesMakeItsSpecialTokens() throws {
    let special = try SentenceCases.file("bpe_symbols.model").tokenizer().special
    #expect(special.bos == SpecialTokens.Token(text: "<s>", id: 1))
    #expect(special.eos == SpecialTokens.Token(text: "</s>", id: 2))
    #expect(special.pad == SpecialTokens.Token(text: "<pad>", id: 3))
    #expect(special.unk == SpecialTokens.Token(text: "<unk>", id: 0))
    let bare = try SentenceCases.file("bpe_bytes.model").tokenizer().special
    #expect(bare.pad == nil && bare.unk == nil)
  }

  @Test func aLongTextWithoutSpacesTakesTheSamePiecesAsItsWords() throws {
    // A word of more characters than are looked through one by one goes another way.
    let tokenizer = try SentenceCases.file("bpe.model").tokenizer()
    let long = try tokenizer.encode(String(repeating: "the", count: 4000))
    let tail = try tokenizer.encode(String(repeating: "the", count: 5))
    #expect(Array(long.suffix(2)) == Array(tail.suffix(2)))
    #expect(try tokenizer.decode(long) == String(repeating: "the", count: 4000))
  }

  // MARK: Bad files

  private var unknown: [UInt8] { piece("<unk>", 0, .unknown) }
  private var bpe: [UInt8] { field(2, field(3, 2)) }

  @Test func duplicatePiecesAreRefused() {
    let twice = unknown + piece("a") + piece("a")
    #expect(fault(twice) == .repeatedPiece("a", 1, 2))
    #expect(fault(twice + bpe) == .repeatedPiece("a", 1, 2))
    // Names of control pieces are a table of their own, but for byte-pair encoding.
    let apart = unknown + piece("a") + piece("a", 0, .control)
    #expect(fault(apart) == nil)
    #expect(fault(apart + bpe) == .repeatedPiece("a", 1, 2))
  }

  @Test func anUnknownPieceMustBeThereOnce() {
    #expect(fault(piece("a")) == .missing("a piece of the type UNKNOWN", in: "pieces"))
    let second = fault(unknown + piece("a") + piece("b", 0, .unknown))
    guard case .malformed(_, let expected) = second else {
      Issue.record("\(String(describing: second))")
      return
    }
    #expect(expected.contains("one piece of the type UNKNOWN"))
  }

  @Test func piecesOfBytesMustBeWhole() {
    let fallback = field(2, field(3, 2) + field(35, 1))
    #expect(
      fault(unknown + piece("<0x00>", 0, .byte) + fallback)
        == .missing("<0x01>", in: "pieces of bytes"))
    guard case .malformed = fault(unknown + piece("<0x00>", 0, .byte)),
      case .malformed = fault(unknown + piece("<0xzz>", 0, .byte) + fallback)
    else {
      Issue.record("pieces of bytes that mean nothing are taken")
      return
    }
  }

  @Test(arguments: [
    ("", "with pieces"), ("\u{0A}\u{7F}", "the bytes that are left"), ("\u{08}", "ten bytes"),
    ("\u{0F}", "wire type 7"), ("\u{0B}", "end of the group"),
    ("\u{05}\u{01}\u{01}", "number of a protobuf field"),
    ("\u{0D}\u{01}", "4 bytes"),
  ])
  func brokenMessagesSayWhere(_ text: String, _ word: String) throws {
    let found = try #require(fault(Array(text.utf8)))
    #expect(found.description.contains(word), "\(found)")
  }

  @Test func groupsAreSteppedOverToALimit() {
    let start = varint(9 << 3 | 3)
    let end = varint(9 << 3 | 4)
    #expect(fault(start + field(3, 7) + end + unknown + piece("a")) == nil)
    let deep = (0..<100).flatMap { _ in start } + (0..<100).flatMap { _ in end }
    #expect(fault(deep + unknown + piece("a")) != nil)
  }

  @Test func emptyLongAndEndlessPiecesAreRefused() {
    #expect(fault(unknown + piece("")) != nil)
    #expect(fault(unknown + piece(String(repeating: "a", count: 7999))) == nil)
    #expect(fault(unknown + piece(String(repeating: "a", count: 8000))) != nil)
    #expect(fault(unknown + piece("a\0b")) != nil)
    #expect(fault(unknown + piece("a", .nan)) != nil)
    // Byte-pair encoding only puts scores in order.
    #expect(fault(unknown + piece("a", .infinity) + bpe) == nil)
  }

  @Test func characterMapsThatLeadOutsideAreRefused() throws {
    func map(_ blob: [UInt8]) -> TokenizerFault? {
      fault(unknown + piece("a") + field(3, field(2, blob)))
    }
    #expect(map([1, 2, 3]) != nil)
    #expect(map([0, 4, 0, 0] + [UInt8](repeating: 0, count: 100)) != nil)
    #expect(map([8, 0, 0, 0] + [UInt8](repeating: 0, count: 100)) != nil)
    // A root without children, and one whose children are beyond the end.
    let zeros = [UInt8](repeating: 0, count: 1024)
    #expect(map([0, 4, 0, 0] + zeros + [0]) != nil)
    var far = zeros
    far[2] = 0xFF
    #expect(map([0, 4, 0, 0] + far + [0]) != nil)
    // Strings that do not end.
    let file = try SentencePieceFile(SentenceCases.file("unigram_mapped.model").bytes())
    let blob = Array(file.bytes[file.rules.characterMap])
    #expect(map(blob) == nil)
    #expect(map(blob + [65]) != nil)
    #expect(map(blob + [UInt8](repeating: 65, count: 5000) + [0]) != nil)
  }

  // MARK: Mutations

  @Test(arguments: SentenceCases.all.files)
  func mutatedFilesAreReadOrRefused(_ file: SentenceCases.File) throws {
    let original = try file.bytes()
    var source = Mutation(seed: 11)
    var refused = 0
    for _ in 0..<120 {
      let bytes = source.mutate(original)
      do throws(TokenizerError) {
        let opening = try TokenizerOpening(bytes, file.file, file.pattern, .empty)
        let tokenizer = Tokenizer(opening.pipeline)
        let ids = try tokenizer.encode("the lazy  dog\u{3000}½<sep> zzz\n日本")
        _ = try tokenizer.decode(ids)
        _ = try tokenizer.encoding("abab<ctl>\0")
      } catch {
        refused += 1
        #expect(!error.description.isEmpty)
      }
    }
    #expect(refused > 0)
  }
}

/// Changes bytes at random: some are replaced, removed, doubled, swapped with others.
struct Mutation {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  private mutating func next(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(max(1, bound)))
  }

  mutating func mutate(_ original: [UInt8]) -> [UInt8] {
    var bytes = original
    for _ in 0...next(4) {
      let place = next(bytes.count)
      guard place < bytes.count else { return bytes }
      switch next(6) {
      case 0: bytes[place] = UInt8(next(256))
      case 1: bytes[place] ^= 1 << UInt8(next(8))
      case 2: bytes.removeSubrange(place..<min(bytes.count, place + 1 + next(8)))
      case 3:
        let end = min(bytes.count, place + 1 + next(40))
        bytes.insert(contentsOf: bytes[place..<end], at: next(bytes.count))
      case 4: bytes.removeSubrange((bytes.count - next(bytes.count))...)
      default: bytes[place] = [0, 0xFF, 0x7F, 0x80][next(4)]
      }
    }
    return bytes
  }
}
