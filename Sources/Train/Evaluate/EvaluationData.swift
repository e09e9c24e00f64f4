import Checkpoints
import Configuration
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
    let length = samples.length ?? min(Self.window, weights.blueprint.frame.positions ?? .max)
    if let prefix = Self.indexed(options) {
      self.init(try Dataset(windows: prefix, of: length).first(limit))
    } else if let file = options.configuration, options.data.isEmpty {
      switch try Self.configured(file, model: weights.model.folder) {
      case .rows(let data):
        try self.init(
          options.settings(data, samples, limit: limit), options.limits, weights)
      case .indexed(var plan, _):
        if let limit { plan.samples = plan.samples.map { $0 ?? limit } }
        let splits = try plan.build()
        // Small data may leave nothing for validation.
        let found = [splits[1], splits[2], splits[0]].compactMap(\.self).first { $0.count > 0 }
        guard let data = found else { throw DataError.noRows(path: file) }
        self.init(Dataset(data, origin: file).first(limit))
      }
    } else {
      try self.init(
        options.settings(samples, limit: limit), options.limits, weights)
    }
    guard dataset.count > 0 else { throw DataError.noRows(path: dataset.origin) }
  }

  private init(_ windows: Dataset) {
    dataset = windows
    tokenizer = nil
    style = nil
    notes = []
  }

  private init(
    _ wished: DataSettings, _ limits: ReadingLimits, _ weights: ModelWeights
  ) throws {
    var settings = wished
    settings.tokenizer = settings.tokenizer ?? weights.model.folder
    let source = try SampleSource(settings, limits: limits)
    dataset = source.dataset
    tokenizer = source.tokenizer
    style = source.kind == nil ? nil : settings.format.style
    notes = source.notes
  }

  /// What a run of this configuration would be judged by, else what it would learn from; of a file that is no
  /// whole configuration, the data that it names.
  private static func configured(_ file: String, model: String) throws -> DataSource {
    // What a run needs besides, whatever the file says of it.
    let besides = ["--model", model, "--max-steps", "1", "--lr", "1e-4"]
    for purpose in [RunPurpose.finetune, .pretrain] {
      // What keeps it from being a run is no fault of its data.
      guard
        let run = try? RunConfiguration(
          purpose: purpose, file: file, overrides: besides, allowsUnknown: true)
      else { continue }
      return run.settings.validation.data ?? run.settings.data
    }
    return .rows(try DataSettings(try ConfigurationSection.load(file)))
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
      do throws(IndexedError) { return try windows.window(index).filled } catch {
        throw .indexed(error)
      }
    }
  }

  /// The windows of a blend.
  fileprivate init(_ data: PretrainingData, origin: String) {
    self.init(
      count: data.count, origin: "\(origin): \(data.count) windows of the split \(data.split.name)"
    ) { index throws(DataError) in
      do throws(IndexedError) { return try data.window(index).filled } catch {
        throw .indexed(error)
      }
    }
  }
}

extension TokenWindow {
  /// As a sequence without the padding at its end.
  fileprivate var filled: Sample {
    var sample = sample
    while sample.count > 1, sample.trained.last == false {
      sample.tokens.removeLast()
      sample.trained.removeLast()
    }
    return sample
  }
}
