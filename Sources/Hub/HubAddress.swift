import HTTP

/// How the hub's addresses are made of names, and how they are shown.
package enum HubAddress {
  /// Escapes what may not stand in an address, as Python's `urllib.parse.quote` does.
  ///
  /// - Parameter slashes: whether slashes stay as they are.
  package static func quote(_ text: String, slashes: Bool) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var result: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."),
        UInt8(ascii: "-"), UInt8(ascii: "~"):
        result.append(byte)
      case UInt8(ascii: "/") where slashes: result.append(byte)
      default:
        result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// The address without what only the server is to know: signatures stand in the query.
  package static func shown(_ url: String) -> String { HTTPAddress.shown(url) }

  /// Whether both addresses are of one server, as whoever makes the connection reads them; no address is of none.
  package static func isSameServer(_ url: String, _ other: String) -> Bool {
    guard let one = HTTPAddress(url), let two = HTTPAddress(other) else { return false }
    return one.hasOrigin(of: two)
  }

  /// The host of an address, for messages.
  package static func host(_ url: String) -> String {
    let authority = authority(shown(url))
    return authority.isEmpty ? url : String(authority)
  }

  /// Where a `Location` leads, seen from the address that it was given for; `nil` if that is no web address.
  package static func resolve(_ location: String, from url: String) -> String? {
    let lowered = location.lowercased()
    if lowered.hasPrefix("http://") || lowered.hasPrefix("https://") { return location }
    guard let scheme = url.firstRange(of: "://") else { return nil }
    if location.hasPrefix("//") { return String(url[..<scheme.lowerBound]) + ":" + location }
    if location.hasPrefix("/") {
      return String(url[..<scheme.upperBound] + authority(url)) + location
    }
    return nil
  }

  private static func authority(_ url: String) -> Substring {
    guard let scheme = url.firstRange(of: "://") else { return "" }
    return url[scheme.upperBound...].prefix { !"/?#".contains($0) }
  }
}

extension HubRepository.Kind {
  /// As the hub's questions have it: `models`.
  package var plural: String { rawValue + "s" }

  /// What stands before a repository's name in the addresses of its pages and files.
  package var prefix: String { self == .model ? "" : plural + "/" }
}

extension HubRepository {
  /// What people know it as: `org/name`, `datasets/org/name`.
  package var title: String { kind.prefix + name }
}

extension HubSettings {
  /// Where questions about a repository are asked.
  package func questions(_ repository: HubRepository) -> String {
    "\(endpoint)/api/\(repository.kind.plural)/\(HubAddress.quote(repository.name, slashes: true))"
  }

  /// The page of a repository.
  package func page(_ repository: HubRepository) -> String {
    "\(endpoint)/\(repository.kind.prefix)\(HubAddress.quote(repository.name, slashes: true))"
  }

  /// Where a file is.
  package func address(
    _ path: String, of repository: HubRepository, revision: String
  ) -> String {
    page(repository) + "/resolve/" + HubAddress.quote(revision, slashes: false) + "/"
      + HubAddress.quote(path, slashes: true)
  }
}
