import JSON

// How tokenizer.json is read: its small sections as trees, the model's large ones as a stream of bytes.
// What each kind of part asks for lies beside the part.

extension Pipeline {
  /// Reads tokenizer.json as the Rust crate `tokenizers` does; sections for truncation and padding are passed over.
  init(tokenizerJSON bytes: [UInt8]) throws(TokenizerFault) {
    var sections = JSONObject()
    var model: ModelSection?
    do throws(JSONError) {
      var reader = JSONReader(bytes)
      try reader.beginObject()
      while try reader.nextName() {
        let name = String(decoding: reader.name, as: UTF8.self)
        switch name {
        case "model" where model == nil: model = try ModelSection(&reader)
        case "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "version":
          guard sections[name] == nil else {
            throw .duplicateName(name, offset: reader.nameOffset)
          }
          sections[name] = try reader.value()
        case "model": throw .duplicateName(name, offset: reader.nameOffset)
        default: try reader.skip()
        }
      }
      try reader.finish()
    } catch { throw .json(error) }
    guard let model else { throw .missing("model", in: "tokenizer.json") }
    try self.init(Section(sections, at: ""), model)
  }

  private init(_ file: Section, _ section: ModelSection) throws(TokenizerFault) {
    if let version = file["version"], version != .string("1.0") {
      throw .value(at: "version", expected: "“1.0”", found: version.serialized())
    }
    model = try section.model()
    if let part = file.part("normalizer") { normalizer = try Self.normalizer(part) }
    if let part = file.part("pre_tokenizer") {
      preTokenizer = try Self.preTokenizer(part, leavesBytes: model.takesBytes)
    }
    if let part = file.part("post_processor") { postProcessor = try Self.postProcessor(part) }
    if let part = file.part("decoder") { decoder = try Self.decoder(part) }
    if let preTokenizer = file.part("pre_tokenizer") {
      needsOrigins =
        Self.asksForOrigins(preTokenizer)
        && (normalizer != nil || preTokenizer.kind == "Sequence")
    }
    try add(file.elements("added_tokens"))
  }

  /// Whether a pre-tokenizer asks where in the text a word starts.
  private static func asksForOrigins(_ section: Section) -> Bool {
    section["prepend_scheme"]?.string == "first"
      || (section["pretokenizers"]?.array ?? []).contains {
        $0.object.map { asksForOrigins(Section($0, at: "")) } ?? false
      }
  }

  /// Takes the added tokens: those that the model knows under its ids, the others under the ids that follow.
  ///
  /// The crate does not look at the ids in the file but to warn.
  mutating func add(_ sections: [Section]) throws(TokenizerFault) {
    var tokens: [AddedToken] = []
    var ids: [ArraySlice<UInt8>: Int32] = [:]
    let size = Int32(model.vocabulary.count)
    var next = size
    for section in sections {
      let content = Array(try section.string("content").utf8)
      _ = try section.integer("id", 0...Int(Int32.max) - 1)
      if content.isEmpty { continue }
      let id: Int32
      if let known = ids[content[...]] ?? model.vocabulary.id(of: content) {
        id = known
      } else {
        id = next
        next += 1
      }
      ids[content[...]] = id
      tokens.append(
        AddedToken(
          content: content, id: id, isSingleWord: try section.flag("single_word"),
          stripsLeft: try section.flag("lstrip"), stripsRight: try section.flag("rstrip"),
          isNormalized: try section.flag("normalized"), isSpecial: try section.flag("special")))
    }
    added = try addedTokens(tokens)
  }

  /// The tokens with their normalised forms.
  func addedTokens(_ tokens: [AddedToken]) throws(TokenizerFault) -> AddedTokens {
    var workspace = Workspace()
    do throws(TokenizerError) {
      return try AddedTokens(tokens) { (content) throws(TokenizerError) in
        guard let normalizer else { return content }
        var passage = Passage(content, 0..<content.count, keepsOrigins: false)
        try normalizer.normalize(&passage, &workspace)
        return passage.bytes
      }
    } catch {
      throw .value(
        at: "added_tokens", expected: "tokens that can be normalised", found: error.description)
    }
  }
}

/// An object of a file, with where it stands in it.
struct Section {
  let object: JSONObject
  /// The keys that lead to it.
  let place: String

  init(_ object: JSONObject, at place: String) {
    self.object = object
    self.place = place
  }

  subscript(key: String) -> JSON? { object[key] }

  /// The kind of part it describes; empty if it does not say.
  var kind: String { object["type"]?.string ?? "" }

  func place(of key: String) -> String { place.isEmpty ? key : "\(place).\(key)" }

  func fault(_ key: String, _ expected: String) -> TokenizerFault {
    guard let value = object[key] else { return .missing(key, in: place) }
    var found = value.serialized()
    if found.utf8.count > 80 { found = String(found.prefix(80)) + " …" }
    return .value(at: place(of: key), expected: expected, found: found)
  }

  /// The part under a key; `nil` if there is none.
  func part(_ key: String) -> Section? {
    object[key]?.object.map { Section($0, at: place(of: key)) }
  }

  /// The part under a key.
  func requiredPart(_ key: String) throws(TokenizerFault) -> Section {
    guard let part = part(key) else { throw fault(key, "an object") }
    return part
  }

  func string(_ key: String) throws(TokenizerFault) -> String {
    guard let value = object[key]?.string else { throw fault(key, "a string") }
    return value
  }

  /// A string of one character (one code point).
  func scalar(_ key: String) throws(TokenizerFault) -> [UInt8] {
    guard let value = object[key]?.string, value.unicodeScalars.count == 1 else {
      throw fault(key, "a string of one character")
    }
    return Array(value.utf8)
  }

  /// A truth value.
  ///
  /// - Parameter value: counts where the key is missing; without one it is required.
  func flag(_ key: String, default value: Bool? = nil) throws(TokenizerFault) -> Bool {
    if object[key] == nil, let value { return value }
    guard let value = object[key]?.bool else { throw fault(key, "true or false") }
    return value
  }

  func integer(
    _ key: String, _ range: ClosedRange<Int>, default value: Int? = nil
  ) throws(TokenizerFault) -> Int {
    if object[key] == nil, let value { return value }
    guard let value = object[key]?.integer, range.contains(value) else {
      throw fault(key, "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// The objects of an array; none where it is missing or null.
  func elements(_ key: String) throws(TokenizerFault) -> [Section] {
    guard let value = object[key], !value.isNull else { return [] }
    guard let array = value.array else { throw fault(key, "an array of objects") }
    var sections: [Section] = []
    for (index, element) in array.enumerated() {
      guard let object = element.object else { throw fault(key, "an array of objects") }
      sections.append(Section(object, at: "\(place(of: key))[\(index)]"))
    }
    return sections
  }

  /// One of several words.
  func choice<Value>(
    _ key: String, _ values: KeyValuePairs<String, Value>
  ) throws(TokenizerFault) -> Value {
    let word = try string(key)
    guard let value = values.first(where: { $0.key == word })?.value else {
      throw fault(key, "one of " + values.map(\.key).joined(separator: ", "))
    }
    return value
  }
}
