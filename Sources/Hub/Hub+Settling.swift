import Tensors

/// What one command means by a reference: a branch that moves meanwhile does not give it two models.
extension Hub {
  /// A repository's files, of the commit that this command has taken for the reference before.
  ///
  /// Notes go to whoever watches, each once.
  ///
  /// - Throws: `HubError`.
  public func settled(_ reference: HubReference, _ need: HubNeed) throws(HubError) -> HubSnapshot {
    var asked = reference
    let known = settled.withLock { $0[reference.revisionKey] }
    if let known { asked.revision = known }
    let snapshot = try snapshot(asked, need)
    settled.withLock { $0[reference.revisionKey] = snapshot.commit }
    for note in snapshot.notes where told.withLock({ $0.insert(note).inserted }) {
      watching?.note(note)
    }
    return snapshot
  }

  /// What the cache has of a reference, if it is all that is needed; nobody is asked.
  public func kept(_ reference: HubReference, _ need: HubNeed) -> HubSnapshot? {
    guard settings.fault == nil, let found = try? cache.find(reference, need),
      found.missing.isEmpty
    else { return nil }
    return found.snapshot
  }

  /// The name by which others find the model of a snapshot's folder; `nil` for folders that are none, and of
  /// revisions that are not `main`, which a name alone does not lead to.
  public func name(of folder: String) -> String? {
    let parts = folder.split(separator: "/").suffix(3).map(String.init)
    guard parts.count == 3, parts[1] == "snapshots", HubPath.isCommit(parts[2]),
      let id = HubRepository(folder: parts[0]), id.kind == .model
    else { return nil }
    let repository = cache.repository(id)
    guard folder == "\(repository.folder)/snapshots/\(parts[2])" else { return nil }
    let taken = settled.withLock { $0[HubReference(id, revision: "main")] }
    return taken ?? repository.commit("main") == parts[2] ? id.name : nil
  }

  /// Asks once whether there is such a repository.
  ///
  /// - Throws: `HubError`.
  public func requireAnswer(_ reference: HubReference) throws(HubError) {
    let revision = reference.revision ?? "main"
    let once = with { $0.attempts = 1 }
    _ = try once.listing(reference.repository, revision: revision)
  }
}

extension HubReference {
  /// The reference without its path: what has one commit.
  fileprivate var revisionKey: HubReference {
    HubReference(repository, revision: revision ?? "main")
  }
}
