import HTTP
import Tensors

/// Each error as sentences: what happened, where, and what to do next.
extension HubError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .badReference(let text, let reason):
      "\"\(text)\" is no reference to a repository: \(reason). Write \(HubReference.forms)."
    case .badSetting(let name, let reason): "\(name) cannot be used: \(reason)"
    case .unsafePath(let path, let repository):
      "\(repository.title) has the name \(HubListing.shown(path)), which would lead out of its folder. "
        + "Nothing was written; ask the repository's owner to rename the file."
    case .gated, .badToken, .noRepository, .notAllowed, .noToken: access
    case .noRevision, .noFile, .notEmpty: absence
    case .refused, .badAnswer: answer
    case .http(let error): "\(error)"
    case .offline(let variable, let reference, let needed, let place):
      "\(reference) is not all in the cache: \(Self.list(needed)) missing; looked in \(place). \(variable) forbids "
        + "connections: unset it and run `convert download \(reference)`, or bring the cache from where there is a network."
    case .notCached(let reference, let place):
      "\(reference) is not in the cache; looked in \(place). `convert cache list --revisions` shows what is, and "
        + "`convert download \(reference)` fetches it."
    case .corrupt(let path, let url, let expected, let found):
      "\(path) did not arrive as the hub lists it, twice: its checksum should be \(expected) and is \(found). "
        + "It came from \(url). Something on the way changes it: a proxy, a mirror, or the hub's own storage; "
        + "try another network, or ask the repository's owner."
    case .tooShort(let path, let url, let expected, let found):
      "\(path) ends after \(found) bytes where the hub lists \(expected), twice. It came from \(url). "
        + "Try again later, or another mirror (HF_ENDPOINT)."
    case .tooLong(let path, let url, let expected):
      "\(path) has more than the \(expected) bytes that the hub lists, twice. It came from \(url). "
        + "Try again later, or another mirror (HF_ENDPOINT)."
    case .file(let error): Self.sentences(error)
    case .publishing(let error): "\(error)"
    case .interrupted:
      "Interrupted; what has arrived stays, and the same command goes on from there."
    }
  }

  /// The first sentence alone, for a note.
  package var oneLine: String {
    let text = description
    guard let end = text.firstRange(of: ". ") else { return text }
    return String(text[..<end.lowerBound]) + "."
  }

  /// Some of many.
  private static func list(_ names: [String]) -> String {
    let shown = names.prefix(10).joined(separator: ", ")
    return names.count > 10 ? "\(shown) and \(names.count - 10) more" : shown
  }

  private static func sentences(_ error: FileError) -> String {
    switch error {
    case .diskFull:
      "\(error) What has arrived stays, and the same command goes on from there."
    default: "\(error)"
    }
  }

  // MARK: Access

  private var access: String {
    switch self {
    case .gated(let repository, let endpoint, let token):
      "\(repository.title) is gated: its owners give it only to who has agreed to their terms. Open "
        + "\(endpoint)/\(repository.title) in a browser, log in and ask for access; "
        + (token.map { "it must be the account of the token in \($0)." }
          ?? "then log in here with `hf auth login`, or set HF_TOKEN to a token of that account (\(endpoint)/settings/tokens).")
    case .badToken(let source, let endpoint):
      "\(endpoint) does not know the token in \(source). Make a new one at \(endpoint)/settings/tokens and put it "
        + "there, or take the old one away: what is public needs none."
    case .noRepository(let repository, let endpoint, let token):
      "\(endpoint) has no \(repository.kind) \(repository.name), or does not show it. Check the spelling"
        + (repository.kind == .model ? " (a dataset is datasets/org/name)" : "")
        + (token.map { "; if it is private, the token in \($0) does not open it." }
          ?? "; if it is private or gated, log in with `hf auth login` or set HF_TOKEN.")
    case .notAllowed(let what, let repository, let token, let message):
      "The hub does not allow to \(what)\(message.map { ": \($0)" } ?? "")."
        .replacing("..", with: ".")
        + (token.map {
          " The token in \($0) needs the right to do that with \(repository.title); see its settings on the hub."
        } ?? " Log in with `hf auth login`, or set HF_TOKEN.")
    case .noToken(let what, let looked):
      "To \(what) the hub has to know who you are, and no token was found (\(Self.list(looked))). "
        + "Log in with `hf auth login`, or set HF_TOKEN."
    default: ""
    }
  }

  // MARK: What is not there

  private var absence: String {
    switch self {
    case .noRevision(let repository, let revision, let known):
      "\(repository.title) has no branch, tag or commit \(revision)."
        + (known.isEmpty ? " Look at its page for those it has." : " It has \(Self.list(known)).")
    case .noFile(let repository, let revision, let path, let known):
      "\(repository.title) has no file \(path) at \(revision)."
        + (known.isEmpty ? " Look at its page for those it has." : "")
    case .notEmpty(let repository, let files):
      "\(repository.title) has \(Self.list(files)) already. Use --overwrite to replace what is there, or another name."
    default: ""
    }
  }

  // MARK: Answers

  private var answer: String {
    switch self {
    case .refused(let url, let status, let message):
      "The hub answered with status \(status)\(message.map { " (\($0))" } ?? "") to \(url). "
        + Self.advice(status)
    case .badAnswer(let url, let reason):
      "The answer of \(url) cannot be: \(reason). Check HF_ENDPOINT and what lies on the way (a proxy, a log-in page), "
        + "or try again later."
    default: ""
    }
  }

  private static func advice(_ status: Int) -> String {
    switch status {
    case 429:
      "It asks for fewer requests: wait some minutes and run the same command, which goes on where this one ended; "
        + "users who are logged in may ask more often."
    case 500...599: "It is in trouble: try again later. What has arrived stays."
    default:
      "What has arrived stays; if trying again does not help, look at the page of the repository."
    }
  }
}
