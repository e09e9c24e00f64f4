import Checkpoints
import HDF5
import Tensors

extension ComparablePair {
  /// Two HDF5 files, such as `train capture` writes; `nil` where neither is one.
  ///
  /// - Throws: `HDF5Error`, also where only one of the two is such a file.
  init?(captures first: String, _ second: String) throws {
    guard Self.isHDF5(first) || Self.isHDF5(second) else { return nil }
    let (left, right) = (try HDF5File(first), try HDF5File(second))
    self.init(try TensorSet(left), try TensorSet(right), [])
  }

  /// Whether a file begins as HDF5 files do.
  private static func isHDF5(_ path: String) -> Bool {
    guard Folder.isFile(path), let file = try? InputFile(path),
      let head = try? file.read(0..<min(8, file.size))
    else { return false }
    return head == [0x89] + Array("HDF\r\n".utf8) + [0x1A, 0x0A]
  }
}

extension TensorSet {
  /// The datasets of an HDF5 file in the order in which a model computes: numbered ones by their
  /// numbers, gradients behind everything else.
  init(_ file: HDF5File) throws {
    let sorted = file.datasets.map { (key: CaptureOrder($0.name), dataset: $0) }
      .sorted { $0.key < $1.key }.map(\.dataset)
    self.init(
      try sorted.map { dataset in
        let runs = try file.runs(of: dataset.name)
        return Tensor(
          name: dataset.name, dtype: dataset.dtype, shape: dataset.shape, pieces: 1
        ) { _ in runs }
      })
  }
}

/// Where a dataset stands among those of a capture.
struct CaptureOrder: Comparable {
  /// Its group's place, and the words and numbers of its name.
  private let group: Int
  private let words: [Word]

  private enum Word: Comparable {
    case number(Int)
    case text(String)
  }

  init(_ name: String) {
    let groups = ["hidden/", "logits", "loss", "greedy"]
    group =
      name.hasPrefix("gradients/")
      ? groups.count + 1 : groups.firstIndex { name.hasPrefix($0) } ?? groups.count
    var words: [Word] = []
    var rest = Substring(name)
    while let first = rest.first {
      let isNumber = first.isASCII && first.isNumber
      let word = rest.prefix { ($0.isASCII && $0.isNumber) == isNumber }
      words.append(
        isNumber ? Int(word).map(Word.number) ?? .text(String(word)) : .text(String(word)))
      rest = rest.dropFirst(word.count)
    }
    self.words = words
  }

  static func < (left: CaptureOrder, right: CaptureOrder) -> Bool {
    if left.group != right.group { return left.group < right.group }
    return left.words.lexicographicallyPrecedes(right.words)
  }

  /// What a dataset of hidden states is, in words; empty for others.
  static func place(_ name: String) -> String {
    guard name.hasPrefix("hidden/"), let index = Int(name.dropFirst("hidden/".count)) else {
      return ""
    }
    return index == 0 ? " (what enters block 0)" : " (the output of block \(index - 1))"
  }
}
