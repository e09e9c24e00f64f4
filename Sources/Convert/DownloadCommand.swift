import ArgumentParser
import Console
import Hub
import JSON
import Tensors

/// `convert download`: files of the hub onto this machine, as `hf download` brings them.
struct DownloadCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "download",
    abstract: "Fetches a model, a dataset or single files from the hub.",
    discussion: """
      Files go into the hub cache (HF_HUB_CACHE, HF_HOME) that Python's huggingface_hub uses too: what one has \
      fetched, the other finds. A download that was cut short goes on where it ended; size and checksum of every \
      file are checked. Everything is fetched, as by `hf download`; with --for model only what converting needs: \
      the safetensors and the files beside them.

      EXAMPLES
        convert download org/name
        convert download org/name --for model
        convert download org/name config.json tokenizer.json
        convert download org/name --include "*.safetensors" --exclude "original/*"
        convert download hf://datasets/org/name@v1.0 --local-dir ./data
        convert download org/name --dry-run

      The token is HF_TOKEN, or that of `hf auth login`; HF_ENDPOINT names another hub, \
      HF_HUB_DOWNLOAD_TIMEOUT and HF_HUB_ETAG_TIMEOUT how many seconds a silent server is waited for.
      """)

  @Argument(
    help: ArgumentHelp(
      "The repository: org/name, hf://[datasets/|spaces/]org/name[@revision][/path] or its web address.",
      valueName: "ref"))
  var reference: String

  @Argument(
    help: ArgumentHelp(
      "Files of it alone; a name that ends in / is a folder. (default: all)", valueName: "files"))
  var files: [String] = []

  @OptionGroup(title: "What") var choice: DownloadChoice
  @OptionGroup(title: "Where") var place: DownloadPlace
  @OptionGroup(title: "Running") var running: DownloadRunning

  var wantsJSON: Bool { running.json }

  func validate() throws {
    if place.localFolder != nil, place.cacheFolder != nil {
      throw ValidationError(
        "--local-dir and --cache-dir exclude each other: the one is a folder of real files, the other a cache "
          + "that programs share.")
    }
    let folders = files.filter { $0.hasSuffix("/") }
    if let folder = folders.first, !choice.include.isEmpty || !choice.exclude.isEmpty {
      throw ValidationError(
        "The folder \(folder) cannot be combined with --include or --exclude. Write --include '\(folder)*'."
      )
    }
    if !files.isEmpty, choice.purpose != .all {
      throw ValidationError("--for chooses files by itself; leave it out to name them.")
    }
    if let pattern = files.first(where: { $0.contains("*") }), !choice.exclude.isEmpty {
      throw ValidationError(
        "Is '\(pattern)' to be fetched or left out? Write --include or --exclude before every pattern."
      )
    }
  }

  func run() throws {
    let (target, need, single) = try wanted()
    let hub = Hub.current.with(watching: running.isQuiet ? DownloadDisplay(style: .none) : nil) {
      settings in
      if let folder = place.cacheFolder { settings.cache = Folder.absolute(folder) }
      if let token = running.token, !token.isEmpty {
        settings.token = HubToken(value: token, source: "--token")
      }
      settings.workers = running.workers
    }
    let report = DownloadReport(
      reference: target, single: single,
      isShared: place.localFolder == nil && place.cacheFolder == nil, running: running)
    let destination = place.localFolder.map { HubDestination.folder(Folder.absolute($0)) } ?? .cache
    if place.isDryRun {
      report.show(try hub.planned(target, need, into: destination, isForced: place.isForced))
      return
    }
    let start = ContinuousClock.now
    let snapshot = try hub.snapshot(target, need, into: destination, isForced: place.isForced)
    report.show(snapshot, seconds: (ContinuousClock.now - start).seconds)
  }

  /// The repository, what of it, and the one file that is asked for, if it is one.
  private func wanted() throws -> (HubReference, HubNeed, single: String?) {
    var target = try repository()
    var files = files
    if !target.path.isEmpty {
      guard files.isEmpty else {
        throw ValidationError(
          "The reference names \(target.path) already; leave that out to name files.")
      }
      files = [target.path + (reference.hasSuffix("/") ? "/" : "")]
      target.path = ""
    }
    if files.isEmpty || files.allSatisfy({ $0.contains("*") }) {
      return (target, choice.need(adding: files), nil)
    }
    for (name, patterns) in [("--include", choice.include), ("--exclude", choice.exclude)]
    where !patterns.isEmpty {
      Report.error("note: \(name) says nothing where files are named.", label: "")
    }
    let isOne = files.count == 1 && !files[0].hasSuffix("/")
    return (
      target, .files(include: files.map(Self.pattern), exclude: []), isOne ? files[0] : nil
    )
  }

  /// A file's name as the pattern that matches it alone; with a star it is a pattern already.
  private static func pattern(_ name: String) -> String {
    guard !name.contains("*") else { return name }
    return name.reduce(into: "") { $0 += $1 == "[" || $1 == "?" ? "[\($1)]" : "\($1)" }
  }

  private func repository() throws -> HubReference {
    let isURI = reference.hasPrefix("hf://")
    for (name, isGiven) in [
      ("--repo-type", choice.kind != nil), ("--revision", choice.revision != nil),
    ]
    where isURI && isGiven {
      throw ValidationError("\(name) cannot be used with an hf:// reference ('\(reference)').")
    }
    var text = reference
    let prefixes = ["models/", "datasets/", "spaces/"]
    let isPrefixed =
      prefixes.contains { text.hasPrefix($0) } && text.filter { $0 == "/" }.count == 2
    if isPrefixed { text = "hf://" + text }
    var target = try HubReference(
      parsing: text, revision: choice.revision, endpoint: Hub.current.settings.endpoint)
    guard let kind = choice.kind else { return target }
    if isPrefixed, target.repository.kind != kind {
      throw ValidationError("'\(reference)' is no \(kind.rawValue), as --repo-type says.")
    }
    target.repository.kind = kind
    return target
  }
}

