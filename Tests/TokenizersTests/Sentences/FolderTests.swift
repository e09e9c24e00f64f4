import Foundation
import Support
import Testing

@testable import Tokenizers

/// Folders that models ship, made of our own small files.
@Suite struct FolderTests {
  /// Calls `body` with a folder that holds copies of small files and texts.
  @discardableResult
  private func withFolder<Result>(
    _ files: [String: String] = [:], copies: [String: String] = [:], _ body: (URL) throws -> Result
  ) throws -> Result {
    try Support.withTemporaryFolder { folder in
      for (name, source) in copies {
        try FileManager.default.copyItem(
          at: SentenceCases.folder.appending(path: source), to: folder.appending(path: name))
      }
      for (name, text) in files {
        let url = folder.appending(path: name)
        try FileManager.default.createDirectory(
          at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
      }
      return try body(folder)
    }
  }

  private func tokenizer(
    _ files: [String: String] = [:], copies: [String: String] = ["tokenizer.model": "bpe.model"],
    pattern: String? = nil
  ) throws -> Tokenizer {
    try withFolder(files, copies: copies) { try Tokenizer(path: $0.path, pattern: pattern) }
  }

  @Test func withoutMoreItIsTheFileAlone() throws {
    let file = try SentenceCases.file("bpe.model")
    let tokenizer = try tokenizer()
    for (text, ids) in zip(SentenceCases.all.texts, file.ids) {
      #expect(try tokenizer.encode(text, addsSpecialTokens: true) == ids)
    }
  }

  @Test func theConfigurationPutsTokensAroundATextAndFindsThemInIt() throws {
    let plain = try tokenizer().encode("hello")
    let both = try tokenizer([
      "tokenizer_config.json": """
      {"add_bos_token": true, "add_eos_token": true, "bos_token": "<s>",
       "eos_token": {"__type": "AddedToken", "content": "</s>", "lstrip": false}, "pad_token": null}
      """
    ])
    #expect(try both.encode("hello") == plain)
    #expect(try both.encode("hello", addsSpecialTokens: true) == [1] + plain + [2])
    #expect(try both.encode("hello</s>") == plain + [2])
    let encoding = try both.encoding("hello", addsSpecialTokens: true)
    #expect(encoding.ranges.first == 0..<0)
    #expect(encoding.ranges.last == 5..<5)
    #expect(both.special.bos == SpecialTokens.Token(text: "<s>", id: 1))
  }

  @Test func addedTokensKeepTheirIDsAndFlags() throws {
    let size = try tokenizer().vocabularySize
    let added = try tokenizer([
      "tokenizer_config.json": """
      {"added_tokens_decoder": {"\(size + 2)": {"content": "<|im|>", "special": true, "rstrip": true}},
       "extra_special_tokens": ["<|im|>", "<more>"], "video_token": "<|im|>"}
      """
    ])
    let id = Int32(size + 2)
    let hello = try added.encode("hello")
    #expect(try added.encode("hello<|im|>  ") == hello + [id])
    // A special token that nothing gives an id follows all others.
    #expect(try added.encode("<more>") == [id + 1])
    #expect(try added.decode(hello + [id]) == "hello<|im|>")
    #expect(try added.decode(hello + [id], skipsSpecialTokens: true) == "hello")
    #expect(
      added.special.others.map(\.name).sorted() == [
        "extra_special_tokens", "extra_special_tokens", "video_token",
      ])
    #expect(added.vocabularySize == size + 4)
  }

