import HTTP
import Synchronization
import Tensors

/// References become folders: what is there is taken, what is missing is fetched.
extension Hub {
  /// A repository's files at a revision, on this machine.
  ///
  /// A commit whose files are all there is taken without asking the hub. Where the hub cannot be reached, or does not
  /// let this user in, what the cache has of the revision is taken if it is all that is needed, and `notes` say so;
  /// that is how huggingface_hub decides, too (`_snapshot_download.py`).
  ///
  /// - Throws: `HubError`; what has arrived stays for the next run.
  public func snapshot(
    _ reference: HubReference, _ need: HubNeed, into destination: HubDestination = .cache,
    isForced: Bool = false
  ) throws(HubError) -> HubSnapshot {
    if let fault = settings.fault { throw fault }
    if !isForced, let snapshot = try withoutAsking(reference, need, destination) { return snapshot }
    if settings.offline != nil { return try cached(reference, need, destination) }
    // Who has something to fall back on is not kept waiting for a hub that cannot be reached.
    let spare = isForced ? nil : try? cached(reference, need, destination)
    let progress = HubProgress()
    return try watched(progress) { () throws(HubError) in
      let plan: HubPlan
      do throws(HubError) {
        plan = try self.plan(
          reference, need, into: destination, isForced: isForced, progress: progress,
          isPatient: spare == nil)
      } catch {
        guard error.leavesTheCache, var spare else { throw error }
        spare.notes.insert(
          "\(error.oneLine) What was fetched before is taken: commit \(spare.commit.prefix(12)).",
          at: 0)
        return spare
      }
      return try carryOut(plan, progress: progress)
    }
  }

  /// What a snapshot would take, shown to whoever watches while it is found out.
  public func planned(
    _ reference: HubReference, _ need: HubNeed, into destination: HubDestination = .cache,
    isForced: Bool = false
  ) throws(HubError) -> HubPlan {
    let progress = HubProgress()
    return try watched(progress) { () throws(HubError) in
      try plan(reference, need, into: destination, isForced: isForced, progress: progress)
    }
  }

  /// What a snapshot would take: the files, and which of them are missing.
  public func plan(
    _ reference: HubReference, _ need: HubNeed, into destination: HubDestination = .cache,
    isForced: Bool = false, progress: HubProgress = HubProgress(), isPatient: Bool = true
  ) throws(HubError) -> HubPlan {
    let (repository, revision) = (reference.repository, reference.revision ?? "main")
    let listing = try listing(
      repository, revision: revision, in: destination, progress: progress, isPatient: isPatient)
    let files = try chosen(need, reference.path, from: listing)
    let place = try place(of: listing, destination, progress: progress)
    var missing: [HubFile] = []
    var adopted: [HubFile] = []
    var begun: [String: Int] = [:]
    for file in files {
      if progress.isCancelled { throw .interrupted }
      if !isForced {
        if try place.has(file) { continue }
        if place.canAdopt(file) {
          adopted.append(file)
          continue
        }
        let incomplete = try place.incomplete(file)
        begun[incomplete] = HubFetch.begun(incomplete, file)
      }
      missing.append(file)
    }
    var notes: [String] = []
    if files.isEmpty, !listing.files.isEmpty {
      notes.append("No file of \(repository.title) is what was asked for.")
    }
    if !listing.leftOut.isEmpty {
      let names = listing.leftOut.prefix(3).map(HubListing.shown).joined(separator: ", ")
      notes.append(
        "Left out, since no file can have such a name everywhere: \(names)"
          + (listing.leftOut.count > 3 ? " and \(listing.leftOut.count - 3) more." : "."))
    }
    return HubPlan(
      listing: listing, folder: place.folder, path: reference.path, files: files,
      missing: missing, adopted: adopted, begun: begun.values.reduce(0, +),
      destination: destination, isForced: isForced, notes: notes)
  }

  /// Fetches what a plan says is missing, and notes the revision's commit when all is there.
  public func carryOut(
    _ plan: HubPlan, progress: HubProgress = HubProgress()
  ) throws(HubError) -> HubSnapshot {
    let place = try place(of: plan.listing, plan.destination, progress: progress)
    try requireSpace(plan, in: place.folder)
    // The large ones first, so that no worker is left alone with one of them in the end.
    let order = plan.missing.enumerated().sorted {
      ($1.element.size, $0.offset) < ($0.element.size, $1.offset)
    }
    var fetches: [HubFetch] = []
    for file in order.map(\.element) + plan.adopted {
      fetches.append(
        try HubFetch(
          self, plan.listing, file, into: place, progress: progress, isForced: plan.isForced))
    }
    try inParallel(fetches, progress: progress) { fetch throws(HubError) in try fetch.run() }
    try note(plan.listing)
    // A reference leads to a folder of the repository, or to all of it.
    let inner = "\(place.folder)/\(plan.path)"
    var snapshot = HubSnapshot(
      folder: !plan.path.isEmpty && Folder.isFolder(inner) ? inner : place.folder,
      commit: plan.listing.commit, listing: plan.listing, notes: plan.notes)
    snapshot.files = plan.files
    snapshot.fetched = plan.missing
    snapshot.received = progress.files.reduce(0) { $0.saturatingAdd($1.done - $1.before) }
    return snapshot
  }

