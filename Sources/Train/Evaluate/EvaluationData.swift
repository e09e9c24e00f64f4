import Checkpoints
import Data
import Tensors
import Tokenizers
import Training
import Weights

/// The samples a model is judged by.
struct EvaluationData {
  let dataset: Dataset
  /// What answers are read and written with; `nil` for running text.
  let tokenizer: FolderTokenizer?
  /// Whose way of making samples is followed; `nil` for tokens that are stored.
  let style: FormatStyle?
  let notes: [String]

  /// The tokens of a window of running text, where neither the command nor the model says fewer.
  private static let window = 2048

  init(
    _ options: DataOptions, _ samples: SampleOptions, limit: Int?, _ weights: ModelWeights
  ) throws {
    if let prefix = Self.indexed(options) {
      let length = samples.length ?? min(Self.window, weights.blueprint.frame.positions ?? .max)
      dataset = try Dataset(windows: prefix, of: length).first(limit)
      tokenizer = nil
      style = nil
      notes = []
    } else {
      var settings = try options.settings(samples, limit: limit)
      settings.tokenizer = settings.tokenizer ?? weights.model.folder
      // A sample is judged by as many tokens as are trained; packs would only put several together.
      let source = try SampleSource(settings, limits: options.limits)
      dataset = source.dataset
      tokenizer = source.tokenizer
      style = source.kind == nil ? nil : settings.format.style
      notes = source.notes
    }
    guard dataset.count > 0 else { throw DataError.noRows(path: dataset.origin) }
  }

  /// The prefix of Megatron's files, where the data are such.
  private static func indexed(_ options: DataOptions) -> String? {
    guard options.configuration == nil, options.data.count == 1, let path = options.data.first
    else {
      return nil
    }
    let prefix = [".bin", ".idx"].contains { path.hasSuffix($0) } ? String(path.dropLast(4)) : path
    return Folder.isFile(prefix + ".idx") ? prefix : nil
  }
}

extension Dataset {
  /// All tokens of Megatron's files once, in windows as training cuts them, the last one shorter.
  fileprivate init(windows prefix: String, of length: Int) throws(IndexedError) {
    let stored = try IndexedDataset(prefix)
    var request = SampleIndices.Request(
      prefix: prefix, sequences: 0..<stored.count, split: .test, length: length, seed: 0)
    request.dropsRest = false
    let windows = try GPTDataset(stored, request)
    self.init(
      count: windows.count, origin: "\(prefix): \(windows.count) windows of \(length) tokens"
    ) { index throws(DataError) in
      do throws(IndexedError) {
        var sample = try windows.window(index).sample
        while sample.count > 1, sample.trained.last == false {
          sample.tokens.removeLast()
          sample.trained.removeLast()
        }
        return sample
      } catch { throw .indexed(error) }
    }
  }
}
