import HTTP
import JSON
import Tensors

/// One push, step by step: the repository and its branch, how each file is to come, checksums, the storage, the commit,
/// and a look at what the hub has then.
struct HubPush: Sendable {
  let hub: Hub
  let folder: HubFolder
  let target: HubTarget
  let summary: String
  let details: String

  private var repository: HubRepository { target.repository }
  private var settings: HubSettings { hub.settings }

  /// What the first questions bring.
  private struct Ground: Sendable {
    /// What the branch holds.
    var start: HubListing
    /// The files that are to be there afterwards.
    var files: [HubFolder.File]
    var large: Set<String>
    var keepsCard: Bool
    var deleted: [String]
  }

  func run() throws(HubError) -> HubPushed {
    let asking = HubProgress()
    let ground = try hub.watched(asking) { () throws(HubError) in try prepare(asking) }
    let summed = try hub.summed(folder) { _ in true }
    let progress = HubProgress(title: "upload")
    return try hub.watched(progress) { () throws(HubError) in
      try publish(summed, on: ground, progress)
    }
  }

  // MARK: Before anything is sent

  private func prepare(_ progress: HubProgress) throws(HubError) -> Ground {
    defer { progress.say(nil) }
    let start = try start(progress)
    let keepsCard = try keepsCard(start)
    let files = folder.files.filter { !keepsCard || $0.path != HubTarget.card }
    guard !files.isEmpty else { throw .publishing(.emptyFolder(folder.path)) }
    progress.say("asking how \(files.count) files are to come")
    if files.contains(where: { $0.path == HubTarget.card }) { try checkCard(progress) }
    return Ground(
      start: start, files: files, large: try large(files, progress), keepsCard: keepsCard,
      deleted: HubTarget(
        repository: repository, branch: target.branch, user: target.user,
        isPrivate: target.isPrivate, overwrites: target.overwrites,
        state: target.makesBranch ? .withoutBranch(start) : .present(start)
      ).stale(besides: Set(folder.files.map(\.path))))
  }

  /// Whether the repository's card stays in place of the folder's, which is another one.
  private func keepsCard(_ start: HubListing) throws(HubError) -> Bool {
    guard !target.overwrites, let there = start.files.first(where: { $0.path == HubTarget.card })
    else { return false }
    guard let own = folder[HubTarget.card] else { return false }
    return try !folder.isSame(own, as: there)
  }

  /// What the commit stands on; makes the repository and the branch where they are not there.
  private func start(_ progress: HubProgress) throws(HubError) -> HubListing {
    progress.say("looking at \(repository.name)")
    if !target.exists { try create(progress) }
    let now = try hub.state(
      of: repository, branch: target.branch, wantsPrivate: target.isPrivate, progress)
    switch (target.state, now) {
    case (_, .absent):
      throw .noRepository(
        repository, endpoint: settings.endpoint, token: settings.token?.source)
    case (.absent, .present(let listing)), (.withoutBranch, .present(let listing)):
      // Made by the way: by the hub with its first commit, or by somebody else with more.
      let inTheWay = target.overwrites ? [] : HubTarget.inTheWay(listing.files)
      guard inTheWay.isEmpty else { throw .notEmpty(repository, files: inTheWay) }
      return listing
    case (.present(let old), .present(let listing)):
      guard old.commit == listing.commit else {
        throw .publishing(
          .movedOn(repository, branch: target.branch, from: old.commit, to: listing.commit))
      }
      return listing
    case (_, .withoutBranch(let listing)):
      try makeBranch(from: listing.commit, progress)
      return listing
    }
  }

  /// - Source: huggingface_hub 2.4.0, `HfApi.create_repo`.
  private func create(_ progress: HubProgress) throws(HubError) {
    progress.say("making \(repository.name)")
    let parts = repository.name.split(separator: "/")
    var object: JSONObject = [
      "name": .string(String(parts.last ?? "")), "organization": .string(String(parts[0])),
      "type": .string("model"),
    ]
    if target.isPrivate { object["visibility"] = .string("private") }
    let request = HTTPRequest(
      .post, "\(settings.endpoint)/api/repos/create", headers: ["Content-Type": "application/json"],
      body: .bytes(JSON.object(object).serializedBytes()), token: settings.token?.value,
      patience: hub.patience)
    let response = try hub.persistently(progress) { () throws(HTTPError) in
      var response = try hub.client.send(request, stop: progress.stop)
      // Two repositories of one user are not made at once.
      if response.status == 409, Self.says("conflicting operation", response) {
        response.status = 503
      }
      return response
    }
    // It is there by now, which is as good.
    guard response.isSuccess || response.status == 409 else {
      throw hub.refusal(
        response, about: HubSubject(repository, action: "make \(repository.name)"))
    }
  }

  private static func says(_ words: String, _ response: HTTPResponse) -> Bool {
    let text = response.headers["X-Error-Message"] ?? ""
    return (text + String(decoding: response.body.prefix(4096), as: UTF8.self))
      .firstRange(of: words) != nil
  }

