import Dispatch
import Glibc
import MegatronFormat
import Synchronization
import Tensors

extension Transfer {
  /// The bytes a worker moves at a time.
  ///
  /// Small enough that checksumming and writing find in the cache what reading left there. Copying
  /// 2.5 GB with read and write of 256 KB takes 0.70 s here, of 1 MB 0.75, writing from the map 0.83,
  /// `copy_file_range` 0.85 (ext4, warm; in memory all are alike).
  static let window = 256 << 10

  /// The bytes after which the disk is asked to begin writing, so that the final flush is short: a
  /// conversion of 2.5 GB takes 1.4 s instead of 1.9 (ext4).
  static let flushStep = 8 << 20

  /// The bytes a worker makes at a time of a matrix that it turns.
  ///
  /// The strip decides how long the pieces are that are read of each row. 2.4 GB of gpt-oss' experts
  /// take 1.6 s to import and 2.4 s to export so, where plain matrices take 1.0 and 1.9 and copying
  /// the files takes 1.9 (two cores, ext4, warm; from a cold disk every byte is read once).
  static let strip = 16 << 20

  /// The most memory `workers` workers use for their buffers.
  public func memory(workers: Int) -> Int {
    let extra =
      switch tasks.lazy.map(\.work).max() ?? .copying {
      // Short pieces of what is still arriving are gathered there.
      case .copying: tasks.contains { !$0.needs.isEmpty } ? ByteBuffer.scratchSize : 0
      case .computing: 2 * ByteBuffer.scratchSize
      // A quarter more for the rows of a base that are being changed.
      case .turning: Self.strip + Self.strip / 4 + 2 * ByteBuffer.scratchSize
      }
    return workers * (2 * Self.window + extra)
  }

  /// Writes everything below `folder`, flushed to the disk.
  ///
  /// - Parameters:
  ///   - workers: threads at work; `memory(workers:)` says what they need.
  ///   - progress: counts, and stops the workers when cancelled.
  /// - Throws: the first error of any worker, or `ConversionError.interrupted`.
  public func run(in folder: String, workers: Int, progress: TransferProgress) throws {
    do {
      for path in files.map(\.path) + (before + after).map(\.path) + copies.map(\.path) {
        try Folder.create(Folder.parent("\(folder)/\(path)"))
      }
      for (path, bytes) in before { try Self.write(bytes, to: "\(folder)/\(path)") }
      let outputs = try files.map { try OutputFile(creating: "\(folder)/\($0.path)") }
      for block in blocks { try outputs[block.file].write(block.bytes, at: block.offset) }
      try execute(outputs, workers: workers, progress: progress)
      for (path, from) in copies { try Self.copy(from, to: "\(folder)/\(path)") }
      for (path, bytes) in after { try Self.write(bytes, to: "\(folder)/\(path)") }
    } catch let error as FileError {
      throw fullDisk(error, folder: folder) ?? error
    }
    if progress.isCancelled { throw ConversionError.interrupted }
  }

