import Glibc
import Tensors

/// Writes a Megatron data set, byte for byte as megatron-core's `IndexedDatasetBuilder` does.
///
/// Tokens go to a file beside `PREFIX.bin` as they come; of each sequence 4 bytes stay in memory, of
/// each document 8. `finish` gives both files their names, the index last; a writer that is not
/// finished removes what it wrote.
public final class IndexedDatasetWriter {
  public let prefix: String
  public let type: TokenType
  public private(set) var tokenCount = 0
  public var count: Int { lengths.count }
  public var documentCount: Int { bounds.count - 1 }

  private let hasModes: Bool
  private let drafts: [String]
  private let file: OutputFile
  private var position = 0
  private var buffer: [UInt8] = []
  private var lengths: [Int32] = []
  private var bounds: [Int64] = [0]
  private var modes: [Int8] = []
  private var isOpen = true

  private static let bufferSize = 4 << 20

  /// - Parameters:
  ///   - prefix: the path without `.bin` and `.idx`; its folder must exist.
  ///   - hasModes: whether every sequence has a number that says what it is.
  ///   - overwrites: whether files that are there are replaced.
  /// - Throws: `IndexedError.exists`, `.file`.
  public init(
    _ prefix: String, type: TokenType, hasModes: Bool = false, overwrites: Bool = false
  ) throws(IndexedError) {
    for ending in [".bin", ".idx"] where !overwrites && Folder.kind(prefix + ending) != nil {
      throw .exists(path: prefix + ending)
    }
    self.prefix = prefix
    self.type = type
    self.hasModes = hasModes
    // The process number keeps two writers of one data set out of each other's way.
    drafts = [".bin", ".idx"].map { "\(prefix)\($0).partial-\(getpid())" }
    let drafts = drafts
    file = try IndexedError.files { () throws(FileError) in
      try Folder.removeFile(drafts[0])
      return try OutputFile(creating: drafts[0])
    }
    buffer.reserveCapacity(Self.bufferSize)
  }

  deinit { discard() }

  /// Removes what has been written, for whoever ends the process meanwhile.
  public var removal: @Sendable () -> Void {
    let drafts = drafts
    return { for draft in drafts { unlink(draft) } }
  }

  /// Removes what has been written; nothing where it is finished.
  public func discard() {
    guard isOpen else { return }
    isOpen = false
    removal()
  }

  // MARK: Adding

  /// Adds a sequence to the document that is open.
  public func add(_ tokens: some Collection<Int32>, mode: Int8 = 0) throws(IndexedError) {
    guard let length = Int32(exactly: tokens.count) else {
      throw .sequenceTooLong(prefix: prefix, length: tokens.count)
    }
    try store(tokens)
    lengths.append(length)
    if hasModes { modes.append(mode) }
  }

  /// Ends a document; the next sequence begins another.
  public func endDocument() { bounds.append(Int64(lengths.count)) }

  /// Adds a whole document whose sequences have these lengths, which sum to all its tokens.
  public func addDocument(_ tokens: some Collection<Int32>, lengths parts: [Int])
    throws(IndexedError)
  {
    precondition(parts.reduce(0, +) == tokens.count)
    for part in parts where Int32(exactly: part) == nil {
      throw .sequenceTooLong(prefix: prefix, length: part)
    }
    try store(tokens)
    for part in parts {
      lengths.append(Int32(part))
      if hasModes { modes.append(0) }
    }
    endDocument()
  }

  /// Adds all of another data set.
  ///
  /// - Throws: `IndexedError.otherType` or `.mixedModes` where it is of another kind.
  public func append(_ dataset: IndexedDataset) throws(IndexedError) {
    guard dataset.type == type else {
      throw .otherType(prefix: dataset.prefix, found: dataset.type, expected: type)
    }
    guard dataset.count == 0 || (dataset.modes != nil) == hasModes else {
      throw .mixedModes(prefix: dataset.prefix)
    }
    let first = Int64(lengths.count)
    for index in 0..<dataset.count {
      lengths.append(dataset.lengths[index])
      if let modes = dataset.modes { self.modes.append(modes[index]) }
    }
    for index in 1..<max(1, dataset.bounds.count) { bounds.append(first + dataset.bounds[index]) }
    tokenCount += dataset.tokenCount
    try copy(dataset)
  }

