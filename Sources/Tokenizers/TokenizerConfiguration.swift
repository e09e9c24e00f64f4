import JSON
import Tensors

/// What the small files beside a tokenizer say, all of which may be missing.
///
/// They are tokenizer_config.json, special_tokens_map.json, added_tokens.json and the chat templates.
///
/// Source: tokenization_utils_base.py and tokenization_utils_tokenizers.py of transformers 5.23.
struct TokenizerConfiguration {
  /// A token with a role, and its flags if they are told.
  struct Special {
    var name: String
    var content: String
    /// Of a list in one role the others follow.
    var flags: AddedToken?
  }

  /// Tokens that are looked for in the text, with their ids.
  private(set) var added: [AddedToken] = []
  private(set) var specials: [Special] = []
  private(set) var templates: [(name: String, text: String)] = []
  private(set) var addsBegin = false
  private(set) var addsEnd = false
  /// Whether sentencepiece puts a space before each stretch of text, and not only before the first.
  private(set) var isLegacy = false
  private(set) var lowersCase: Bool?
  /// Whether any file names tokens.
  private(set) var isThere = false

  static let empty = TokenizerConfiguration()

  private init() {}

  /// Reads the files of a folder.
  ///
  /// - Parameter names: those in the folder.
  init(folder: String, names: [String]) throws(TokenizerError) {
    try read(folder, names, "tokenizer_config.json") { (files, object) throws(TokenizerFault) in
      try files.readConfiguration(object)
    }
    // Older files that count only where the newer one does not tell of added tokens.
    if !tellsOfAdded {
      try read(folder, names, "special_tokens_map.json") { (files, object) throws(TokenizerFault) in
        try files.readSpecials(object)
      }
      try read(folder, names, "added_tokens.json") { (files, object) throws(TokenizerFault) in
        try files.readAdded(object)
      }
    }
    try readTemplates(folder, names)
  }

  private var tellsOfAdded = false

  private mutating func read(
    _ folder: String, _ names: [String], _ name: String,
    _ body: (inout Self, JSONObject) throws(TokenizerFault) -> Void
  ) throws(TokenizerError) {
    guard names.contains(name), let bytes = try Self.bytes(folder, name) else { return }
    do throws(TokenizerFault) {
      let object = try Self.object(bytes, name)
      isThere = true
      try body(&self, object)
    } catch {
      throw .content(file: folder + "/" + name, error)
    }
  }

  /// The bytes of a file; `nil` if it is no file.
  private static func bytes(_ folder: String, _ name: String) throws(TokenizerError) -> [UInt8]? {
    let path = folder + "/" + name
    guard Folder.isFile(path) else { return nil }
    do throws(FileError) { return try InputFile(path).readAll() } catch { throw .file(error) }
  }

  private static func object(_ bytes: [UInt8], _ name: String) throws(TokenizerFault) -> JSONObject
  {
    let value: JSON
    do throws(JSONError) {
      // Python's bare Infinity occurs in published files.
      value = try JSON(parsing: bytes, allowingNonFinite: true)
    } catch { throw .json(error) }
    guard let object = value.object else {
      throw .value(at: name, expected: "an object", found: kind(value))
    }
    return object
  }