  private func execute(
    _ outputs: [OutputFile], workers: Int, progress: TransferProgress
  ) throws {
    let queue = TransferQueue(tasks: tasks, files: files.count)
    let failure = Mutex<(any Error)?>(nil)
    DispatchQueue.concurrentPerform(iterations: max(1, workers)) { _ in
      let worker = Worker(outputs: outputs, progress: progress)
      var file: Int?
      do {
        while let index = try queue.next(after: file, progress) {
          try worker.perform(tasks[index])
          file = tasks[index].file
          if queue.finish(index) { try outputs[tasks[index].file].flush() }
          if progress.isCancelled { throw ConversionError.interrupted }
        }
      } catch {
        queue.close()
        failure.withLock { $0 = $0 ?? error }
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
    for output in outputs { try output.flush() }
  }

  /// The error that says what was needed, if this one says that the disk is full.
  private func fullDisk(_ error: FileError, folder: String) -> FileError? {
    let code: Int32
    switch error {
    case .cannotWrite(_, _, let number), .cannotChange(_, _, let number),
      .cannotOpen(_, let number):
      code = number
    default: return nil
    }
    guard code == ENOSPC || code == EDQUOT else { return nil }
    return .diskFull(path: folder, needed: totalBytes, available: Folder.freeBytes(folder) ?? 0)
  }

  private static func write(_ bytes: [UInt8], to path: String) throws(FileError) {
    let file = try OutputFile(creating: path)
    try file.write(bytes, at: 0)
    try file.flush()
  }

  private static func copy(_ from: String, to path: String) throws(FileError) {
    let source = try InputFile(from)
    let file = try OutputFile(creating: path)
    let buffer = ByteBuffer(capacity: window)
    for start in stride(from: 0, to: source.size, by: window) {
      let count = min(window, source.size - start)
      try buffer.fill(ByteRuns(ByteRun(file: source, offset: start, length: count)))
      try buffer.write(0..<count, to: file, at: start)
    }
    try file.flush()
  }
}

/// One thread's buffers, and what it does with a task.
private final class Worker {
  private let outputs: [OutputFile]
  private let progress: TransferProgress
  private let buffer = ByteBuffer(capacity: Transfer.window)
  /// The file this worker is writing to, and what of it the disk has not been asked to write.
  private var unflushed = (file: -1, range: 0..<0)
  private lazy var converted = ByteBuffer(capacity: Transfer.window)
  private lazy var strip = ByteBuffer(capacity: Transfer.strip)

  init(outputs: [OutputFile], progress: TransferProgress) {
    self.outputs = outputs
    self.progress = progress
  }

  func perform(_ task: Transfer.Task) throws {
    let output = outputs[task.file]
    let runs = try task.runs()
    guard runs.byteCount == task.count * task.source.byteWidth else {
      throw ConversionError.sizeMismatch(
        tensor: task.name, expected: task.count * task.source.byteWidth, found: runs.byteCount)
    }
    guard let shape = task.archive else {
      _ = try move(runs, task, to: output, at: task.offset, checksums: false)
      return
    }
    let item = try TorchItem(dtype: task.target, shape: shape)
    let start = task.offset + item.dataOffset
    try output.write(item.prefix, at: task.offset)
    let crc = try move(runs, task, to: output, at: start, checksums: true)
    try output.write(item.suffix(crc32: crc), at: start + task.byteCount)
  }

  /// Asks the disk to begin with what has been written one after the other.
  private func noteWritten(_ range: Range<Int>, in file: Int) {
    if unflushed.file != file || range.lowerBound < unflushed.range.lowerBound {
      unflushed = (file, range)
    }
    unflushed.range = unflushed.range.lowerBound..<range.upperBound
    if unflushed.range.count >= Transfer.flushStep {
      outputs[file].startFlushing(unflushed.range)
      unflushed.range = range.upperBound..<range.upperBound
    }
  }

  /// Moves the bytes strip by strip; returns their CRC-32 if asked to.
  private func move(
    _ runs: ByteRuns, _ task: Transfer.Task, to output: OutputFile, at start: Int, checksums: Bool
  ) throws -> UInt32 {
    var crc: UInt32? = checksums ? 0 : nil
    let width = task.source.byteWidth
    let step = Transfer.window / max(width, task.target.byteWidth)
    // What is copied is read window by window.
    let (filled, limit) =
      runs.prefersStrips ? (strip, Transfer.strip) : (buffer, step * width)
    var done = 0
    while done < task.count {
      let bytes = runs.strip(from: done * width, limit: limit)
      if progress.isCancelled { throw ConversionError.interrupted }
      try filled.fill(runs.slice(done * width..<done * width + bytes))
      let count = bytes / width
      for first in stride(from: 0, to: count, by: step) {
        let window = first..<min(first + step, count)
        let position = start + (done + first) * task.target.byteWidth
        try write(filled, window, task, to: output, at: position, crc: &crc)
      }
      done += count
    }
    return crc ?? 0
  }

  /// Writes elements of a buffer, converted if they must be.
  private func write(
    _ filled: ByteBuffer, _ window: Range<Int>, _ task: Transfer.Task, to output: OutputFile,
    at position: Int, crc: inout UInt32?
  ) throws {
    let bytes = window.count * task.target.byteWidth
    let width = task.source.byteWidth
    var (ready, range) = (filled, window.lowerBound * width..<window.upperBound * width)
    if task.source != task.target {
      filled.convert(
        window.count, from: task.source, to: task.target, at: window.lowerBound, into: converted)
      (ready, range) = (converted, 0..<bytes)
    } else if filled === strip, crc == nil {
      // The kernel takes twice as long to copy what is not in the cache; a checksum has just read it.
      converted.copy(range, of: filled)
      (ready, range) = (converted, 0..<bytes)
    }
    if let known = crc { crc = ready.crc32(range, continuing: known) }
    try ready.write(range, to: output, at: position)
    progress.add(bytes)
    noteWritten(position..<position + bytes, in: task.file)
  }
}
