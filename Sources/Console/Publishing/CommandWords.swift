import Glibc
import Tensors

/// The command line of this run as others may read it.
package enum CommandWords {
  /// A command as a shell takes it, without what is nobody's business: where on this machine folders lie, and tokens.
  ///
  /// - Parameters:
  ///   - arguments: the program's, its own path first.
  ///   - secrets: texts that may not be shown.
  package static func shown(_ arguments: [String], hiding secrets: [String] = []) -> String {
    let program = arguments.first.map { Folder.name($0) } ?? ""
    return Format.command(
      [program] + arguments.dropFirst().map { shortened(hidden($0, secrets)) })
  }

  /// A word with the name of a folder in place of the way to it.
  static func shortened(_ word: String) -> String {
    if word.hasPrefix("--"), let equals = word.firstIndex(of: "=") {
      let behind = word.index(after: equals)
      return word[..<behind] + shortened(String(word[behind...]))
    }
    let isElsewhere =
      word.hasPrefix("/") || word.hasPrefix("~") || word == ".." || word.hasPrefix("../")
      || word.firstRange(of: "/../") != nil
    guard isElsewhere else { return word }
    let parts = word.split(separator: "/")
    guard let last = parts.last else { return word }
    // An iteration's number says nothing without its run.
    guard last.hasPrefix("iter_"), parts.count > 1 else { return String(last) }
    return parts.suffix(2).joined(separator: "/")
  }

  private static func hidden(_ word: String, _ secrets: [String]) -> String {
    var word = word
    for secret in secrets where !secret.isEmpty { word = word.replacing(secret, with: "TOKEN") }
    guard let start = word.firstRange(of: "hf_") else { return word }
    // As the hub's tokens look.
    let tail = word[start.upperBound...].prefix { $0.isASCII && ($0.isLetter || $0.isNumber) }
    guard tail.count >= 20 else { return word }
    return word[..<start.lowerBound] + "TOKEN" + word[tail.endIndex...]
  }

  /// The day, `2026-11-22`, in Greenwich; `SOURCE_DATE_EPOCH` sets it, for builds that are to be repeated.
  package static func today() -> String {
    var seconds = time(nil)
    if let text = getenv("SOURCE_DATE_EPOCH"), let set = Int(String(cString: text)), set >= 0 {
      seconds = set
    }
    var parts = tm()
    guard gmtime_r(&seconds, &parts) != nil else { return "1970-01-01" }
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(Int(parts.tm_year) + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
  }
}
