import Dispatch
import JSON
import Synchronization
import Tokenizers

/// Turns files of documents into Megatron data sets, as Megatron's tools/preprocess_data.py does.
///
/// A row is an object whose text stands under a key, one text or a list of sentences that become
/// sequences of their own; a row of plain text is a document. Several workers tokenize, and the result
/// is the same for any number of them. Memory: a few batches of about a quarter of a megabyte for each
/// worker, and the longest row.
public struct CorpusTokenizer: Sendable {
  public var tokenizer: Tokenizer
  /// Under which keys the texts stand; each gets a data set of its own.
  public var keys: [String]
  /// What is added to every document that has tokens.
  public var end: Int32?
  public var addsSpecialTokens = false
  public var workers = 1
  public var limits = ReadingLimits()

  public init(_ tokenizer: Tokenizer, keys: [String] = ["text"], end: Int32? = nil) {
    self.tokenizer = tokenizer
    self.keys = keys
    self.end = end
  }

  /// What was done.
  public struct Result: Sendable {
    public var documents = 0
    /// Documents without a token, under the first key.
    public var empty = 0
    /// For each key its sequences and tokens.
    public var sequences: [Int]
    public var tokens: [Int]
  }

  /// What the first rows of the files let expect.
  public struct Estimate: Sendable {
    public var tokensPerByte: Double
    public var documentsPerByte: Double
  }

  /// Tokenizes the first batch alone.
  public func estimate(_ files: [String]) throws(DataError) -> Estimate? {
    var source = DocumentSource(files, limits)
    guard let batch = try source.next() else { return nil }
    let tokenized = try tokenize(batch)
    // The file has been read further than the batch goes.
    let bytes = Double(batch.rows.reduce(1) { $0 + $1.bytes.count + 1 }) * batch.density
    let tokens = tokenized.parts.reduce(0) { $0 + $1.tokens.count }
    return Estimate(
      tokensPerByte: Double(tokens) / bytes, documentsPerByte: Double(batch.rows.count) / bytes)
  }

  /// Tokenizes all files into the writers, one for each key, and leaves finishing them to the caller.
  ///
  /// - Parameter progressed: told of bytes of the files as they are done with; returns whether to go on.
  /// - Throws: the first error in the order of the rows.
  public func run(
    _ files: [String], into writers: [IndexedDatasetWriter],
    progressed: (Int) -> Bool = { _ in true }
  ) throws(DataError) -> Result {
    precondition(writers.count == keys.count, "there is a data set for each key")
    // This thread only writes, and waits most of the time.
    let run = Run(self, files)
    let queue = DispatchQueue(label: "tokenize", attributes: .concurrent)
    let group = DispatchGroup()
    for _ in 0..<max(1, workers) { queue.async(group: group) { run.work() } }
    defer { group.wait() }
    var result = Result(
      sequences: keys.map { _ in 0 }, tokens: keys.map { _ in 0 })
    do throws(DataError) {
      while let batch = try run.next() {
        try write(batch, to: writers)
        result.documents += batch.documents
        result.empty += batch.parts[0].counts.count { $0 == 0 }
        guard progressed(batch.bytes) else { break }
      }
    } catch {
      run.stop()
      throw error
    }
    run.stop()
    result.sequences = writers.map(\.count)
    result.tokens = writers.map(\.tokenCount)
    return result
  }

  private func write(
    _ batch: TokenizedBatch, to writers: [IndexedDatasetWriter]
  ) throws(DataError) {
    do throws(IndexedError) {
      for (part, writer) in zip(batch.parts, writers) { try writer.add(part) }
    } catch { throw .indexed(error) }
  }

  // MARK: Rows

  /// The tokens of a batch.
  func tokenize(_ batch: DocumentSource.Batch) throws(DataError) -> TokenizedBatch {
    var parts = keys.map { _ in TokenizedBatch.Part() }
    for row in batch.rows {
      if batch.shape == .text {
        for index in keys.indices {
          try tokenize([row.bytes], row, batch.file, into: &parts[index])
        }
        continue
      }
      guard let object = try row.json(in: batch.file, limits).object else {
        throw .notAnObject(row.place(0, in: batch.file))
      }
      for (index, key) in keys.enumerated() {
        let texts = try texts(object, key, row, batch.file)
        try tokenize(texts, row, batch.file, into: &parts[index])
      }
    }
    return TokenizedBatch(parts: parts, documents: batch.rows.count, bytes: batch.bytes)
  }

