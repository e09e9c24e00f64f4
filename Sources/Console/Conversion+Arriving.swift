import Checkpoints
import Hub
import JSON
import Synchronization
import Tensors

extension Conversion {
  /// Weights that arrive from the hub while they are converted.
  package struct Arriving {
    package var model: ArrivingModel
    /// Whether all weights are to be in the cache in the end, or those alone that are converted.
    package var takesAll: Bool
    /// What can be laid out only when all is there.
    package var rest: ImportPlan.Rest?
    /// The same conversion from weights that are all there.
    package var again: () throws -> (transfer: Transfer, notes: [String])

    package init(
      _ model: ArrivingModel, takesAll: Bool, rest: ImportPlan.Rest? = nil,
      again: @escaping () throws -> (transfer: Transfer, notes: [String])
    ) {
      self.model = model
      self.takesAll = takesAll
      self.rest = rest
      self.again = again
    }
  }

  /// The conversion that was carried out, and what was fetched meanwhile.
  struct Carried {
    var done: Conversion
    /// Where the result was written; it is in its place unless it goes to the hub first.
    var staged: StagedFolder
    var download: Download?
  }

  /// What became of the download.
  struct Download: Sendable {
    var files: Int
    var bytes: Int
    /// The bytes of these files that were here before.
    var found: Int
    /// From its beginning to the end of its last check.
    var seconds = 0.0
    /// The tensor bytes that had been written when it ended.
    var early = 0
    /// Whether everything was made once more, since something that had arrived proved wrong.
    var isRepeated = false
  }

  /// Carries the conversion out while its weights arrive.
  ///
  /// What was made of bytes that prove wrong in the end is thrown away, and made again from those that were fetched
  /// anew: nothing of it is ever put in its place.
  func carryOut(
    _ arriving: Arriving, to target: String, overwrite: Bool, workers: Int,
    _ progress: TransferProgress
  ) throws -> Carried {
    let model = arriving.model
    let coming = model.coming(for: transfer, all: arriving.takesAll)
    let state = Mutex(
      Download(files: coming.files, bytes: coming.bytes, found: model.found))
    let start = ContinuousClock.now
    do {
      var done = self
      let ended = { @Sendable in
        let elapsed = (ContinuousClock.now - start).components
        state.withLock {
          $0.seconds = Double(elapsed.seconds) + Double(elapsed.attoseconds) * 1e-18
          $0.early = progress.bytes
        }
      }
      if let staged = try done.convert(
        arriving, to: target, overwrite: overwrite, workers: workers, progress, ended)
      {
        return Carried(done: done, staged: staged, download: state.withLock { $0 })
      }
      progress.restart()
      (done.transfer, done.notes) = try arriving.again()
      done.publish(publication)
      done.notes.append(
        "What had arrived was not what the hub promised; it was fetched anew, and all was converted again."
      )
      state.withLock { $0.isRepeated = true }
      let staged = try done.write(to: target, overwrite: overwrite, workers: workers, progress)
      return Carried(done: done, staged: staged, download: state.withLock { $0 })
    } catch {
      // The transfer ends as well when the download does, and knows less of the reason.
      let isStopped = progress.isCancelled || model.progress.isCancelled && model.failure == nil
      model.cancel()
      if isStopped { throw CommandError.interruptedWhileArriving }
      throw model.failure ?? error
    }
  }

  /// Writes what the weights become as they arrive.
  ///
  /// - Returns: `nil` if what arrived was not what is there in the end: then nothing of it is left.
  private mutating func convert(
    _ arriving: Arriving, to target: String, overwrite: Bool, workers: Int,
    _ progress: TransferProgress, _ ended: @escaping @Sendable () -> Void
  ) throws -> StagedFolder? {
    let model = arriving.model
    var needed = transfer.totalBytes + (arriving.rest?.bytes ?? 0)
    // Where both go to one disk, it must have room for both.
    if Folder.areOnOneDisk(model.folder, Folder.existingAncestor(target)) {
      needed = needed.saturatingAdd(model.coming(for: transfer, all: arriving.takesAll).bytes)
    }
    let staged = try StagedFolder(destination: target, overwrite: overwrite, needed: needed)
    Interrupt.shared.onAbort { staged.discard() }
    do {
      try model.start(for: transfer, all: arriving.takesAll, ended: ended)
      try transfer.run(in: staged.path, workers: workers, progress: progress)
      guard try model.finish() else {
        staged.discard()
        return nil
      }
      if let rest = try arriving.rest?.planned() {
        try rest.transfer.run(in: staged.path, workers: workers, progress: progress)
        transfer.append(rest.transfer)
        notes += rest.notes.filter { !notes.contains($0) }
      }
      if publication == nil { try staged.publish() }
      return staged
    } catch {
      staged.discard()
      guard !progress.isCancelled, model.failure == nil, model.hasBegunAnew else { throw error }
      // It was taken away while it was read.
      _ = try model.finish()
      return nil
    }
  }
}

extension Conversion.Download {
  var rows: [(String, String)] {
    let speed = seconds > 0 ? " (\(Format.bytes(Int(Double(bytes) / seconds)))/s)" : ""
    var text = "\(Format.bytes(bytes)) in \(Format.count(files, "file")), in "
    text += Format.duration(seconds) + speed
    if found > 0 { text += "; \(Format.bytes(found)) were in the cache" }
    return [("downloaded", text)]
  }

  /// How much of the work was done meanwhile.
  func share(of total: Int) -> String {
    isRepeated || total == 0
      ? "nothing that counts" : "\(min(100, early * 100 / total)) % of the conversion"
  }

  func object(total: Int) -> JSON {
    .object(
      JSONObject([
        "files": .integer(files), "bytes": .integer(bytes), "foundBytes": .integer(found),
        "seconds": .number((seconds * 1000).rounded() / 1000),
        "convertedMeanwhile": .integer(isRepeated ? 0 : min(early, total)),
        "repeated": .bool(isRepeated),
      ]))
  }
}

extension ArrivingModel {
  /// How far the download is, in few words.
  var words: String {
    for file in progress.files {
      if case .retrying = file.state, let words = DownloadPicture.words(file.state) {
        return "\(DownloadPicture.tail(DownloadPicture.clean(file.path), 24)): \(words)"
      }
    }
    let arrived = arrived
    return "downloaded \(Format.bytes(arrived.bytes)) of \(Format.bytes(arrived.of))"
  }
}
