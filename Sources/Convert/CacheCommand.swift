import ArgumentParser
import Console
import Hub
import Tensors

/// `convert cache`: what lies in the hub cache, and whether it is whole.
struct CacheCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cache",
    abstract: "Lists the hub cache, or reads it from end to end.",
    discussion: """
      The cache is the folder that Python's huggingface_hub uses too: HF_HUB_CACHE, else hub in HF_HOME, else \
      ~/.cache/huggingface/hub. Neither command asks the hub or changes anything.

      EXAMPLES
        convert cache list
        convert cache list --revisions
        convert cache verify
        convert cache verify org/name hf://datasets/org/name@v1.0
      """,
    subcommands: [CacheListCommand.self, CacheVerifyCommand.self])
}

/// Which cache is meant.
struct CachePlace: ParsableArguments {
  @Option(
    name: .customLong("cache-dir"),
    help: ArgumentHelp("The cache. (default: HF_HUB_CACHE, or hub in HF_HOME)", valueName: "dir"))
  var folder: String?

  /// The hub with this cache.
  func hub(workers: Int? = nil) throws -> Hub {
    let hub = Hub.current.with { settings in
      if let folder { settings.cache = Folder.absolute(folder) }
      if let workers { settings.workers = workers }
    }
    if let fault = hub.settings.fault { throw fault }
    return hub
  }
}
