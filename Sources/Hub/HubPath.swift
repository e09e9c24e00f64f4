/// What may be a path of the hub: names that come from a server or an index become files on this machine.
package enum HubPath {
  /// Whether a path stays below the folder it is put behind: parts that are names, and slashes between them.
  ///
  /// Refused are empty parts, `.`, `..`, absolute paths, backslashes and control characters; what is fine here but
  /// would lead away where the cache is read on Windows (`C:…`) as well.
  package static func isSafe(_ path: String) -> Bool {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard !path.isEmpty, path.utf8.count <= 4096 else { return false }
    return parts.allSatisfy { part in
      !part.isEmpty && part != "." && part != ".." && part.utf8.count <= 255
        && part.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }
        && !isDrive(part)
    }
  }

  /// Whether the text is a commit: 40 hexadecimal digits in small letters.
  package static func isCommit(_ text: String) -> Bool { isHexadecimal(text, 40) }

  /// Whether the text can name a blob: an etag without its quotes.
  package static func isBlobName(_ text: String) -> Bool {
    (1...200).contains(text.utf8.count) && !text.hasPrefix(".") && !text.hasSuffix(".incomplete")
      && !text.hasSuffix(".lock") && text.utf8.allSatisfy(isNameByte)
  }

  package static func isHexadecimal(_ text: String, _ count: Int) -> Bool {
    text.utf8.count == count
      && text.utf8.allSatisfy {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
          || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
      }
  }

  /// Whether the text can be a repository's name: one or two parts as the hub gives them out.
  static func isRepositoryName(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return (1...2).contains(parts.count) && parts.allSatisfy(isPart) && !text.contains("--")
      && !text.contains("..") && !text.hasSuffix(".git")
  }

  /// One part of a repository's name: it begins and ends with a letter, a digit or `_`.
  private static func isPart(_ part: Substring) -> Bool {
    guard let first = part.utf8.first, let last = part.utf8.last else { return false }
    return part.utf8.count <= 96 && part.utf8.allSatisfy(isNameByte)
      && [first, last].allSatisfy { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: ".") }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "_"),
      UInt8(ascii: "."):
      true
    default: false
    }
  }

  private static func isDrive(_ part: Substring) -> Bool {
    let bytes = Array(part.utf8.prefix(2))
    guard bytes.count == 2, bytes[1] == UInt8(ascii: ":") else { return false }
    return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(bytes[0] | 0x20)
  }
}
