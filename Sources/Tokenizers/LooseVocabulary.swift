import JSON
import Tensors

/// Vocabularies that lie in files of their own, without a tokenizer.json; written as one.
enum LooseVocabulary {
  /// vocab.json and merges.txt, of bytes, as GPT-2 has them.
  ///
  /// - Parameter pattern: how texts are cut; these files do not say it.
  static func merges(_ folder: String, pattern: String?) throws(TokenizerError) -> [UInt8] {
    let vocabulary = try bytes(folder + "/vocab.json")
    guard let pattern else { throw .needsPattern(file: folder + "/vocab.json") }
    let lines = try bytes(folder + "/merges.txt").split(separator: 0x0A)
    var json = Array(#"{"model":{"type":"BPE","vocab":"#.utf8)
    json += vocabulary
    json += #","merges":["#.utf8
    var isFirst = true
    for (index, line) in lines.enumerated() {
      let line = line.last == 0x0D ? line.dropLast() : line
      if line.isEmpty || (index == 0 && line.starts(with: "#version".utf8)) { continue }
      if !isFirst { json.append(UInt8(ascii: ",")) }
      isFirst = false
      json += JSON.string(String(decoding: line, as: UTF8.self)).serializedBytes()
    }
    let cut = JSON.string(pattern).serialized()
    json += Array(
      """
      ]},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":\(cut)},\
      "behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,\
      "trim_offsets":true,"use_regex":false}]},"decoder":{"type":"ByteLevel","add_prefix_space":true,\
      "trim_offsets":true,"use_regex":true},"added_tokens":[]}
      """.utf8)
    return json
  }

  /// vocab.txt: a word or a part of one to a line, as BERT has them.
  static func words(_ folder: String, lowersCase: Bool?) throws(TokenizerError) -> [UInt8] {
    let lines = try bytes(folder + "/vocab.txt").split(
      separator: 0x0A, omittingEmptySubsequences: false)
    var places: [[UInt8]: Int] = [:]
    var entries: [[UInt8]] = []
    for (index, line) in lines.enumerated() where index < lines.count - 1 || !line.isEmpty {
      let word = Array(line.last == 0x0D ? line.dropLast() : line)
      places[word] = index
      entries.append(word)
    }
    func id(_ word: String) -> Int? { places[Array(word.utf8)] }
    var json = Array(
      """
      {"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",\
      "max_input_chars_per_word":100,"vocab":{
      """.utf8)
    for (index, word) in entries.enumerated() where places[word] == index {
      if json.last != UInt8(ascii: "{") { json.append(UInt8(ascii: ",")) }
      json += JSON.string(String(decoding: word, as: UTF8.self)).serializedBytes()
      json += ":\(index)".utf8
    }
    json += "}},".utf8
    if let begin = id("[CLS]"), let end = id("[SEP]") {
      json += Array(
        #""post_processor":{"type":"BertProcessing","sep":["[SEP]",\#(end)],"cls":["[CLS]",\#(begin)]},"#
          .utf8)
    }
    json += Array(
      """
      "normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,\
      "strip_accents":null,"lowercase":\(lowersCase ?? true)},"pre_tokenizer":{"type":"BertPreTokenizer"},\
      "decoder":{"type":"WordPiece","prefix":"##","cleanup":true},"added_tokens":[]}
      """.utf8)
    return json
  }

  private static func bytes(_ path: String) throws(TokenizerError) -> [UInt8] {
    do throws(FileError) { return try InputFile(path).readAll() } catch { throw .file(error) }
  }
}
