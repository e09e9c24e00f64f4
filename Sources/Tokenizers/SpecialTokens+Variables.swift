import JSON

extension SpecialTokens {
  /// The tokens by the names that chat templates know them by: `bos_token` and so on; a list under a name in the
  /// plural.
  public var variables: JSONObject {
    var result = JSONObject()
    for (name, token) in [
      ("bos_token", bos), ("eos_token", eos), ("unk_token", unk), ("pad_token", pad),
    ] {
      if let token { result[name] = .string(token.text) }
    }
    for (name, token) in others {
      let isList = name.hasSuffix("_tokens")
      if isList {
        result[name] = .array((result[name]?.array ?? []) + [.string(token.text)])
      } else {
        result[name] = .string(token.text)
      }
    }
    return result
  }
}
