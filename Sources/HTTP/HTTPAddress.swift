import CHTTP

/// An absolute `http://` or `https://` address, as libcurl reads it.
package struct HTTPAddress: Sendable {
  package let text: String
  let scheme: String
  let host: String
  let port: String

  /// Where `text` leads to, from `base` if it is given.
  ///
  /// `nil` for what is no address, and for kinds that are not spoken here.
  package init?(_ text: String, from base: HTTPAddress? = nil) {
    // A 0 in the middle would hide what follows from C.
    guard !text.isEmpty, text.utf8.count < 16 << 10, !text.utf8.contains(0) else { return nil }
    var room = [CChar](repeating: 0, count: 64 << 10)
    func part(_ part: chttp_part) -> String? {
      let (start, relative) = base.map { ($0.text, text) } ?? (text, "")
      let length = chttp_address(start, relative, part, &room, room.count)
      guard length >= 0 else { return nil }
      return String(decoding: room[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    guard let whole = part(CHTTP_WHOLE), let scheme = part(CHTTP_SCHEME)?.lowercased(),
      scheme == "http" || scheme == "https", let host = part(CHTTP_HOST)?.lowercased(),
      !host.isEmpty, let port = part(CHTTP_PORT)
    else { return nil }
    (self.text, self.scheme, self.host, self.port) = (whole, scheme, host, port)
  }

  /// Whether both are at the same scheme, host and port: whoever has another origin learns nothing of the user.
  package func hasOrigin(of other: HTTPAddress) -> Bool {
    (scheme, host, port) == (other.scheme, other.host, other.port)
  }

  /// An address as errors may show it: without its query, which may be a signature, and without a password.
  package static func shown(_ text: String) -> String {
    var shown = text.prefix { $0 != "?" && $0 != "#" }
    if let scheme = shown.firstRange(of: "://") {
      let authority = shown[scheme.upperBound...].prefix { $0 != "/" }
      if let at = authority.lastIndex(of: "@") {
        shown.removeSubrange(scheme.upperBound...at)
      }
    }
    return String(shown)
  }
}
