import Foundation

/// Which question is answered by whom.
extension Core {
  /// A question about one repository.
  struct Subject {
    var question: Question
    var repository: Repository
    /// What comes behind the repository's name, percent signs still there.
    var rest: [String]

    var key: Repository.Key { repository.key }
    /// The revision that the address names, and what comes behind it.
    var revision: (name: String, rest: [String]) {
      let parts = rest.dropFirst().map(Question.decoded)
      if parts.count >= 3, parts[0] == "refs" {
        return (parts[...2].joined(separator: "/"), Array(parts[3...]))
      }
      return (parts.first ?? "main", Array(parts.dropFirst()))
    }
  }

  private static let verbs: Set<String> = [
    "revision", "tree", "paths-info", "preupload", "commit", "commits", "branch", "tag", "refs",
    "resolve", "raw", "resolve-cache",
  ]

  func answer(_ question: Question) -> Answer {
    if question.server == .storage { return stored(question) }
    if question.headers["authorization"] != nil, question.account == nil {
      return .error(401, "Invalid credentials in Authorization header")
    }
    var segments = question.segments
    guard segments.first == "api" else { return page(question, segments) }
    segments.removeFirst()
    switch segments.first {
    case "whoami-v2": return whoAmI(question)
    case "repos" where segments == ["repos", "create"]: return create(question)
    case "validate-yaml": return validate(question)
    case "complete_multipart": return complete(question)
    case "verify": return verify(question)
    case "resolve-cache":
      guard segments.count >= 5, let kind = kind(segments[1]) else { break }
      let name = segments[2...3].joined(separator: "/")
      return about(question, .init(kind: kind, name: name), ["resolve-cache"] + segments[4...])
    case let name?:
      guard let kind = kind(name), segments.count > 1 else { break }
      let (repository, rest) = split(Array(segments.dropFirst()), kind)
      return about(question, repository, rest, isAPI: true)
    case nil: break
    }
    return .error(404, "Sorry, we can't find the page you are looking for.")
  }

  private func kind(_ segment: String) -> HubStandIn.Kind? {
    segment.hasSuffix("s") ? HubStandIn.Kind(rawValue: String(segment.dropLast())) : nil
  }

  /// Pages and files: what lies outside of `/api`.
  private func page(_ question: Question, _ segments: [String]) -> Answer {
    var segments = segments
    var kind = HubStandIn.Kind.model
    if let first = segments.first, let other = self.kind(first), other != .model {
      kind = other
      segments.removeFirst()
    }
    guard !segments.isEmpty else { return .error(404, "Not Found") }
    if let place = segments.firstIndex(where: { $0.hasSuffix(".git") }) {
      let name = segments[...place].joined(separator: "/").dropLast(4)
      return about(
        question, .init(kind: kind, name: String(name)), Array(segments[(place + 1)...]))
    }
    let (repository, rest) = split(segments, kind)
    return about(question, repository, rest)
  }

  /// Parts a path behind the repository's name, which has one part or two.
  private func split(
    _ segments: [String], _ kind: HubStandIn.Kind
  ) -> (Repository.Key, [String]) {
    let isShort = segments.count == 1 || Self.verbs.contains(segments[1])
    let count = isShort ? 1 : 2
    let name = segments.prefix(count).map(Question.decoded).joined(separator: "/")
    return (.init(kind: kind, name: name), Array(segments.dropFirst(count)))
  }

  /// A question about one repository, if the caller may ask it.
  private func about(
    _ question: Question, _ key: Repository.Key, _ rest: [String], isAPI: Bool = false
  ) -> Answer {
    let (found, moved) = state.with { ($0.repositories[key], $0.moved[key]) }
    if found == nil, let moved {
      let tail = question.target.dropFirst(
        (question.target.range(of: key.name)?.upperBound.utf16Offset(in: question.target)) ?? 0)
      let head = (isAPI ? "/api/\(key.kind.rawValue)s/" : "/\(key.kind.prefix)") + moved
      return .redirect(307, to: head + tail)
    }
    let account = question.account
    guard let repository = found, repository.access != .private || account?.owns(key.name) == true
    else {
      return account == nil
        ? .error(401, code: "RepoNotFound", "Repository not found")
        : .error(404, code: "RepoNotFound", "Repository not found")
    }
    if repository.access == .disabled {
      return .error(403, "Access to this resource is disabled.")
    }
    return answer(Subject(question: question, repository: repository, rest: rest))
  }

  private func answer(_ subject: Subject) -> Answer {
    let reads = ["GET", "HEAD"].contains(subject.question.method)
    switch subject.rest.first {
    case nil where reads, "revision" where reads: return information(subject)
    case "tree" where reads: return tree(subject)
    case "refs" where reads: return references(subject)
    case "commits" where reads: return log(subject)
    case "paths-info": return pathsInformation(subject)
    case "resolve" where reads, "raw" where reads, "resolve-cache" where reads:
      return file(subject)
    case "preupload": return writing(subject, prepare)
    case "commit": return writing(subject, commit)
    case "branch": return writing(subject, branch)
    case "info" where subject.rest == ["info", "lfs", "objects", "batch"]:
      return writing(subject, batch)
    default: return .error(404, "Sorry, we can't find the page you are looking for.")
    }
  }

  /// Who may change a repository: its owner, with a token for it.
  private func writing(_ subject: Subject, _ work: (Subject) -> Answer) -> Answer {
    guard subject.question.method == "POST" else { return .error(405, "Method Not Allowed") }
    guard let account = subject.question.account else {
      return .error(401, "Invalid username or password.")
    }
    guard account.role == .write, account.owns(subject.key.name) else {
      return .error(
        403, "Forbidden: you don't have the rights to write to \(subject.key.name)")
    }
    return work(subject)
  }

  private func whoAmI(_ question: Question) -> Answer {
    guard let account = question.account else {
      return .error(401, "Invalid username or password.")
    }
    return .json([
      "type": "user", "id": "1", "name": account.name, "fullname": account.name,
      "orgs": account.organizations.map {
        ["type": "org", "id": "2", "name": $0, "fullname": $0, "roleInOrg": account.role.rawValue]
      },
      "auth": [
        "type": "access_token",
        "accessToken": ["displayName": "token", "role": account.role.rawValue],
      ],
    ])
  }
}
