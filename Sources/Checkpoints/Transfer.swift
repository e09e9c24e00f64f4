import Blueprint
import SafeTensors
import Synchronization
import Tensors

/// How a task comes by its bytes, which decides what buffers it needs.
public enum TransferWork: Int, Comparable, Sendable {
  /// They are copied from where they lie.
  case copying
  /// They are computed, from bytes a little at a time.
  case computing
  /// They are matrices turned, which are read strip by strip.
  case turning

  public static func < (left: TransferWork, right: TransferWork) -> Bool {
    left.rawValue < right.rawValue
  }
}

/// Everything one conversion writes: the files, and how each stretch of them is filled.
///
/// A plan holds no tensor data. It is executed by a few workers through bounded buffers.
public struct Transfer: Sendable {
  /// One tensor, or one chunk of one, on its way.
  public struct Task: Sendable {
    /// What it is, for messages.
    public var name: String
    /// The file it goes to, an index into `files`.
    public var file: Int
    /// The absolute position there of its first byte, or of its archive's.
    public var offset: Int
    /// The number of elements.
    public var count: Int
    public var source: DType
    public var target: DType
    /// The source's bytes; asked for only when the task's turn comes.
    public var runs: @Sendable () throws -> ByteRuns
    /// The shape in the archive around the data in a `.distcp` file; `nil` writes the bare data.
    public var archive: Shape?
    public var work: TransferWork
    /// What must have arrived before `runs` can be read; empty where all is there.
    package var needs: [Need] = []

    public init(
      name: String, file: Int, offset: Int, count: Int, source: DType, target: DType,
      archive: Shape? = nil, work: TransferWork = .copying,
      runs: @escaping @Sendable () throws -> ByteRuns
    ) {
      self.name = name
      self.file = file
      self.offset = offset
      self.count = count
      self.source = source
      self.target = target
      self.archive = archive
      self.work = work
      self.runs = runs
    }

    public var byteCount: Int { count * target.byteWidth }
  }

  /// The beginning of a file that is still arriving, up to what is wanted of it.
  package struct Need: Sendable {
    package var arrival: any Arrival
    package var count: Int
  }

  /// A file with its final size; its bytes come from tasks and blocks.
  public struct File: Sendable {
    public var path: String
    public var size: Int

    public init(path: String, size: Int) {
      self.path = path
      self.size = size
    }
  }

  /// Bytes that are known beforehand: headers, small objects.
  public struct Block: Sendable {
    public var file: Int
    public var offset: Int
    public var bytes: [UInt8]

    public init(file: Int, offset: Int, bytes: [UInt8]) {
      self.file = file
      self.offset = offset
      self.bytes = bytes
    }
  }

  /// Files with tensor data, by path relative to the staging folder.
  public var files: [File] = []
  public var blocks: [Block] = []
  public var tasks: [Task] = []
  /// Small files written before the data.
  public var before: [(path: String, bytes: [UInt8])] = []
  /// Small files written last: metadata, indices, "latest" pointers.
  public var after: [(path: String, bytes: [UInt8])] = []
  /// Files copied as they are: destination, source.
  public var copies: [(path: String, from: String)] = []

  public init() {}

  /// The tensor bytes that will be written.
  public var tensorBytes: Int { tasks.reduce(0) { $0 + $1.byteCount } }

  /// All bytes that will be written.
  public var totalBytes: Int {
    files.reduce(0) { $0 + $1.size } + (before + after).reduce(0) { $0 + $1.bytes.count }
      + copies.reduce(0) { $0 + (Folder.size($1.from) ?? 0) }
  }
}

extension Transfer {
  /// What writes one of the files, and nothing else.
  func part(_ path: String) -> Transfer {
    var part = Transfer()
    guard let index = files.firstIndex(where: { $0.path == path }) else { return part }
    part.files = [files[index]]
    part.blocks = blocks.filter { $0.file == index }
    part.tasks = tasks.filter { $0.file == index }
    for position in part.blocks.indices { part.blocks[position].file = 0 }
    for position in part.tasks.indices { part.tasks[position].file = 0 }
    return part
  }

  /// Adds the files of another one.
  package mutating func append(_ other: Transfer) {
    let first = files.count
    files += other.files
    for var block in other.blocks {
      block.file += first
      blocks.append(block)
    }
    for var task in other.tasks {
      task.file += first
      tasks.append(task)
    }
    before += other.before
    after += other.after
    copies += other.copies
  }
}

/// Counts what has been written; shared by the workers and whoever shows it.
public final class TransferProgress: Sendable {
  private let written = Atomic<Int>(0)
  private let stop = Atomic<Bool>(false)

  public init() {}

  /// Tensor bytes written so far.
  public var bytes: Int { written.load(ordering: .relaxed) }

  /// Makes the workers stop at the next stretch; safe to call from a signal handler.
  public func cancel() { stop.store(true, ordering: .relaxed) }

  public var isCancelled: Bool { stop.load(ordering: .relaxed) }

  package func add(_ count: Int) { written.add(count, ordering: .relaxed) }
}

extension ShardedFolder {
  /// What must have arrived before these tensors can be read.
  func needs(of names: [String]) -> [Transfer.Need] {
    var needs: [Transfer.Need] = []
    for (arrival, count) in names.lazy.compactMap({ self.arrival(of: $0) }) {
      if let index = needs.firstIndex(where: { $0.arrival === arrival }) {
        needs[index].count = max(needs[index].count, count)
      } else {
        needs.append(.init(arrival: arrival, count: count))
      }
    }
    return needs
  }
}

extension Layout {
  /// What it takes to rearrange a tensor so.
  var work: TransferWork {
    switch self {
    case .rows(let segments): segments.allSatisfy { $0.stride == 1 } ? .copying : .computing
    case .transposed: .turning
    case .filled: .computing
    }
  }
}

extension Slot {
  /// What it takes to make the packed tensor of the parts, or the parts of it.
  var work: TransferWork {
    layout.work == .copying && shift != 0 ? .computing : layout.work
  }
}