  /// Copies the tokens of sequences, of which runs that lie one after the other go at once.
  private func copy(_ dataset: IndexedDataset) throws(IndexedError) {
    var start = 0
    var end = 0
    for index in 0..<dataset.count {
      let pointer = Int(dataset.pointers[index])
      let size = Int(dataset.lengths[index]) * type.width
      if pointer != end {
        try copy(start..<end, of: dataset.tokens)
        start = pointer
        end = pointer
      }
      end += size
    }
    try copy(start..<end, of: dataset.tokens)
  }

  private func copy(_ range: Range<Int>, of source: InputFile) throws(IndexedError) {
    for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.bufferSize) {
      let end = min(range.upperBound, start + Self.bufferSize)
      buffer += try IndexedError.files { () throws(FileError) in try source.read(start..<end) }
      try flushBuffer(above: Self.bufferSize)
    }
  }

  private func store(_ tokens: some Collection<Int32>) throws(IndexedError) {
    for token in tokens {
      guard type.range.contains(token) else {
        throw .tokenTooLarge(token: token, type: type, prefix: prefix)
      }
      let bits: UInt64
      switch type {
      case .float32: bits = UInt64(Float(token).bitPattern)
      case .float64: bits = Double(token).bitPattern
      default: bits = UInt64(truncatingIfNeeded: Int64(token))
      }
      for index in 0..<type.width {
        buffer.append(UInt8(truncatingIfNeeded: bits >> UInt64(8 * index)))
      }
    }
    tokenCount += tokens.count
    try flushBuffer(above: Self.bufferSize)
  }

  private func flushBuffer(above limit: Int) throws(IndexedError) {
    guard buffer.count > limit else { return }
    do throws(FileError) { try file.write(buffer, at: position) } catch { throw .file(error) }
    file.startFlushing(position..<position + buffer.count)
    position += buffer.count
    buffer.removeAll(keepingCapacity: true)
  }

  // MARK: Finishing

  /// Writes the index, and gives both files their names.
  public func finish() throws(IndexedError) {
    precondition(isOpen, "a data set is finished once")
    try flushBuffer(above: 0)
    do throws(FileError) {
      try file.flush()
      try writeIndex()
      // Between the two names nobody must find the new tokens with an old index.
      try Folder.removeFile(prefix + ".idx")
      try Folder.publish(drafts[0], as: prefix + ".bin")
      try Folder.publish(drafts[1], as: prefix + ".idx")
    } catch { throw .file(error) }
    isOpen = false
  }

  private func writeIndex() throws(FileError) {
    try Folder.removeFile(drafts[1])
    let index = try OutputFile(creating: drafts[1])
    var place = 0
    func write<Number: BitwiseCopyable>(_ numbers: [Number]) throws(FileError) {
      try index.write(numbers: numbers, at: place)
      place += numbers.count * MemoryLayout<Number>.stride
    }
    try write(IndexedDataset.magic)
    try write([UInt64(1)])
    try write([type.rawValue])
    try write([UInt64(lengths.count), UInt64(bounds.count)])
    try write(lengths)
    // Pointers are made in stretches, so that they need no memory of their own.
    var pointer: Int64 = 0
    for start in stride(from: 0, to: lengths.count, by: 1 << 18) {
      var pointers: [Int64] = []
      for length in lengths[start..<min(lengths.count, start + (1 << 18))] {
        pointers.append(pointer)
        pointer += Int64(length) * Int64(type.width)
      }
      try write(pointers)
    }
    try write(bounds)
    if hasModes { try write(modes) }
    try index.flush()
  }
}

extension IndexedDataset {
  /// Joins data sets of one type into one, in the order given.
  public static func merge(
    _ datasets: [IndexedDataset], to prefix: String, overwrites: Bool = false
  ) throws(IndexedError) {
    guard let first = datasets.first else { return }
    let writer = try IndexedDatasetWriter(
      prefix, type: first.type, hasModes: datasets.contains { $0.modes != nil },
      overwrites: overwrites)
    for dataset in datasets { try writer.append(dataset) }
    try writer.finish()
  }
}
