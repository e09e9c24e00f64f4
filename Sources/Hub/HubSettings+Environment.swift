import Glibc
import Tensors

extension HubSettings {
  /// The settings of an environment: every variable means what it means to huggingface_hub.
  ///
  /// A variable that is set to nothing is set: an empty `HF_HOME` is the current folder, as there. What cannot be
  /// understood becomes `fault`, which is thrown when the hub or its cache is first needed.
  ///
  /// - Parameter version: this program's, for the servers.
  public init(environment: [String: String], version: String = HubSettings.version) {
    let expansion = PathExpansion(environment: environment)
    let home = expansion.expand(
      environment["HF_HOME"]
        ?? Self.join(
          environment["XDG_CACHE_HOME"] ?? Self.join(expansion.expand("~"), ".cache"), "huggingface"
        ))
    let cache = expansion.expand(
      environment["HF_HUB_CACHE"] ?? environment["HUGGINGFACE_HUB_CACHE"] ?? Self.join(home, "hub"))
    self.init(
      home: Folder.absolute(home), cache: Folder.absolute(cache), userAgent: "isthmus/\(version)")
    if home.hasPrefix("~") || cache.hasPrefix("~") {
      note(
        home.hasPrefix("~") ? "HF_HOME" : "HF_HUB_CACHE",
        "it begins with ~ and the name of no user.")
    }
    readAddresses(environment)
    readTimeouts(environment)
    let tokens = expansion.expand(environment["HF_TOKEN_PATH"] ?? Self.join(home, "token"))
    if !Self.isTrue(environment["HF_HUB_DISABLE_IMPLICIT_TOKEN"]) {
      readToken(environment, file: Folder.absolute(tokens))
    }
    disablesLinks = Self.isTrue(environment["HF_HUB_DISABLE_SYMLINKS"])
    sharesBlobs =
      !Self.isTrue(environment["HF_HUB_DISABLE_SHARED_BLOBS"])
      && !Self.isTrue(environment["HF_HUB_DISABLE_XET"])
    showsProgress = !Self.isTrue(environment["HF_HUB_DISABLE_PROGRESS_BARS"])
  }

  /// This program's version, for the servers.
  public static let version = "0.1.0"

  /// The variables of this process.
  public static var processEnvironment: [String: String] {
    var result: [String: String] = [:]
    var index = 0
    while let entry = environ[index] {
      let text = String(cString: entry)
      if let equals = text.firstIndex(of: "=") {
        // The first of a name counts, as for `getenv`.
        let name = String(text[..<equals])
        if result[name] == nil { result[name] = String(text[text.index(after: equals)...]) }
      }
      index += 1
    }
    return result
  }

  /// Whether a value means yes: 1, on, yes or true in any case; anything else means no.
  static func isTrue(_ value: String?) -> Bool {
    ["1", "ON", "YES", "TRUE"].contains(value?.uppercased() ?? "")
  }

  private static func join(_ folder: String, _ name: String) -> String {
    folder.isEmpty || folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
  }

  private mutating func readAddresses(_ environment: [String: String]) {
    if var address = environment["HF_ENDPOINT"] {
      while address.hasSuffix("/") { address.removeLast() }
      let lowered = address.lowercased()
      let isAddress =
        (lowered.hasPrefix("https://") || lowered.hasPrefix("http://"))
        && address.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        && !address.contains { "?#".contains($0) }
      if isAddress {
        endpoint = address
      } else {
        note("HF_ENDPOINT", "\"\(address)\" is no address. Give one like https://huggingface.co.")
      }
    }
    for name in ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
      guard let value = environment[name], !value.isEmpty else { continue }
      // The first that says anything decides.
      if Self.isTrue(value) { offline = Offline(variable: name) }
      break
    }
    guard let origin = environment["HF_HUB_USER_AGENT_ORIGIN"] else { return }
    if origin.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) {
      userAgent += "; origin/\(origin)"
    } else {
      note("HF_HUB_USER_AGENT_ORIGIN", "it may hold letters, digits and signs of ASCII only.")
    }
  }

  private mutating func readTimeouts(_ environment: [String: String]) {
    func seconds(_ name: String) -> Double? {
      guard let text = environment[name] else { return nil }
      let trimmed = String(
        text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
      guard let value = Double(trimmed), value >= 0, value <= 1e6 else {
        note(name, "\"\(text)\" is no number of seconds. Give one like 30.")
        return nil
      }
      // Nought is the default there, too.
      return value == 0 ? nil : value
    }
    questionTimeout = seconds("HF_HUB_ETAG_TIMEOUT") ?? questionTimeout
    downloadTimeout = seconds("HF_HUB_DOWNLOAD_TIMEOUT") ?? downloadTimeout
  }

  private mutating func readToken(_ environment: [String: String], file: String) {
    for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
      guard let value = environment[name], !value.isEmpty else { continue }
      if let token = clean(value, name) {
        self.token = token
        return
      }
      break
    }
    guard Folder.exists(file) else { return }
    do throws(FileError) {
      let file = try InputFile(file)
      guard file.size <= 1 << 16 else {
        return note(
          file.path, "it is too long for a file with a token. Log in with `hf auth login`.")
      }
      token = clean(String(decoding: try file.readAll(), as: UTF8.self), file.path)
    } catch {
      fault = fault ?? .file(error)
    }
  }

  /// A token without the white space around it; `nil` where nothing is left.
  private mutating func clean(_ text: String, _ source: String) -> HubToken? {
    // Line ends go everywhere, other white space at both ends.
    let line = text.unicodeScalars.filter { $0 != "\r" && $0 != "\n" }
    let isSpace: (Unicode.Scalar) -> Bool = { $0.properties.isWhitespace }
    let value = line.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
    guard !value.isEmpty else { return nil }
    guard value.allSatisfy({ $0.value > 0x20 && $0.value < 0x7F }) else {
      note(source, "it holds characters that no token has. Log in again with `hf auth login`.")
      return nil
    }
    return HubToken(value: String(String.UnicodeScalarView(value)), source: source)
  }

  private mutating func note(_ name: String, _ reason: String) {
    fault = fault ?? .badSetting(name: name, reason: reason)
  }
}
