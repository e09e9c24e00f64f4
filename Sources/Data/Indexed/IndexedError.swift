import Tensors

/// What is wrong with a Megatron data set, or with how it is to be sampled.
public enum IndexedError: Error, Sendable {
  case file(FileError)

  // What an .idx says.
  case notAnIndex(file: String, found: String)
  case wrongSize(file: String, sequences: UInt64, documents: UInt64, expected: String, found: Int)
  case badEntry(file: String, field: String, index: Int, found: Int, expected: String)
  case badToken(file: String, sequence: Int, index: Int, found: String)
  case wrongRange(file: String, sequence: Int, length: Int)

  // Writing.
  case tokenTooLarge(token: Int32, type: TokenType, prefix: String)
  case sequenceTooLong(prefix: String, length: Int)
  case otherType(prefix: String, found: TokenType, expected: TokenType)
  case mixedModes(prefix: String)
  case exists(path: String)

  // Sampling.
  case malformedSplit(String)
  case malformedBlend([String], problem: String)
  case noTokens(prefix: String, split: Split)
  case tooManySamples(prefix: String, samples: Int, length: Int)
  case indicesTooLarge(prefix: String, bytes: Int, memory: Int)
  case oversampled(prefix: String, split: Split, wanted: Int, size: Int)
  case noSuchSample(index: Int, count: Int)
  case malformedArguments(file: String, problem: String)
  case malformedArray(file: String, problem: String)
  case foreignIndices(file: String, problem: String)
  case wrongBatch(problem: String)
}

extension IndexedError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .file(let error): error.description
    case .notAnIndex(let file, let found):
      "\(file) is not the index of a Megatron data set: it should begin with MMIDIDX, version 1 and a "
        + "type from 1 to 8, but \(found). Give the prefix of a .bin/.idx pair that Megatron's "
        + "preprocess_data.py or `train tokenize` wrote."
    case .wrongSize(let file, let sequences, let documents, let expected, let found):
      "\(file) announces \(sequences) sequences and \(documents) document bounds, which take \(expected), "
        + "but it has \(found) bytes. It is cut short or damaged; copy it again."
    case .badEntry(let file, let field, let index, let found, let expected):
      "\(file): \(field)[\(index)] is \(found), where \(expected) was expected. The index is damaged or "
        + "belongs to another .bin; copy both files again."
    case .badToken(let file, let sequence, let index, let found):
      "\(file): number \(index) of sequence \(sequence) is \(found), which is no token id."
    case .wrongRange(let file, let sequence, let length):
      "\(file): sequence \(sequence) has only \(length) tokens; less of it was to be read."
    default: otherDescription
    }
  }

  private var otherDescription: String {
    switch self {
    case .tokenTooLarge(let token, let type, let prefix):
      "The token \(token) does not fit the type \(type.name) of \(prefix).bin. Store it in a wider type: "
        + "--dtype int32."
    case .sequenceTooLong(let prefix, let length):
      "A document of \(length) tokens is too long for \(prefix).idx, whose lengths have 32 bits. Cut it "
        + "into several."
    case .otherType(let prefix, let found, let expected):
      "\(prefix) holds \(found.name), the data sets before it \(expected.name). Only sets of one type can "
        + "be merged; tokenize again with the same --dtype."
    case .mixedModes(let prefix):
      "\(prefix).idx has modes and the other data sets have none, or the other way round."
    case .exists(let path):
      "\(path) is already there. Choose another --output-prefix, or replace it with --overwrite."
    case .malformedSplit(let text):
      "The split \"\(text)\" should be up to three numbers that are not all zero, such as 969,30,1."
    case .malformedBlend(let words, let problem):
      "The blend \"\(words.joined(separator: " "))\" \(problem). Give prefixes (a b), or weights and "
        + "prefixes (30 a 70 b)."
    default: samplingDescription
    }
  }

  private var samplingDescription: String {
    switch self {
    case .noTokens(let prefix, let split):
      "\(prefix) has no tokens in its \(split.name) split, so no samples can be drawn from it. Give that "
        + "split a larger share, or ask for no samples of it."
    case .tooManySamples(let prefix, let samples, let length):
      "\(samples) samples of \(length) tokens out of \(prefix) are more than can be counted."
    case .indicesTooLarge(let prefix, let bytes, let memory):
      "The sample indices of \(prefix) would take \(bytes) bytes, and this machine has \(memory). Ask for "
        + "fewer samples, or longer ones."
    case .oversampled(let prefix, let split, let wanted, let size):
      "The blend draws \(wanted) samples of the \(split.name) split from \(prefix), which was built with "
        + "\(size). Raise mid_level_dataset_surplus, for example to 0.05."
    case .noSuchSample(let index, let count):
      "There is no sample \(index); there are \(count)."
    case .malformedArguments(let file, let problem):
      "\(file): \(problem)."
    case .malformedArray(let file, let problem):
      "\(file) is not an array as numpy.save writes it: \(problem)."
    case .foreignIndices(let file, let problem):
      "\(file) does not belong to this data set: \(problem). Remove the files with this name from the cache."
    case .wrongBatch(let problem): problem
    default: ""
    }
  }
}

extension IndexedError {
  /// Runs what only files can fail at.
  static func files<Result>(
    _ body: () throws(FileError) -> Result
  ) throws(IndexedError) -> Result {
    do throws(FileError) { return try body() } catch { throw .file(error) }
  }
}
