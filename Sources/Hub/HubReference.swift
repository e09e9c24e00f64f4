/// A place on the hub that a user named: a repository, perhaps a revision of it, perhaps a path in it.
///
/// Source of the forms: huggingface_hub 2.4.0, `utils/_hf_uris.py`; besides them `org/name` and `org/name@revision`
/// without `hf://`, and the oldest repositories' single names. Buckets and kernels are no repositories of files
/// that a model lies in, and are refused.
public struct HubReference: Hashable, Sendable {
  public var repository: HubRepository
  /// A branch, a tag or a commit; `nil` where none was named, which means `main`.
  public var revision: String?
  /// A file or folder in the repository; empty for the repository itself.
  public var path: String

  public init(_ repository: HubRepository, revision: String? = nil, path: String = "") {
    self.repository = repository
    self.revision = revision
    self.path = path
  }

  /// Reads a reference.
  ///
  /// - Parameters:
  ///   - revision: as an option gives it, for a text that names none.
  ///   - endpoint: the hub whose web addresses are known besides huggingface.co's.
  /// - Throws: `HubError.badReference`.
  public init(
    parsing text: String, revision: String? = nil, endpoint: String = "https://huggingface.co"
  ) throws(HubError) {
    var parser = HubReferenceParser(text: text, endpoint: endpoint)
    self = try parser.parse()
    guard let revision else { return }
    guard HubPath.isSafe(revision) else {
      throw .badReference(text, reason: "the revision \"\(revision)\" is none")
    }
    if let own = self.revision, own != revision {
      throw .badReference(
        text, reason: "it names the revision \(own), and the command line another: \(revision)")
    }
    self.revision = revision
  }

  /// What a reference may look like, for messages.
  public static let forms =
    "org/name, org/name@revision, hf://[datasets/|spaces/]org/name[@revision][/path], "
    + "or a repository's web address"
}

extension HubReference: CustomStringConvertible {
  /// The reference in the short form that this program reads back.
  public var description: String {
    let name = (repository.kind == .model ? "" : repository.kind.rawValue + "s/") + repository.name
    let isBare = repository.kind == .model && path.isEmpty
    // A slash in a revision would begin a path.
    let shown = revision.map { "@" + HubReferenceParser.shown($0) } ?? ""
    return (isBare ? "" : "hf://") + name + shown + (path.isEmpty ? "" : "/" + path)
  }
}

/// Takes a reference apart.
struct HubReferenceParser {
  let text: String
  let endpoint: String

  mutating func parse() throws(HubError) -> HubReference {
    if text.hasPrefix("hf://") { return try uri(text.dropFirst(5)) }
    if let body = try webBody() { return try uri(body[...]) }
    let name = text.prefix { $0 != "@" }
    guard name.filter({ $0 == "/" }).count <= 1, !text.hasSuffix("/") else {
      throw fault(
        "a repository's name is one word, or two with a slash between")
    }
    return try location(text[...], kind: .model)
  }

  /// What stands behind `hf://`.
  private func uri(_ body: Substring) throws(HubError) -> HubReference {
    let first = body.prefix { $0 != "/" }
    let rest = body.dropFirst(first.count + 1)
    switch first {
    case "models", "datasets", "spaces":
      guard !rest.isEmpty else { throw fault("a repository's name is missing behind \(first)/") }
      let kind = HubRepository.Kind(rawValue: String(first.dropLast())) ?? .model
      return try location(rest, kind: kind)
    case "model", "dataset", "space":
      throw fault("the kind of a repository is written in the plural, \(first)s/")
    case "kernels", "kernel", "buckets", "bucket":
      throw fault("\(first) hold no models")
    default: return try location(body, kind: .model)
    }
  }

  /// A name, a revision behind `@`, and a path.
  private func location(
    _ text: Substring, kind: HubRepository.Kind
  ) throws(HubError) -> HubReference {
    var text = text
    while text.hasSuffix("/") { text = text.dropLast() }
    let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
    let isAt = text.prefix { $0 != "@" }
    // An @ further behind belongs to a file's name.
    guard isAt.count < text.count, isAt.filter({ $0 == "/" }).count <= 1 else {
      let name = parts.prefix(2).joined(separator: "/")
      return try reference(name, kind, nil, parts.count > 2 ? parts[2] : "")
    }
    let behind = text.dropFirst(isAt.count + 1)
    let revision = Self.specialRevision(behind) ?? behind.prefix { $0 != "/" }
    var path = behind.dropFirst(revision.count)
    if path.hasPrefix("/") {
      path = path.dropFirst()
      guard !path.isEmpty else { throw fault("the path behind the revision is empty") }
    }
    return try reference(String(isAt), kind, String(revision), path)
  }

  private func reference(
    _ name: String, _ kind: HubRepository.Kind, _ revision: String?, _ path: Substring
  ) throws(HubError) -> HubReference {
    guard !name.isEmpty else { throw fault("a repository's name is missing") }
    guard HubPath.isRepositoryName(name) else {
      throw fault(
        "\"\(name)\" is no repository's name: letters, digits, `-`, `_` and `.`, as org/name")
    }
    let decoded = revision.map(Self.decoded)
    if let decoded, !HubPath.isSafe(decoded) {
      throw fault(
        decoded.isEmpty ? "nothing stands behind @" : "the revision \"\(decoded)\" is none")
    }
    guard path.isEmpty || HubPath.isSafe(String(path)) else {
      throw fault("the path \"\(path)\" is none in a repository")
    }
    return HubReference(HubRepository(name, kind: kind), revision: decoded, path: String(path))
  }

  func fault(_ reason: String) -> HubError { .badReference(text, reason: reason) }

  /// A revision of those that have slashes and are known by their beginning.
  static func specialRevision(_ text: Substring) -> Substring? {
    if text.hasPrefix("refs/pr/") {
      let number = text.dropFirst(8).prefix { $0.isASCII && $0.isNumber }
      return number.isEmpty ? nil : text.prefix(8 + number.count)
    }
    guard text.hasPrefix("refs/convert/") else { return nil }
    let name = text.dropFirst(13).prefix { $0.isLetter || $0.isNumber || "_.-".contains($0) }
    return name.isEmpty ? nil : text.prefix(13 + name.count)
  }

  static func shown(_ revision: String) -> String {
    if specialRevision(revision[...])?.count == revision.count { return revision }
    return revision.split(separator: "/", omittingEmptySubsequences: false).joined(separator: "%2F")
  }

  /// The text with `%2F` and its like read.
  static func decoded(_ text: String) -> String {
    guard text.contains("%") else { return text }
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
        let high = digit(bytes[index + 1]), let low = digit(bytes[index + 2])
      {
        result.append(high << 4 | low)
        index += 3
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
