import Glibc

/// What the environment says about the way to servers: proxies, and whose certificates are trusted.
///
/// Python's clients take the same variables: `urllib.request.getproxies_environment` and
/// `proxy_bypass_environment`, and for certificates requests and Python's `ssl`.
struct HTTPSurroundings: Sendable {
  /// The proxies for http, https and all.
  private let proxies: [String: HTTPSetting]
  private let exceptions: [ProxyException]
  /// A file or folder with the authorities that are trusted instead of the system's.
  let authorities: HTTPSetting?

  init(_ environment: [String: String]) {
    // Lower case first; there an empty one switches the upper one off.
    func setting(_ name: String) -> HTTPSetting? {
      let names = [name, name.uppercased()].filter { environment[$0] != nil }
      // A server that runs a program for a request puts the request's own fields into HTTP_…
      let isForged = names.first == "HTTP_PROXY" && environment["REQUEST_METHOD"] != nil
      guard let found = names.first, !isForged, let value = environment[found], !value.isEmpty
      else { return nil }
      return HTTPSetting(name: found, value: value)
    }
    proxies = ["http", "https", "all"].reduce(into: [:]) { $0[$1] = setting($1 + "_proxy") }
    exceptions = (setting("no_proxy")?.value ?? "").split { $0 == "," || $0.isWhitespace }
      .map { ProxyException(String($0)) }
    authorities =
      ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR"]
      .lazy.compactMap { name in
        environment[name].flatMap { $0.isEmpty ? nil : HTTPSetting(name: name, value: $0) }
      }.first
  }

  /// The proxy on the way to an address.
  func proxy(to address: HTTPAddress) -> HTTPSetting? {
    guard let proxy = proxies[address.scheme] ?? proxies["all"],
      !exceptions.contains(where: { $0.holds(address) })
    else { return nil }
    return proxy
  }
}

/// A part of `no_proxy`: a host and those below it, an address, a block of addresses, or all.
struct ProxyException: Sendable {
  private let host: String
  private let port: String?

  init(_ text: String) {
    var host = text.lowercased()
    if let scheme = host.firstRange(of: "://") { host.removeSubrange(..<scheme.upperBound) }
    var port: String?
    // More than one colon is an address of IPv6, whose port stands behind its brackets.
    if let colon = host.lastIndex(of: ":"),
      host.firstIndex(of: ":") == colon || host[..<colon].last == "]"
    {
      port = String(host[host.index(after: colon)...])
      host = String(host[..<colon])
    }
    host.removeAll { $0 == "[" || $0 == "]" }
    if host != "*" { host.trimPrefix { $0 == "*" || $0 == "." } }
    (self.host, self.port) = (host, port)
  }

  func holds(_ address: HTTPAddress) -> Bool {
    if host == "*" { return true }
    guard !host.isEmpty, port == nil || port == address.port else { return false }
    let other = address.host.filter { $0 != "[" && $0 != "]" }
    return other == host || other.hasSuffix("." + host) || holdsInBlock(other)
  }

  /// Whether this is a block as 192.168.0.0/16 and the address lies in it.
  private func holdsInBlock(_ other: String) -> Bool {
    let parts = host.split(separator: "/")
    guard parts.count == 2, let bits = Int(parts[1]), (0...32).contains(bits) else { return false }
    guard let block = Self.number(parts[0]), let number = Self.number(other[...]) else {
      return false
    }
    let mask = bits == 0 ? 0 : UInt32.max << (32 - bits)
    return block & mask == number & mask
  }

  private static func number(_ text: Substring) -> UInt32? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
    guard parts.count == 4 else { return nil }
    var number: UInt32 = 0
    for part in parts {
      guard let part else { return nil }
      number = number << 8 | UInt32(part)
    }
    return number
  }
}