  /// Notes in the cache which commit the listing's revision is, once its files are there.
  package func note(_ listing: HubListing) throws(HubError) {
    // A cache that cannot be written still holds the files.
    try? cache.repository(listing.repository).setRef(listing.revision, listing.commit)
  }

  func place(
    of listing: HubListing, _ destination: HubDestination, progress: HubProgress?
  ) throws(HubError) -> any HubPlace {
    let repository = cache.repository(listing.repository)
    switch destination {
    case .cache: return try CachePlace(repository, commit: listing.commit)
    case .folder(let folder):
      return LocalPlace(
        folder, cache: repository, commit: listing.commit, progress: progress)
    }
  }

  // MARK: Checks before

  /// The files that are needed of those in a reference's folder.
  ///
  /// - Throws: `HubError.noFile` for what was asked for by name and is not listed.
  private func chosen(
    _ need: HubNeed, _ path: String, from listing: HubListing
  ) throws(HubError) -> [HubFile] {
    if case .files(let include, _) = need, include.isEmpty,
      let file = listing.files.first(where: { $0.path == path })
    {
      return [file]
    }
    let files = need.choose(from: listing, in: path)
    let paths = Set(files.map(\.path))
    var absent = need.named.map { path.isEmpty ? $0 : "\(path)/\($0)" }
      .filter { !paths.contains($0) }
    if !path.isEmpty, !listing.files.contains(where: { $0.path.hasPrefix(path + "/") }) {
      absent.append(path)
    }
    guard let name = absent.first else { return files }
    // Others that look for it need not ask.
    try? cache.repository(listing.repository).markAbsent(name, listing.commit)
    throw .noFile(
      listing.repository, revision: listing.revision, path: name,
      known: listing.files.map(\.path))
  }

  /// Refuses to begin what the disk has no room for.
  private func requireSpace(_ plan: HubPlan, in folder: String) throws(HubError) {
    guard plan.bytes > 0, let free = Folder.freeBytes(folder), free < plan.bytes else { return }
    let place = plan.destination == .cache ? settings.cache : folder
    throw .file(.diskFull(path: place, needed: plan.bytes, available: free))
  }

  // MARK: Without the hub

  /// The snapshot of a commit that is all there.
  private func withoutAsking(
    _ reference: HubReference, _ need: HubNeed, _ destination: HubDestination
  ) throws(HubError) -> HubSnapshot? {
    guard let revision = reference.revision, HubPath.isCommit(revision) else { return nil }
    let found = try kept(reference, need, destination)
    // Without a listing nobody can say whether there are others than those that are named.
    guard found.missing.isEmpty, let snapshot = found.snapshot, snapshot.notes.isEmpty,
      snapshot.listing != nil || need.isNamed
    else { return nil }
    return snapshot
  }

  /// What is on this machine of a revision, if it is all that is needed.
  ///
  /// - Throws: `HubError.offline` with what is missing.
  private func cached(
    _ reference: HubReference, _ need: HubNeed, _ destination: HubDestination
  ) throws(HubError) -> HubSnapshot {
    let found = try kept(reference, need, destination)
    if let snapshot = found.snapshot, found.missing.isEmpty { return snapshot }
    throw .offline(
      variable: settings.offline?.variable ?? "HF_HUB_OFFLINE", reference, needed: found.missing,
      place: found.place)
  }

  /// What is on this machine of a revision.
  private func kept(
    _ reference: HubReference, _ need: HubNeed, _ destination: HubDestination
  ) throws(HubError) -> HubCache.Found {
    guard case .folder(let folder) = destination else {
      var found = try cache.find(reference, need)
      if let listing = found.snapshot?.listing {
        found.snapshot?.files = try chosen(need, reference.path, from: listing)
      }
      return found
    }
    let repository = cache.repository(reference.repository)
    let revision = reference.revision ?? "main"
    guard let commit = repository.commit(revision) else {
      return HubCache.Found(snapshot: nil, missing: need.words, place: folder)
    }
    let place = LocalPlace(folder, cache: repository, commit: commit)
    guard var listing = place.listing() else {
      return HubCache.Found(snapshot: nil, missing: need.words, place: folder)
    }
    listing.revision = revision
    let files = try chosen(need, reference.path, from: listing)
    var missing: [String] = []
    for file in files where try !place.has(file) { missing.append(file.path) }
    var snapshot = HubSnapshot(folder: place.folder, commit: commit, listing: listing)
    snapshot.files = files
    return HubCache.Found(snapshot: snapshot, missing: missing, place: folder)
  }
}

extension HubNeed {
  /// The paths that are asked for by name, which must be there.
  package var named: [String] {
    guard case .files(let include, _) = self else { return [] }
    return include.filter { HubPath.isSafe($0) && !$0.contains { "*?[".contains($0) } }
  }

  /// Whether all that is needed is asked for by name.
  var isNamed: Bool {
    guard case .files(let include, _) = self else { return false }
    return !include.isEmpty && named.count == include.count
  }
}

extension HubError {
  /// Whether what the cache has may stand in for the answer.
  ///
  /// Of refusals, only that of a revision decides against it: it was asked for, and is not there any more.
  var leavesTheCache: Bool {
    switch self {
    case .http(let error):
      switch error {
      case .unreachable, .brokenOff, .stalled, .untrusted: true
      default: false
      }
    case .gated, .badToken, .noRepository, .notAllowed, .refused: true
    default: false
    }
  }
}
