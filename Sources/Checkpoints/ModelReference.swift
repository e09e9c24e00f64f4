import Glibc
import Tensors

/// Finds the folder a model reference means: a folder, or a snapshot in the standard hub cache.
///
/// Makes no network call. Cache layout: huggingface_hub's (`refs/`, `snapshots/`, `blobs/`).
public struct ModelReference: Sendable {
  public var text: String
  public var revision: String?

  /// - Parameter revision: a branch, tag or commit; `@revision` in the text wins.
  public init(_ text: String, revision: String? = nil) {
    self.text = text
    self.revision = revision
  }

  /// The folder with the model's files.
  ///
  /// - Throws: `ConversionError.modelNotFound` with every place looked at, `.badReference`.
  public func folder() throws(ConversionError) -> String {
    if !text.hasPrefix("hf://"), Folder.isFolder(text) { return Folder.absolute(text) }
    var name = text.hasPrefix("hf://") ? String(text.dropFirst(5)) : text
    var revision = revision
    if let at = name.lastIndex(of: "@") {
      revision = String(name[name.index(after: at)...])
      name = String(name[..<at])
    }
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    let isPlain = (1...2).contains(parts.count) && parts.allSatisfy(Self.isPlainName)
    // A branch may have slashes (refs/pr/1), but every part of it is a plain name.
    let isSafe = (revision ?? "main").split(separator: "/", omittingEmptySubsequences: false)
      .allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    guard isPlain, isSafe else {
      if text.hasPrefix("/") || text.hasPrefix(".") || text.hasPrefix("~") {
        throw .modelNotFound(reference: text, looked: [Folder.absolute(text)])
      }
      throw .badReference(text)
    }
    let repository = Self.cache() + "/models--" + parts.joined(separator: "--")
    let wanted = revision ?? "main"
    var looked = [Folder.absolute(text), "\(repository)/refs/\(wanted)"]
    var commits = [wanted]
    if let bytes = try? InputFile("\(repository)/refs/\(wanted)").readAll() {
      let commit = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
      if Self.isPlainName(Substring(commit)) { commits.insert(commit, at: 0) }
    }
    for commit in commits {
      let snapshot = "\(repository)/snapshots/\(commit)"
      if Folder.isFolder(snapshot) { return snapshot }
      looked.append(snapshot)
    }
    throw .modelNotFound(reference: name, looked: looked)
  }

  /// The hub cache: `HF_HUB_CACHE`, else `HF_HOME/hub`, else the user's cache folder.
  public static func cache() -> String {
    func variable(_ name: String) -> String? {
      guard let value = getenv(name) else { return nil }
      let text = String(cString: value)
      return text.isEmpty ? nil : text
    }
    if let cache = variable("HF_HUB_CACHE") ?? variable("HUGGINGFACE_HUB_CACHE") { return cache }
    if let home = variable("HF_HOME") { return home + "/hub" }
    let caches = variable("XDG_CACHE_HOME") ?? (variable("HOME") ?? "") + "/.cache"
    return caches + "/huggingface/hub"
  }

  private static func isPlainName(_ name: Substring) -> Bool {
    !name.isEmpty && name != "." && name != ".."
      && name.allSatisfy {
        $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0))
      }
  }
}