  @Test func olderFilesCountWhereTheNewerSaysNothing() throws {
    let size = try tokenizer().vocabularySize
    let files = [
      "special_tokens_map.json":
        #"{"bos_token": {"content": "<s>"}, "additional_special_tokens": ["<a>"]}"#,
      "added_tokens.json": "{\"<a>\": \(size), \"<b>\": \(size + 1)}",
    ]
    let old = try tokenizer(files)
    #expect(try old.encode("<a><b>") == [Int32(size), Int32(size) + 1])
    #expect(try old.decode([Int32(size), Int32(size) + 1], skipsSpecialTokens: true) == "<b>")
    let new = try tokenizer(
      files.merging(["tokenizer_config.json": #"{"added_tokens_decoder": {}}"#]) { $1 })
    #expect(try new.encode("<a>").count > 1)
  }

  @Test func aSpaceIsPutBeforeTheFirstStretchAloneUnlessTheModelIsOld() throws {
    let configuration = #""bos_token": "<s>", "eos_token": "</s>""#
    let new = try tokenizer(["tokenizer_config.json": "{\(configuration)}"])
    let old = try tokenizer(["tokenizer_config.json": "{\(configuration), \"legacy\": true}"])
    let hello = try tokenizer().encode("hello")
    #expect(try old.encode("<s>hello") == [1] + hello)
    #expect(try new.encode("<s>hello") != [1] + hello)
    #expect(try new.encode("hello<s>") == hello + [1])
  }

  @Test func templatesComeFromFilesFirst() throws {
    let config = ["tokenizer_config.json": #"{"chat_template": "from the configuration"}"#]
    #expect(try tokenizer(config).templates.map(\.text) == ["from the configuration"])
    let list = [
      "tokenizer_config.json":
        #"{"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}"#
    ]
    #expect(try tokenizer(list).templates.map(\.name) == ["default", "tool_use"])
    let files = config.merging([
      "chat_template.jinja": "a file", "additional_chat_templates/rag.jinja": "another",
    ]) { $1 }
    let found = try tokenizer(files).templates
    #expect(found.map(\.name) == ["default", "rag"])
    #expect(found.map(\.text) == ["a file", "another"])
    #expect(
      try tokenizer(["chat_template.json": #"{"chat_template": "processor's"}"#]).templates.map(
        \.text)
        == ["processor's"])
  }

  @Test func theContentSaysWhatAFileIs() throws {
    let file = try SentenceCases.file("ranks.tiktoken")
    let text = "hello world"
    let index = try #require(SentenceCases.all.texts.firstIndex(of: text))
    let ranks = try tokenizer(copies: ["tokenizer.model": file.file], pattern: file.pattern)
    #expect(try ranks.encode(text) == file.ids[index])
    let tekken = try SentenceCases.file("tekken.json")
    let renamed = try tokenizer(copies: ["tokenizer.model": tekken.file])
    #expect(try renamed.encode(text) == tekken.ids[index])
    // Beside a configuration, its special tokens are found in texts.
    let found = try tokenizer(["tokenizer_config.json": "{}"], copies: ["tekken.json": tekken.file])
    #expect(try found.encode("[INST]") == [3])
  }

  @Test func tokenizerModelComesBeforeOtherFilesAndTwoOthersAreTooMany() throws {
    let first = try tokenizer(copies: [
      "tokenizer.model": "bpe.model", "tekken.json": "tekken.json",
    ])
    #expect(first.vocabularySize == SentenceCases.all.files.first { $0.file == "bpe.model" }?.size)
    let one = try tokenizer(copies: ["spiece.model": "unigram.model"])
    #expect(
      try one.encode("hello") == SentenceCases.file("unigram.model").tokenizer().encode("hello"))
    try withFolder(copies: ["a.model": "bpe.model", "b.model": "word.model"]) { folder in
      #expect(
        throws: TokenizerError.severalTokenizers(
          folder: folder.path, found: ["a.model", "b.model"])
      ) { try Tokenizer(path: folder.path) }
    }
    try withFolder(["tokenization_own.py": "print(1)"]) { folder in
      #expect(
        throws: TokenizerError.noTokenizer(folder: folder.path, found: ["tokenization_own.py"])
      ) { try Tokenizer(path: folder.path) }
    }
  }

  @Test func looseVocabulariesOfBytesNeedAPattern() throws {
    // The bytes' characters, then “he” made of two of them.
    var pieces = ByteAlphabet.utf8.map { String(decoding: $0, as: UTF8.self) }
    pieces.append("he")
    let object = Dictionary(uniqueKeysWithValues: pieces.enumerated().map { ($1, $0) })
    let json = String(
      decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
    let files = ["vocab.json": json, "merges.txt": "#version: 0.2\nh e\n"]
    try withFolder(files) { folder in
      #expect(throws: TokenizerError.needsPattern(file: folder.path + "/vocab.json")) {
        try Tokenizer(path: folder.path)
      }
    }
    let found = try tokenizer(files, copies: [:], pattern: #"\s+|\S+"#)
    #expect(try found.encode("he h") == [256, Int32(UInt8(ascii: " ")), Int32(UInt8(ascii: "h"))])
    #expect(try found.decode([256, Int32(UInt8(ascii: "h"))]) == "heh")
  }

  @Test func aListOfWordsIsWordPieces() throws {
    let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "he", "##llo", "wor", "##ld", "Big"]
    let files = ["vocab.txt": words.joined(separator: "\n") + "\n"]
    let lower = try tokenizer(files, copies: [:])
    #expect(try lower.encode("HELLO world zz", addsSpecialTokens: true) == [2, 4, 5, 6, 7, 1, 3])
    let cased = try tokenizer(
      files.merging(["tokenizer_config.json": #"{"do_lower_case": false}"#]) { $1 }, copies: [:])
    #expect(try cased.encode("Big") == [8])
  }

  @Test(arguments: [
    ("tokenizer_config.json", "[1]", "an object"),
    ("tokenizer_config.json", #"{"add_bos_token": "yes"}"#, "add_bos_token"),
    ("tokenizer_config.json", #"{"added_tokens_decoder": {"-1": {"content": "x"}}}"#, "-1"),
    ("tokenizer_config.json", #"{"added_tokens_decoder": {"7": {"special": true}}}"#, "content"),
    ("tokenizer_config.json", #"{"added_tokens_decoder": {"7": "x"}}"#, "added_tokens_decoder.7"),
    ("tokenizer_config.json", #"{"chat_template": 3}"#, "chat_template"),
    ("tokenizer_config.json", #"{"chat_template": [{"name": "x"}]}"#, "chat_template[0]"),
    (
      "tokenizer_config.json", #"{"additional_special_tokens": [3]}"#,
      "additional_special_tokens[0]"
    ),
    ("tokenizer_config.json", "{", "cut short"),
    ("added_tokens.json", #"{"<a>": "x"}"#, "<a>"),
  ])
  func wrongValuesAreToldWithTheirFileAndPlace(
    _ name: String, _ text: String, _ word: String
  ) throws {
    let error = #expect(throws: TokenizerError.self) { try tokenizer([name: text]) }
    let sentence = error?.description ?? ""
    #expect(sentence.contains(name) && sentence.contains(word), "\(sentence)")
  }

  // MARK: Streams

  @Test(arguments: [
    "bpe_bytes.model", "unigram.model", "ranks.tiktoken", "tekken.json", "char.model",
  ])
  func aStreamGivesTheWholeTextAndNeverHalfACharacter(_ name: String) throws {
    let tokenizer = try SentenceCases.file(name).tokenizer()
    for text in ["hello world 日本語 👩‍👩‍👧 end", "日", "  the  dog ", "naïve😀😀"] {
      let prompt = try tokenizer.encode("the lazy dog")
      let ids = try tokenizer.encode(text)
      var stream = TextStream(tokenizer, behind: prompt)
      var parts: [String] = []
      for id in ids {
        let part = try stream.append(id)
        #expect(part.unicodeScalars.last != "\u{FFFD}")
        parts.append(part)
      }
      parts.append(try stream.finish())
      // What is unknown is special, and special tokens are left out.
      let before = try tokenizer.decode(prompt, skipsSpecialTokens: true)
      let whole = try tokenizer.decode(prompt + ids, skipsSpecialTokens: true)
      #expect(Array((before + parts.joined()).utf8) == Array(whole.utf8), "\(parts)")
      #expect(parts.dropLast().contains { !$0.isEmpty } || ids.count < 4)
    }
  }

  @Test func anUnfinishedCharacterComesAtTheEnd() throws {
    let tokenizer = try SentenceCases.file("ranks.tiktoken").tokenizer()
    let ids = try tokenizer.encode("😀")
    var stream = TextStream(tokenizer, behind: [])
    for id in ids.dropLast() { #expect(try stream.append(id).isEmpty) }
    #expect(try stream.finish() == "\u{FFFD}")
    #expect(try stream.append(100_000).isEmpty)
  }
}