extension HubRepository.Kind: ExpressibleByArgument {}

/// What of a repository.
struct DownloadChoice: ParsableArguments {
  enum Purpose: String, CaseIterable, ExpressibleByArgument {
    case all, model, tokenizer, configuration
  }

  @Option(
    name: [.customLong("repo-type"), .customLong("type")],
    help: ArgumentHelp("What kind of repository it is. (default: model)", valueName: "kind"))
  var kind: HubRepository.Kind?

  @Option(help: ArgumentHelp("The branch, tag or commit. (default: main)", valueName: "revision"))
  var revision: String?

  @Option(
    help: ArgumentHelp(
      "Fetch the files that match; may be given again. * matches slashes, too.",
      valueName: "pattern"))
  var include: [String] = []

  @Option(help: ArgumentHelp("Leave out the files that match.", valueName: "pattern"))
  var exclude: [String] = []

  @Option(
    name: .customLong("for"),
    help: ArgumentHelp(
      "Fetch what is needed for that alone: model leaves out weights in other formats than safetensors.",
      valueName: "purpose"))
  var purpose: Purpose = .all

  func validate() throws {
    if purpose != .all, !include.isEmpty || !exclude.isEmpty {
      throw ValidationError(
        "--for chooses files by itself; leave it out, or --include and --exclude.")
    }
  }

  /// - Parameter patterns: more that are included.
  func need(adding patterns: [String]) -> HubNeed {
    switch purpose {
    case .all: .files(include: include + patterns, exclude: exclude)
    case .model: .model
    case .tokenizer: .tokenizer
    case .configuration: .configuration
    }
  }
}

/// Where the files go.
struct DownloadPlace: ParsableArguments {
  @Option(
    name: .customLong("cache-dir"),
    help: ArgumentHelp("The cache. (default: HF_HUB_CACHE, or hub in HF_HOME)", valueName: "dir"))
  var cacheFolder: String?

  @Option(
    name: .customLong("local-dir"),
    help: ArgumentHelp("A folder for the files themselves, instead of the cache.", valueName: "dir")
  )
  var localFolder: String?

  @Flag(name: .customLong("force-download"), help: "Fetch what is there already again.")
  var isForced = false

  @Flag(name: .customLong("dry-run"), help: "Print what would be fetched, and fetch nothing.")
  var isDryRun = false
}

/// How the command works and talks.
struct DownloadRunning: ParsableArguments {
  @Option(help: ArgumentHelp("Who asks; better put into HF_TOKEN.", valueName: "token"))
  var token: String?

  @Option(
    name: [.customLong("max-workers"), .customLong("workers")],
    help: ArgumentHelp("Files that are fetched at once.", valueName: "n"))
  var workers = 8

  @Flag(name: .customLong("no-progress"), help: "Show no progress.")
  var hidesProgress = false

  @Flag(name: .customLong("json"), help: "Print the result as one JSON object.")
  var json = false

  @Flag(name: [.customShort("q"), .customLong("quiet")], help: "Print the path alone.")
  var isQuiet = false

  func validate() throws {
    guard (1...256).contains(workers) else {
      throw ValidationError("--max-workers must be a number from 1 to 256, not \(workers).")
    }
  }
}