  private func makeBranch(from commit: String, _ progress: HubProgress) throws(HubError) {
    let url =
      settings.questions(repository) + "/branch/"
      + HubAddress.quote(target.branch, slashes: false)
    let body = JSON.object(["startingPoint": .string(commit)]).serializedBytes()
    let subject = HubSubject(
      repository, revision: commit, action: "make the branch \(target.branch)")
    do throws(HubError) {
      _ = try hub.ask(
        .post, url, about: subject, headers: ["Content-Type": "application/json"],
        body: .bytes(body), progress: progress)
    } catch {
      // Somebody made it meanwhile; whether it stands at the same commit the commit itself will show.
      guard case .refused(_, 409, _) = error else { throw error }
    }
  }

  /// Lets the hub read the card's front matter: better now than after hours of sending.
  private func checkCard(_ progress: HubProgress) throws(HubError) {
    guard let card = folder[HubTarget.card], card.size <= HubUploadModes.smallLimit else { return }
    let text = String(decoding: try read(card), as: UTF8.self)
    let body = JSON.object(["content": .string(text), "repoType": .string("model")])
    do throws(HubError) {
      _ = try hub.post(
        "\(settings.endpoint)/api/validate-yaml", about: target.subject,
        body: body.serializedBytes(), progress: progress)
    } catch {
      switch error {
      case .refused(_, 400, let message):
        throw .publishing(
          .badFile(
            path: folder.place(card.path),
            reason: "the hub cannot read what stands between its two lines of dashes"
              + (message.map { " (\($0))" } ?? "") + ". Correct it, and push again."))
      // A mirror may not know the question.
      case .refused(_, 404, _), .refused(_, 405, _), .badAnswer: return
      default: throw error
      }
    }
  }

  /// The files that go into the storage.
  private func large(
    _ files: [HubFolder.File], _ progress: HubProgress
  ) throws(HubError) -> Set<String> {
    var modes = HubUploadModes()
    let url =
      settings.questions(repository) + "/preupload/"
      + HubAddress.quote(target.branch, slashes: false)
    for start in stride(from: 0, to: files.count, by: HubUploadModes.batch) {
      let some = Array(files[start..<min(start + HubUploadModes.batch, files.count)])
      var question: [(path: String, size: Int, sample: [UInt8])] = []
      for file in some {
        question.append((file.path, file.size, try read(file, first: HubUploadModes.sample)))
      }
      let answer = try hub.post(
        url, about: target.subject, body: HubUploadModes.question(question), progress: progress)
      if let reason = modes.take(answer, for: some) {
        throw .badAnswer(url: HubAddress.shown(url), reason: reason)
      }
    }
    guard modes.ignored.isEmpty else {
      throw .publishing(.ignored(repository, files: modes.ignored))
    }
    return modes.large
  }

  /// A file's bytes, or its first ones, if it is still the file that was looked at.
  private func read(_ file: HubFolder.File, first count: Int? = nil) throws(HubError) -> [UInt8] {
    try folder.requireUnchanged(file)
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try InputFile(folder.place(file.path)).read(0..<min(file.size, count ?? file.size))
    } catch { throw .file(error) }
    try folder.requireUnchanged(file)
    return bytes
  }

  // MARK: Sending

  private func publish(
    _ summed: HubFolder, on ground: Ground, _ progress: HubProgress
  ) throws(HubError) -> HubPushed {
    var commit = HubCommit(summary: summary, details: details, parent: ground.start.commit)
    commit.deleted = ground.deleted
    let there = Dictionary(uniqueKeysWithValues: ground.start.files.map { ($0.path, $0) })
    let files = ground.files.map { summed[$0.path] ?? $0 }
    for file in files where try !summed.isSame(file, as: there[file.path]) {
      if ground.large.contains(file.path) {
        commit.large.append(file)
      } else {
        commit.small.append((file.path, try read(file)))
      }
    }
    var pushed = HubPushed(
      repository: repository, branch: target.branch, commit: ground.start.commit,
      address: target.page(of: ground.start.commit, settings), files: files,
      unchanged: files.count - commit.large.count - commit.small.count, deleted: commit.deleted,
      sentBytes: 0, isNew: !commit.isEmpty, keptCard: ground.keepsCard)
    guard !commit.isEmpty else { return pushed }
    pushed.sentBytes = try HubUpload(
      hub: hub, target: target, folder: summed, progress: progress
    ).send(objects(commit.large))
    // What has been checked is sent; what came after it is another file.
    for file in files { try folder.requireUnchanged(file) }
    progress.say("committing to \(repository.name)")
    pushed.commit = try HubCommitting(hub: hub, target: target, commit: commit, files: files)
      .run(progress)
    pushed.address = target.page(of: pushed.commit, settings)
    return pushed
  }

  /// Each content once, whatever its names.
  private func objects(_ files: [HubFolder.File]) -> [HubObject] {
    var seen: Set<String> = []
    return files.compactMap { file in
      guard let sum = file.sha256, seen.insert(sum).inserted else { return nil }
      return HubObject(file: file, sha256: sum)
    }
  }
}
