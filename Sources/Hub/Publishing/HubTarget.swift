import JSON

/// Where a folder is to go on the hub, looked at before any work: who asks may write there, and what lies there is known.
public struct HubTarget: Sendable {
  public let repository: HubRepository
  public let branch: String
  /// Whom the hub takes the token for.
  public let user: String
  public let isPrivate: Bool
  /// Whether what lies there may be replaced.
  public let overwrites: Bool
  /// What lies there.
  let state: State

  enum State: Equatable, Sendable {
    /// No repository of this name, as far as the hub tells.
    case absent
    /// The branch stands at this commit with these files.
    case present(HubListing)
    /// The repository is there without the branch, which will begin at this commit of the main one.
    case withoutBranch(HubListing)
  }

  public var exists: Bool { state != .absent }

  /// Whether the branch has to be made.
  public var makesBranch: Bool {
    switch state {
    case .absent: branch != Self.main
    case .present: false
    case .withoutBranch: true
    }
  }

  /// The files that the new commit starts from.
  public var files: [HubFile] { listing?.files ?? [] }

  var listing: HubListing? {
    switch state {
    case .absent: nil
    case .present(let listing), .withoutBranch(let listing): listing
    }
  }

  package static let main = "main"
  /// What the hub shows on a repository's page.
  package static let card = "README.md"

  /// Whether the repository's own card stays: nobody's words are replaced unasked.
  public var keepsCard: Bool { !overwrites && files.contains { $0.path == Self.card } }

  /// The files that a folder without them leaves behind, and that would be taken for a part of the new model: weights
  /// and their index, configuration, tokenizer and code beside them.
  ///
  /// Everything else (licences, pictures, folders, files for other programs such as .gguf) is no part of it and stays.
  public func stale(besides new: Set<String>) -> [String] {
    guard overwrites || makesBranch else { return [] }
    return files.map(\.path).filter { !new.contains($0) && Self.isOfModel($0) }
  }

  /// Whether Transformers or PEFT would read a file of this path as a part of the model.
  static func isOfModel(_ path: String) -> Bool {
    guard !path.contains("/") else { return path.hasPrefix("additional_chat_templates/") }
    if ModelFiles.isWeights(path) {
      return ![".gguf", ".ggml", ".onnx", ".onnx_data", ".tflite", ".npz"]
        .contains { path.hasSuffix($0) }
    }
    return ModelFiles.isTokenizer(path) || path.hasSuffix(".py") || settings.contains(path)
  }

  private static let settings: Set<String> = [
    "config.json", "generation_config.json", "adapter_config.json", "merged_adapters.json",
    "preprocessor_config.json", "processor_config.json", "quantize_config.json",
  ]

  /// The files that keep a folder from being put there unasked: everything but what the hub itself makes of a new
  /// repository, and a card or licence written beforehand.
  static func inTheWay(_ files: [HubFile]) -> [String] {
    files.map(\.path).filter { path in
      let name = path.uppercased()
      return ![".gitattributes", ".gitignore", card].contains(path) && name != "LICENSE"
        && !name.hasPrefix("LICENSE.")
    }
  }

  /// The page of a commit.
  func page(of commit: String, _ settings: HubSettings) -> String {
    "\(settings.page(repository))/commit/\(commit)"
  }
}