  private static func kind(_ value: JSON) -> String {
    switch value {
    case .null: "null"
    case .bool: "true or false"
    case .integer, .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }

  // MARK: tokenizer_config.json

  private mutating func readConfiguration(_ object: JSONObject) throws(TokenizerFault) {
    addsBegin = try flag(object, "add_bos_token") ?? false
    addsEnd = try flag(object, "add_eos_token") ?? false
    isLegacy = try flag(object, "legacy") ?? false
    lowersCase = try flag(object, "do_lower_case")
    try readSpecials(object)
    if let value = object["added_tokens_decoder"], !value.isNull {
      guard let tokens = value.object else {
        throw .value(at: "added_tokens_decoder", expected: "an object", found: Self.kind(value))
      }
      tellsOfAdded = true
      for (key, value) in tokens.members {
        let place = "added_tokens_decoder.\(key)"
        guard let id = Int32(key), id >= 0, id < .max else {
          throw .idOutOfRange(piece: place, found: key)
        }
        added.append(try token(value, id: id, isSpecial: false, at: place))
      }
      added.sort { $0.id < $1.id }
    }
    if let value = object["chat_template"] { try readTemplate(value) }
  }

  private func flag(_ object: JSONObject, _ key: String) throws(TokenizerFault) -> Bool? {
    guard let value = object[key], !value.isNull else { return nil }
    guard let flag = value.bool else {
      throw .value(at: key, expected: "true or false", found: Self.kind(value))
    }
    return flag
  }

  /// A token written as an object, with the flags' defaults of transformers' `AddedToken`.
  private func token(
    _ value: JSON, id: Int32, isSpecial: Bool, at place: String
  ) throws(TokenizerFault) -> AddedToken {
    guard let object = value.object else {
      throw .value(at: place, expected: "an object", found: Self.kind(value))
    }
    guard let content = object["content"]?.string else {
      throw .missing("content", in: place)
    }
    func flag(_ key: String, _ usual: Bool) throws(TokenizerFault) -> Bool {
      guard let value = object[key], !value.isNull else { return usual }
      guard let flag = value.bool else {
        throw .value(at: "\(place).\(key)", expected: "true or false", found: Self.kind(value))
      }
      return flag
    }
    let special = try flag("special", isSpecial)
    return AddedToken(
      content: Array(content.utf8), id: id, isSingleWord: try flag("single_word", false),
      stripsLeft: try flag("lstrip", false), stripsRight: try flag("rstrip", false),
      isNormalized: try flag("normalized", !special), isSpecial: special)
  }

  // MARK: Special tokens

  /// Reads the members that name tokens with a role; one that is there already is replaced.
  private mutating func readSpecials(_ object: JSONObject) throws(TokenizerFault) {
    for (key, value) in object.members {
      let isList =
        key == "additional_special_tokens" || key == "extra_special_tokens"
        || key == "model_specific_special_tokens"
      guard isList || key.hasSuffix("_token") else { continue }
      switch value {
      case .array(let values) where isList:
        specials.removeAll { $0.name == key }
        for (index, value) in values.enumerated() {
          try addSpecial(key, value, at: "\(key)[\(index)]")
        }
      case .object(let members) where isList:
        for (name, value) in members.members {
          specials.removeAll { $0.name == name }
          try addSpecial(name, value, at: "\(key).\(name)")
        }
      // add_bos_token and its like end so as well.
      case .string, .object:
        specials.removeAll { $0.name == key }
        try addSpecial(key, value, at: key)
      default: continue
      }
    }
  }

  private mutating func addSpecial(
    _ name: String, _ value: JSON, at place: String
  ) throws(TokenizerFault) {
    switch value {
    case .string(let content): specials.append(Special(name: name, content: content))
    case .object:
      let token = try token(value, id: 0, isSpecial: true, at: place)
      specials.append(
        Special(
          name: name, content: String(decoding: token.content, as: UTF8.self), flags: token))
    case .null: return
    default:
      throw .value(at: place, expected: "a string or an object", found: Self.kind(value))
    }
  }

  /// Reads added_tokens.json: ids by token.
  private mutating func readAdded(_ object: JSONObject) throws(TokenizerFault) {
    let special = specials.map { Array($0.content.utf8) }
    for (content, value) in object.members {
      guard let id = value.integer, id >= 0, id < Int32.max else {
        throw .idOutOfRange(piece: content, found: Self.kind(value))
      }
      let bytes = Array(content.utf8)
      let isSpecial = special.contains(bytes)
      added.append(
        AddedToken(
          content: bytes, id: Int32(id), isNormalized: !isSpecial, isSpecial: isSpecial))
    }
    added.sort { $0.id < $1.id }
  }

  // MARK: Chat templates

  private mutating func readTemplate(_ value: JSON) throws(TokenizerFault) {
    switch value {
    case .null: return
    case .string(let text): templates = [("default", text)]
    case .object(let members):
      for (name, value) in members.members {
        guard let text = value.string else {
          throw .value(at: "chat_template.\(name)", expected: "a string", found: Self.kind(value))
        }
        templates.append((name, text))
      }
    case .array(let values):
      for (index, value) in values.enumerated() {
        guard let name = value.object?["name"]?.string,
          let text = value.object?["template"]?.string
        else {
          throw .value(
            at: "chat_template[\(index)]", expected: "an object with “name” and “template”",
            found: Self.kind(value))
        }
        templates.append((name, text))
      }
    default:
      throw .value(
        at: "chat_template", expected: "a string or a list of templates", found: Self.kind(value))
    }
  }

  /// Reads the templates that lie in files of their own; they count before those in tokenizer_config.json.
  private mutating func readTemplates(_ folder: String, _ names: [String]) throws(TokenizerError) {
    var found: [(name: String, text: String)] = []
    if names.contains("chat_template.jinja"),
      let bytes = try Self.bytes(folder, "chat_template.jinja")
    {
      found.append(("default", String(decoding: bytes, as: UTF8.self)))
    }
    let more = "additional_chat_templates"
    if names.contains(more) {
      for name in Folder.entries(folder + "/" + more) ?? [] where name.hasSuffix(".jinja") {
        guard let bytes = try Self.bytes(folder + "/" + more, name) else { continue }
        found.append((String(name.dropLast(6)), String(decoding: bytes, as: UTF8.self)))
      }
    }
    if !found.isEmpty { templates = found }
    if templates.isEmpty {
      try read(folder, names, "chat_template.json") { (files, object) throws(TokenizerFault) in
        if let value = object["chat_template"] { try files.readTemplate(value) }
      }
    }
    templates =
      templates.filter { $0.name == "default" } + templates.filter { $0.name != "default" }
  }
}
