/// What a program itself refuses, beyond what the rooms below it do.
package enum CommandError: Error, CustomStringConvertible {
  case memoryTooSmall(limit: Int, workers: Int, needed: Int)
  /// Publishing the result would remove what it is made from.
  case wouldReplaceSource(destination: String, source: String)

  /// The user stopped a conversion whose source was still arriving.
  case interruptedWhileArriving

  package var description: String {
    switch self {
    case .memoryTooSmall(let limit, let workers, let needed):
      "--max-memory of \(Format.bytes(limit)) is too little: the buffers of \(Format.count(workers, "worker")) need "
        + "\(needed) bytes (\(Format.bytes(needed))). Allow that much"
        + (workers > 1 ? ", or ask for fewer with --workers." : ".")
    case .wouldReplaceSource(let destination, let source):
      "The destination \(destination) holds the source \(source), which would be gone once the result "
        + "took its place. Choose another destination."
    case .interruptedWhileArriving:
      "Interrupted; nothing was published and what had been written was removed. "
        + "What has arrived stays in the cache, and the same command goes on from there."
    }
  }
}
