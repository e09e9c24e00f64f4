import Blueprint
import Engine
import SafeTensors
import Tensors

/// The batch of a capture: token ids of some sequences, with labels and padding where the file has them.
struct CaptureInputs {
  let path: String
  /// The sequences, and the positions of each.
  let rows: Int
  let columns: Int
  /// How many positions of each sequence are no padding.
  let lengths: [Int]
  let tokens: [Int64]
  let labels: [Int64]?

  /// - Throws: `InputError`, `SafeTensorsError`.
  init(_ path: String) throws {
    let file = try SafeTensorsFile(path)
    guard let ids = file["input_ids"] else {
      throw InputError.missing(file: path, tensor: "input_ids")
    }
    guard ids.shape.rank == 2 else {
      throw InputError.shape(
        file: path, tensor: "input_ids", found: ids.shape, expected: "[sequences, positions]")
    }
    let (rows, columns) = (ids.shape[0], ids.shape[1])
    func numbers(_ name: String) throws -> [Int64]? {
      guard let entry = file[name] else { return nil }
      guard entry.shape == ids.shape else {
        throw InputError.shape(
          file: path, tensor: name, found: entry.shape, expected: "\(ids.shape), as input_ids")
      }
      let runs = try file.runs(of: name)
      guard let values = try runs.integers(dtype: entry.dtype) else {
        throw InputError.type(file: path, tensor: name, found: entry.dtype)
      }
      return values
    }
    self.path = path
    self.rows = rows
    self.columns = columns
    tokens = try numbers("input_ids") ?? []
    labels = try numbers("labels")
    var lengths = [Int](repeating: columns, count: rows)
    if let mask = try numbers("attention_mask") {
      for row in 0..<rows {
        let line = mask[row * columns..<(row + 1) * columns]
        lengths[row] = line.prefix { $0 != 0 }.count
        guard line.dropFirst(lengths[row]).allSatisfy({ $0 == 0 }) else {
          throw InputError.padding(file: path, row: row)
        }
      }
    }
    self.lengths = lengths
  }

  /// The sequences without padding.
  ///
  /// - Parameter gradients: whether there must be something to learn.
  /// - Throws: `EngineError`, `InputError`.
  func batch(for blueprint: Blueprint, gradients: Bool) throws -> Batch {
    let vocabulary = blueprint.frame.vocabulary
    let sequences = (0..<rows).map { row in range(row).map { tokens[$0] } }
    let ids = sequences.map { $0.map { Int32(clamping: $0) } }
    let plain = Batch(ids)
    try blueprint.check(plain)
    guard let labels else {
      if gradients { throw InputError.noLabels(file: path) }
      return plain
    }
    for (index, label) in labels.enumerated()
    where label >= vocabulary || label < 0 && label != Self.masked {
      throw InputError.label(
        file: path, row: index / columns, position: index % columns, label: label,
        vocabulary: vocabulary)
    }
    let batch = Batch(ids, aligned: (0..<rows).map { row in range(row).map { Int32(labels[$0]) } })
    if gradients, batch.trained == 0 { throw EngineError.nothingToLearn }
    return batch
  }

  /// What a label is where nothing is to be predicted.
  static let masked: Int64 = -100

  /// The elements of a sequence.
  private func range(_ row: Int) -> Range<Int> {
    row * columns..<row * columns + lengths[row]
  }
}

/// Why a batch cannot be used.
enum InputError: Error {
  case missing(file: String, tensor: String)
  case shape(file: String, tensor: String, found: Shape, expected: String)
  case type(file: String, tensor: String, found: DType)
  case padding(file: String, row: Int)
  case label(file: String, row: Int, position: Int, label: Int64, vocabulary: Int)
  case noLabels(file: String)
  case frozen(adapter: String)
}

extension InputError: CustomStringConvertible {
  var description: String {
    switch self {
    case .missing(let file, let tensor):
      "\(file) has no tensor \(tensor). Save the batch as safetensors with \(tensor) of the type int64."
    case .shape(let file, let tensor, let found, let expected):
      "\(file): \(tensor) has the shape \(found), expected is \(expected). Save it in that shape."
    case .type(let file, let tensor, let found):
      "\(file): \(tensor) is of the type \(found.rawValue), expected are whole numbers. Save it as int64."
    case .padding(let file, let row):
      """
      \(file): in attention_mask a token follows padding in row \(row); only padding at the end is \
      understood. Pad the sequences on the right.
      """
    case .label(let file, let row, let position, let label, let vocabulary):
      """
      \(file): labels[\(row), \(position)] is \(label), outside the vocabulary of \(vocabulary) tokens. \
      Use -100 for what is not to be predicted.
      """
    case .noLabels(let file):
      "\(file) has no labels, and without a loss there are no gradients. Add labels, or leave --gradients out."
    case .frozen(let adapter):
      """
      --gradients are of the model's weights, and the adapter \(adapter) freezes them. Leave --gradients out, or \
      merge the adapter with merge-lora and capture the result.
      """
    }
  }
}
