import JSON

/// Whom a token stands for, as the hub says it (`GET /api/whoami-v2`), and what it may do.
struct HubUser: Equatable, Sendable {
  var name: String
  var organisations: [Organisation]
  var access: Access

  struct Organisation: Equatable, Sendable {
    var name: String
    /// `admin`, `write`, `contributor` or `read`; a mirror may leave it out.
    var role: String?
  }

  /// What the token allows beyond what its owner may do.
  enum Access: Equatable, Sendable {
    case read
    case write
    /// Permissions for each of several users, organisations or repositories.
    case scoped([Scope])
    /// A kind of token that is not known here: the hub itself decides.
    case other
  }

  struct Scope: Equatable, Sendable {
    /// What it is about: `user`, `org`, `model`, `resource-group`.
    var kind: String
    var name: String
    var permissions: [String]

    var mayWrite: Bool { permissions.contains("repo.write") }
  }

  /// Reads an answer; `nil` if it names nobody.
  init?(_ answer: JSON) {
    guard let object = answer.object, let name = object["name"]?.string, !name.isEmpty else {
      return nil
    }
    self.name = name
    organisations = (object["orgs"]?.array ?? []).compactMap { entry in
      entry.object?["name"]?.string.map {
        Organisation(name: $0, role: entry.object?["roleInOrg"]?.string)
      }
    }
    let token = object["auth"]?.object?["accessToken"]?.object
    switch token?["role"]?.string {
    case "read": access = .read
    case "write": access = .write
    case "fineGrained": access = Self.scopes(token?["fineGrained"]?.object)
    default: access = .other
    }
  }

  private static func scopes(_ object: JSONObject?) -> Access {
    guard let entries = object?["scoped"]?.array else { return .other }
    return .scoped(
      entries.map { entry in
        let entity = entry.object?["entity"]?.object
        return Scope(
          kind: entity?["type"]?.string ?? "", name: entity?["name"]?.string ?? "",
          permissions: (entry.object?["permissions"]?.array ?? []).compactMap(\.string))
      })
  }

  /// Refuses what is certain to be refused later: a token that only reads, somebody else's name.
  ///
  /// - Parameter source: where the token was found.
  func requireWriting(to repository: HubRepository, token source: String) throws(HubError) {
    if access == .read {
      throw .publishing(.readOnlyToken(source: source, user: name, repository))
    }
    let owner = repository.name.prefix { $0 != "/" }.lowercased()
    if owner != name.lowercased() {
      guard let organisation = organisations.first(where: { $0.name.lowercased() == owner }) else {
        throw .publishing(
          .notAMember(
            of: String(repository.name.prefix { $0 != "/" }), user: name,
            organisations: organisations.map(\.name)))
      }
      if organisation.role == "read" {
        throw .publishing(.readOnlyMember(of: organisation.name, user: name))
      }
    }
    guard case .scoped(let scopes) = access else { return }
    let writing = scopes.filter(\.mayWrite)
    guard writing.contains(where: { $0.mayHold(repository, owner: owner) }) else {
      throw .publishing(
        .outOfScope(source: source, writes: writing.map(\.name), repository))
    }
  }
}

extension HubUser.Scope {
  /// Whether a repository may be one of those that the scope is about.
  fileprivate func mayHold(_ repository: HubRepository, owner: String) -> Bool {
    switch kind {
    case "user", "org": name.lowercased() == owner
    case "model": name.lowercased() == repository.name.lowercased()
    case "dataset", "space", "bucket", "kernel", "collection", "oauth-app": false
    // A group of repositories, or something newer, may hold any.
    default: true
    }
  }
}
