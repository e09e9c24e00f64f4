import Checkpoints
import Hub
import JSON
import Tensors

/// A result that goes to the hub once its folder is complete: its card, the push, and what there is to tell of it.
package struct Publication {
  package let target: HubTarget
  package let manner: PushManner
  /// Without the files, which are known at the end.
  package var card: ModelCard

  package init(_ target: HubTarget, _ manner: PushManner, card: ModelCard) {
    self.target = target
    self.manner = manner
    self.card = card
  }

  private var summary: String { manner.message ?? card.summary }

  // MARK: Before

  /// The result with the card in place of the base's, which speaks of other weights.
  func replacingCard(in transfer: Transfer) -> Transfer {
    var transfer = transfer
    transfer.copies.removeAll { $0.path == ModelCard.name }
    return transfer
  }

  /// What would be done, for a plan.
  func plan(_ transfer: Transfer) -> PushReport.Told {
    PushReport(target).planned(
      transfer.files.map(\.path) + (transfer.before + transfer.after).map(\.path)
        + transfer.copies.map(\.path) + [ModelCard.name])
  }

  // MARK: After

  /// Gives a folder its card and its name, and brings it to the hub.
  ///
  /// - Throws: `PushFailure` once the folder has its name.
  func publish(_ staged: StagedFolder) throws -> PushReport.Told {
    let folder: HubFolder
    do {
      folder = try writeCard(in: staged.path)
      try staged.publish()
    } catch {
      staged.discard()
      if case HubError.interrupted = error { throw ConversionError.interrupted }
      throw error
    }
    return PushReport(target).done(try push(folder.moved(to: staged.destination)))
  }

  /// Writes the card into a folder that is complete otherwise.
  ///
  /// - Returns: the folder's files, the checksums of its weights among them.
  private func writeCard(in folder: String) throws -> HubFolder {
    let hub = Hub.current
    let files = try hub.summed(try HubFolder(folder)) { Self.isWeights($0.path) }
    let weights = files.files.filter { Self.isWeights($0.path) }
      .map { ModelCard.File(path: $0.path, size: $0.size, sha256: $0.sha256 ?? "") }
    var card = card
    let names = Set(files.files.map(\.path))
    card.hasTokenizer = names.contains { ModelFiles.isTokenizer($0) }
    let text = card.text(
      files: weights, names: names.union([ModelCard.name]), date: CommandWords.today())
    try OutputFile.replace("\(folder)/\(ModelCard.name)") { file throws(FileError) in
      try file.write(Array(text.utf8), at: 0)
    }
    return try HubFolder(folder).keeping(files)
  }

  private static func isWeights(_ path: String) -> Bool { path.hasSuffix(".safetensors") }

  /// Brings the folder to the hub.
  ///
  /// - Throws: `PushFailure`, with the command that repeats the push alone.
  private func push(_ folder: HubFolder) throws -> HubPushed {
    do throws(HubError) {
      return try Hub.current.push(
        folder, to: target, summary: summary,
        details: card.description(date: CommandWords.today()))
    } catch {
      throw PushFailure(
        error: error, folder: folder.path,
        command: ["convert", "push", folder.path, PushReport.reference(target)]
          + manner.words(overwrites: target.overwrites))
    }
  }
}

/// A push that failed after its folder was complete.
package struct PushFailure: Error, CustomStringConvertible {
  package var error: HubError
  package var folder: String
  /// What repeats the push alone.
  package var command: [String]

  package init(error: HubError, folder: String, command: [String]) {
    self.error = error
    self.folder = folder
    self.command = command
  }

  package var isInterruption: Bool { if case .interrupted = error { true } else { false } }

  package var description: String {
    let reason = isInterruption ? "Interrupted; nothing was committed." : "\(error)"
    return
      "\(reason)\nThe result is complete in \(folder). Push it again, without converting again:\n"
      + "  " + Format.command(command)
  }
}