  private func texts(
    _ object: JSONObject, _ key: String, _ row: RowText, _ file: String
  ) throws(DataError) -> [[UInt8]] {
    func wrong(_ problem: String, _ advice: String = "") -> DataError {
      .row(row.place(0, in: file), RowFault(key, problem, advice))
    }
    switch object[key] {
    case .string(let text)?: return [Array(text.utf8)]
    case .array(let items)?:
      var texts: [[UInt8]] = []
      for (index, item) in items.enumerated() {
        guard let text = item.string else { throw wrong("[\(index)] is no text") }
        texts.append(Array(text.utf8))
      }
      return texts
    case nil:
      throw wrong(
        "is missing",
        "The row has \(object.keys.joined(separator: ", ")); say which hold text with --json-keys.")
    default: throw wrong("is neither a text nor a list of texts")
    }
  }

  private func tokenize(
    _ texts: [[UInt8]], _ row: RowText, _ file: String, into part: inout TokenizedBatch.Part
  ) throws(DataError) {
    var count: Int32 = 0
    for text in texts {
      let tokens: [Int32]
      do throws(TokenizerError) {
        tokens = try tokenizer.encode(text, addsSpecialTokens: addsSpecialTokens)
      } catch { throw .inRow(row.place(0, in: file), "\(error)") }
      // Empty sentences are left out, as Megatron leaves them out.
      guard !tokens.isEmpty else { continue }
      part.tokens += tokens
      part.lengths.append(Int32(truncatingIfNeeded: tokens.count))
      count += 1
    }
    if count > 0, let end {
      part.tokens.append(end)
      part.lengths[part.lengths.count - 1] += 1
    }
    part.counts.append(count)
  }
}

extension IndexedDatasetWriter {
  /// Adds the documents of a batch.
  func add(_ part: TokenizedBatch.Part) throws(IndexedError) {
    var place = 0
    var sequence = 0
    for count in part.counts {
      let lengths = part.lengths[sequence..<sequence + Int(count)].map(Int.init)
      let size = lengths.reduce(0, +)
      try addDocument(part.tokens[place..<place + size], lengths: lengths)
      place += size
      sequence += Int(count)
    }
  }
}

/// Workers at work on the batches of a source, and their results in order.
private final class Run: Sendable {
  private let tokenizer: CorpusTokenizer
  private let source: Mutex<DocumentSource>
  private let results = Mutex<Results>(Results())
  /// As many batches as there may be at once, between being read and being written.
  private let slots: DispatchSemaphore
  /// Counts results and ends that wait to be looked at.
  private let news = DispatchSemaphore(value: 0)

  private struct Results {
    var waiting: [Int: Swift.Result<TokenizedBatch, DataError>] = [:]
    var next = 0
    /// How many batches there are, once that is known.
    var total: Int?
    var isStopped = false
  }

  init(
    _ tokenizer: CorpusTokenizer, _ files: [String]
  ) {
    self.tokenizer = tokenizer
    source = Mutex(DocumentSource(files, tokenizer.limits))
    // A semaphore must not end below the value it began with.
    slots = DispatchSemaphore(value: 0)
    for _ in 0..<4 * max(1, tokenizer.workers) + 2 { slots.signal() }
  }

  /// Makes the workers end at their next batch.
  func stop() {
    results.withLock { $0.isStopped = true }
    // Whoever waits for room finds that there is no more work.
    for _ in 0..<max(1, tokenizer.workers) { slots.signal() }
  }

  /// Works until there is nothing left.
  func work() {
    while true {
      slots.wait()
      if results.withLock({ $0.isStopped }) { return }
      let (index, found) = take()
      guard let batch = found else { return }
      let result: Swift.Result<TokenizedBatch, DataError>
      switch batch {
      case .failure(let error): result = .failure(error)
      case .success(let batch):
        do throws(DataError) {
          result = .success(try tokenizer.tokenize(batch))
        } catch { result = .failure(error) }
      }
      results.withLock { $0.waiting[index] = result }
      news.signal()
    }
  }

  /// The next batch of the source, or what is wrong with it; none at the end.
  private func take() -> (index: Int, Swift.Result<DocumentSource.Batch, DataError>?) {
    source.withLock { source in
      // The order of batches is the order in which they are taken here.
      if results.withLock({ $0.total != nil || $0.isStopped }) {
        slots.signal()
        return (0, nil)
      }
      do throws(DataError) {
        if let batch = try source.next() { return (batch.index, .success(batch)) }
        end(at: source.count)
        return (0, nil)
      } catch {
        let index = source.count
        end(at: index + 1)
        return (index, .failure(error))
      }
    }
  }

  private func end(at total: Int) {
    results.withLock { $0.total = total }
    slots.signal()
    news.signal()
  }

  /// The next result, waited for; `nil` behind the last.
  func next() throws(DataError) -> TokenizedBatch? {
    while true {
      let (result, isEnd) = results.withLock { results in
        if let result = results.waiting.removeValue(forKey: results.next) {
          results.next += 1
          return (result as Swift.Result<TokenizedBatch, DataError>?, false)
        }
        return (nil, results.total == results.next)
      }
      if let result {
        slots.signal()
        return try result.get()
      }
      if isEnd { return nil }
      news.wait()
    }
  }
}
