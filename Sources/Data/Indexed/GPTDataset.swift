/// Samples of equal length out of running text, drawn as megatron-core's `GPTDataset` draws them.
public struct GPTDataset: Sendable {
  public let dataset: any TokenSequences
  public let request: SampleIndices.Request
  public let indices: SampleIndices
  /// What fills a sample that the text does not.
  public var padding: Int32 = -1
  public var ends = DocumentEnds()

  /// Builds the indices.
  public init(_ dataset: any TokenSequences, _ request: SampleIndices.Request) throws(IndexedError)
  {
    self.init(dataset, request, try SampleIndices(request, lengths: dataset.lengthArray))
  }

  /// With indices built before.
  init(_ dataset: any TokenSequences, _ request: SampleIndices.Request, _ indices: SampleIndices) {
    self.dataset = dataset
    self.request = request
    self.indices = indices
  }

  public var count: Int { indices.count }

  /// The tokens of the sample that is drawn in this place, padded to full length.
  public func text(_ index: Int) throws(IndexedError) -> [Int32] {
    guard index >= 0, index < count, index < indices.shuffle.count else {
      throw .noSuchSample(index: index, count: count)
    }
    let sample = indices.shuffle[index]
    guard sample >= 0, sample < count else {
      throw .noSuchSample(index: sample, count: count)
    }
    let extra = request.hasExtraToken ? 1 : 0
    let (first, start) = (indices.samples[2 * sample], indices.samples[2 * sample + 1])
    let (last, end) = (indices.samples[2 * sample + 2], indices.samples[2 * sample + 3])
    guard first >= 0, first <= last, last < indices.documents.count else {
      throw .noSuchSample(index: last, count: indices.documents.count)
    }
    var text: [Int32] = []
    text.reserveCapacity(request.length + extra)
    for place in first...last {
      let offset = place == first ? start : 0
      let count = place == last ? end + extra - offset : nil
      try dataset.append(indices.documents[place], from: offset, count: count, to: &text)
      guard text.count <= request.length + extra else {
        throw .foreignIndices(
          file: dataset.prefix + ".idx",
          problem: "sample \(sample) is longer than \(request.length)")
      }
    }
    let missing = request.length + extra - text.count
    if missing > 0 { text += Array(repeating: padding, count: missing) }
    return text
  }

  /// The sample that is drawn in this place, ready to learn from.
  public func window(_ index: Int) throws(IndexedError) -> TokenWindow {
    ends.window(try text(index), hasExtraToken: request.hasExtraToken, padding: padding)
  }
}
