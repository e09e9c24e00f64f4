/// Web addresses, as a browser shows them.
extension HubReferenceParser {
  /// The body of an `hf://` reference that a web address stands for; `nil` if the text is no such address.
  func webBody() throws(HubError) -> String? {
    let lowered = text.lowercased()
    let own = Self.parts(of: endpoint)
    let hosts = ["huggingface.co", "hf.co", "hub-ci.huggingface.co", own.host]
    let hasScheme = lowered.hasPrefix("http://") || lowered.hasPrefix("https://")
    guard hasScheme || hosts.contains(where: { lowered == $0 || lowered.hasPrefix($0 + "/") })
    else { return nil }
    let (host, place) = Self.parts(of: text)
    guard hosts.contains(host) else {
      throw fault("\(host.isEmpty ? "it names no host" : "\(host) is not the hub")")
    }
    var segments = place.split(separator: "/")[...]
    let prefix = own.path.split(separator: "/")
    if host == own.host, segments.starts(with: prefix) {
      segments = segments.dropFirst(prefix.count)
    }
    var kind = ""
    if let first = segments.first,
      ["models", "datasets", "spaces", "kernels", "buckets"].contains(first)
    {
      kind = first + "/"
      segments = segments.dropFirst()
    }
    let words = Array(segments)
    guard words.count >= 2 else { throw fault("it leads to no repository, which has org/name") }
    let name = "\(kind)\(words[0])/\(words[1])"
    guard words.count > 2 else { return name }
    guard ["blame", "blob", "raw", "resolve", "tree"].contains(words[2]) else {
      throw fault("pages of the kind /\(words[2])/ name no place in a repository")
    }
    guard words.count > 3 else { return name }
    // Names are read; a slash that was written as %2F stays so, since it parts nothing.
    let behind = words.dropFirst(3).map { word in
      Self.decoded(String(word)).split(separator: "/", omittingEmptySubsequences: false)
        .joined(separator: "%2F")
    }
    return name + "@" + behind.joined(separator: "/")
  }

  /// An address's host in small letters, and its path without what follows `?` or `#`.
  private static func parts(of address: String) -> (host: String, path: String) {
    var rest = address[...]
    if let scheme = rest.firstRange(of: "://") { rest = rest[scheme.upperBound...] }
    let authority = rest.prefix { !"/?#".contains($0) }
    let path = rest.dropFirst(authority.count).prefix { !"?#".contains($0) }
    var host = authority[...]
    if let at = host.lastIndex(of: "@") { host = host[host.index(after: at)...] }
    if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
      host = host[..<end].dropFirst()
    } else {
      host = host.prefix { $0 != ":" }
    }
    return (host.lowercased(), String(path))
  }
}