extension Hub {
  /// Finds out whether a folder may go to a place, before any work is done for it.
  ///
  /// Nothing is changed on the hub.
  ///
  /// - Parameters:
  ///   - text: `org/name`, `name` alone for one's own, with `@branch` for another branch than main.
  ///   - isPrivate: that nobody else is to see it.
  ///   - overwrites: whether a model that lies there may be replaced.
  ///   - refusesModels: whether a model that lies there is an error already, which it is not for who wants to
  ///     compare first.
  /// - Throws: `HubError`.
  public func target(
    _ text: String, isPrivate: Bool = false, overwrites: Bool = false, refusesModels: Bool = true
  ) throws(HubError) -> HubTarget {
    var reference = try HubReference(parsing: text, endpoint: settings.endpoint)
    guard reference.repository.kind == .model, reference.path.isEmpty else {
      throw .publishing(.notAModel(text))
    }
    if let offline = settings.offline {
      throw .publishing(.offline(variable: offline.variable, reference.repository))
    }
    let branch = reference.revision ?? HubTarget.main
    guard !HubPath.isCommit(branch.lowercased()) else {
      throw .publishing(.notABranch(branch, reference.repository))
    }
    let progress = HubProgress()
    return try watched(progress) { () throws(HubError) in
      progress.say("asking \(HubAddress.host(settings.endpoint)) who may push")
      let user = try user(reference.repository, progress)
      if !reference.repository.name.contains("/") {
        reference.repository.name = "\(user.name)/\(reference.repository.name)"
      }
      let repository = reference.repository
      let token = settings.token?.source ?? ""
      try user.requireWriting(to: repository, token: token)
      let state = try state(
        of: repository, branch: branch, wantsPrivate: isPrivate, progress)
      let target = HubTarget(
        repository: repository, branch: branch, user: user.name, isPrivate: isPrivate,
        overwrites: overwrites, state: state)
      if refusesModels { try requireRoom(target) }
      return target
    }
  }

  /// Refuses a branch that holds a model already, unless it may be replaced.
  public func requireRoom(_ target: HubTarget) throws(HubError) {
    guard !target.overwrites, case .present(let listing) = target.state else { return }
    let inTheWay = HubTarget.inTheWay(listing.files)
    guard inTheWay.isEmpty else { throw .notEmpty(target.repository, files: inTheWay) }
  }

  /// Whom the hub takes the token for.
  private func user(
    _ repository: HubRepository, _ progress: HubProgress
  ) throws(HubError) -> HubUser {
    let action = "push to \(repository.name)"
    guard let token = settings.token else {
      throw .noToken(what: action, looked: ["HF_TOKEN", "\(settings.home)/token"])
    }
    let url = "\(settings.endpoint)/api/whoami-v2"
    let answer: JSON
    do throws(HubError) {
      answer = try askJSON(
        url, about: HubSubject(repository, action: action), progress: progress
      ).value
    } catch {
      // There is no repository in this question: what is not known is the token.
      guard case .noRepository = error else { throw error }
      throw .badToken(source: token.source, endpoint: settings.endpoint)
    }
    guard let user = HubUser(answer) else {
      throw .badAnswer(url: HubAddress.shown(url), reason: "it names no user (\"name\")")
    }
    return user
  }

  /// What lies at a place now.
  func state(
    of repository: HubRepository, branch: String, wantsPrivate: Bool, _ progress: HubProgress
  ) throws(HubError) -> HubTarget.State {
    let url = settings.questions(repository)
    let subject = HubSubject(repository, action: "push to \(repository.name)")
    do throws(HubError) {
      let facts = try askJSON(url, about: subject, progress: progress).value.object
      if wantsPrivate, facts?["private"]?.bool != true {
        throw .publishing(.isPublic(repository))
      }
    } catch {
      guard case .noRepository = error else { throw error }
      return .absent
    }
    do throws(HubError) {
      let listing = try head(of: repository, branch: branch, progress)
      try requireBranch(branch, of: repository, progress)
      return .present(listing)
    } catch {
      guard case .noRevision = error, branch != HubTarget.main, !branch.hasPrefix("refs/") else {
        throw error
      }
    }
    return .withoutBranch(try head(of: repository, branch: HubTarget.main, progress))
  }

  /// Refuses a tag, which has files as a branch has but takes no commits.
  private func requireBranch(
    _ name: String, of repository: HubRepository, _ progress: HubProgress
  ) throws(HubError) {
    guard name != HubTarget.main, !name.hasPrefix("refs/") else { return }
    let url = settings.questions(repository) + "/refs"
    let answer = try askJSON(url, about: HubSubject(repository), progress: progress).value
    guard let branches = answer.object?["branches"]?.array else { return }
    guard branches.contains(where: { $0.object?["name"]?.string == name }) else {
      throw .publishing(.notABranch(name, repository))
    }
  }

  /// What a branch holds now.
  func head(
    of repository: HubRepository, branch: String, _ progress: HubProgress
  ) throws(HubError) -> HubListing {
    try listing(
      repository, revision: branch, in: .cache, progress: progress, isPatient: true)
  }
}
