/// Why a folder could not be brought to the hub, where asking for files has no such reason.
public enum HubPublishingError: Error, Equatable, Sendable {
  // MARK: Before anything is done

  /// Connections are forbidden.
  case offline(variable: String, HubRepository)
  /// The reference names a dataset, a space, or a file.
  case notAModel(String)
  /// A commit or a hub's own reference cannot be pushed to.
  case notABranch(String, HubRepository)
  case badName(String, reason: String)
  case readOnlyToken(source: String, user: String, HubRepository)
  /// A fine-grained token that writes elsewhere only, or nowhere.
  case outOfScope(source: String, writes: [String], HubRepository)
  case notAMember(of: String, user: String, organisations: [String])
  /// The user may only read in this organisation.
  case readOnlyMember(of: String, user: String)
  /// The user asked for a private repository, and this one is for everybody to see.
  case isPublic(HubRepository)

  // MARK: The folder

  case emptyFolder(String)
  case badFile(path: String, reason: String)
  /// It has become another file since it was first looked at.
  case changed(path: String)
  /// The repository's .gitignore keeps these out.
  case ignored(HubRepository, files: [String])

  // MARK: Sending

  /// The hub does not take this object.
  case object(path: String, code: Int, message: String)
  /// The storage does not take these bytes.
  case storage(path: String, url: String, status: Int, message: String?)
  /// Somebody else committed while this was on its way.
  case movedOn(HubRepository, branch: String, from: String, to: String?)
  /// The commit is there, and these files are not in it as they were sent.
  case different(HubRepository, commit: String, files: [String])
}

extension HubPublishingError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .offline, .notAModel, .notABranch, .badName, .isPublic: aboutTheDestination
    case .readOnlyToken, .outOfScope, .notAMember, .readOnlyMember: aboutTheUser
    case .emptyFolder, .badFile, .changed, .ignored: aboutTheFolder
    case .object, .storage, .movedOn, .different: aboutSending
    }
  }

  private var aboutTheDestination: String {
    switch self {
    case .offline(let variable, let repository):
      "\(variable) forbids connections, so nothing can be pushed to \(repository.name). "
        + "Unset it, or leave --push out and push later with convert push."
    case .notAModel(let text):
      "\(text) is no model repository as a whole, and a model is pushed to one. Name it as org/name, or "
        + "org/name@branch for another branch than main (a slash in a branch is written %2F)."
    case .notABranch(let revision, let repository):
      "\(revision) of \(repository.name) is no branch, and a commit needs one to stand on. "
        + "Name a branch, as in \(repository.name)@main."
    case .badName(let name, let reason):
      "\(name) cannot be the name of a repository: \(reason) Name it as org/name, with letters, "
        + "digits and - _ . in between."
    case .isPublic(let repository):
      "\(repository.name) exists and is public, but --private was asked for. Make it private in its "
        + "settings on the hub, push to another repository, or leave --private out."
    default: ""
    }
  }

  private var aboutTheUser: String {
    switch self {
    case .readOnlyToken(let source, let user, let repository):
      "The token of \(user) in \(source) may only read, so it cannot push to \(repository.name). "
        + "Make one with write access under Settings, Access Tokens, and log in with it: hf auth login."
    case .outOfScope(let source, let writes, let repository):
      "The fine-grained token in \(source) may not write to \(repository.name)"
        + (writes.isEmpty ? "; it writes nowhere. " : ", only to \(Self.list(writes)). ")
        + "Give it write access to that repository or its owner under Settings, Access Tokens."
    case .notAMember(let organisation, let user, let organisations):
      "\(user) is no member of \(organisation), so nothing can be pushed there"
        + (organisations.isEmpty ? ". " : " (member of \(Self.list(organisations))). ")
        + "Ask one of its administrators to be added, or push to \(user)/name."
    case .readOnlyMember(let organisation, let user):
      "\(user) may only read in \(organisation), so nothing can be pushed there. Ask one of its "
        + "administrators for the right to write, or push to \(user)/name."
    default: ""
    }
  }

  private var aboutTheFolder: String {
    switch self {
    case .emptyFolder(let path):
      "There is nothing to push in \(path). Name the folder that holds the model's files."
    case .badFile(let path, let reason):
      "\(path) cannot be pushed: \(reason)"
    case .changed(let path):
      "\(path) changed while it was being pushed, so nothing was committed. Let whatever writes it "
        + "come to its end and push again."
    case .ignored(let repository, let files):
      "The .gitignore of \(repository.name) keeps out \(Self.list(files)), and a model without them "
        + "is none. Take them out of it on the hub and push again."
    default: ""
    }
  }

  private var aboutSending: String {
    switch self {
    case .object(let path, let code, let message):
      "The hub does not take \(path): \(message) (\(code)). Nothing was committed."
    case .storage(let path, let url, let status, let message):
      "The hub's storage did not take \(path): \(url) answered \(status)"
        + (message.map { " (\($0))" } ?? "") + ". Nothing was committed; pushing again sends only "
        + "what did not arrive."
    case .movedOn(let repository, let branch, let from, let to):
      "Somebody else committed to \(branch) of \(repository.name) meanwhile (it was at "
        + "\(from.prefix(12))" + (to.map { ", now \($0.prefix(12))" } ?? "")
        + "), so nothing was committed. Look at what came, and push again."
    case .different(let repository, let commit, let files):
      "Commit \(commit.prefix(12)) of \(repository.name) is there, but \(Self.list(files)) "
        + "in it are not as they were sent. Push again, and tell the hub's keepers if it stays so."
    default: ""
    }
  }

  /// A few of many names.
  private static func list(_ names: [String]) -> String {
    let shown = names.prefix(5).joined(separator: ", ")
    return names.count > 5 ? "\(shown) and \(names.count - 5) more" : shown
  }
}
