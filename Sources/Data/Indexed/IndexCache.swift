import JSON
import Tensors

/// Indices kept from run to run, in the files and by the names that megatron-core gives them: it finds
/// ours and we find its.
///
/// A name is the MD5 of a description, a JSON text that says what the indices were made from.
public struct IndexCache: Sendable {
  public let folder: String

  public init(folder: String) { self.folder = folder }

  /// Where megatron-core keeps them if nobody says otherwise.
  public static func defaultFolder(of prefix: String) -> String {
    prefix + "/cache/GPTDataset_indices"
  }

  private func path(_ description: String, _ kind: String, _ split: Split, _ name: String) -> String
  {
    "\(folder)/\(MD5.digest(Array(description.utf8)))-\(kind)-\(split.name)-\(name)"
  }

  // MARK: Samples

  /// The indices of a data set, or `nil` if they are not all there.
  ///
  /// - Throws: `IndexedError` where they are there and damaged.
  func samples(
    _ description: String, _ request: SampleIndices.Request
  ) throws(IndexedError) -> SampleIndices? {
    func path(_ name: String) -> String {
      self.path(description, "GPTDataset", request.split, name)
    }
    let names = ["description.txt", "document_index.npy", "sample_index.npy", "shuffle_index.npy"]
    guard names.allSatisfy({ Folder.isFile(path($0)) }) else { return nil }
    let indices = SampleIndices(
      documents: try IndexNumbers(file: path(names[1]), types: ["<i4"]),
      samples: try IndexNumbers(file: path(names[2]), types: ["<i4", "<i8"], columns: 2),
      shuffle: try IndexNumbers(file: path(names[3]), types: ["<u4", "<i8"]))
    guard indices.samples.count >= 2, indices.shuffle.count == indices.count else {
      throw .foreignIndices(
        file: path(names[3]),
        problem: "it orders \(indices.shuffle.count) samples and there are \(indices.count)")
    }
    return indices
  }

  /// Keeps indices; the description comes last, because all of them count only with it.
  func keep(
    _ indices: SampleIndices, _ description: String, _ request: SampleIndices.Request
  ) throws(IndexedError) {
    func path(_ name: String) -> String {
      self.path(description, "GPTDataset", request.split, name)
    }
    try makeFolder()
    try indices.documents.save(to: path("document_index.npy"))
    try indices.samples.save(to: path("sample_index.npy"), columns: 2)
    try indices.shuffle.save(to: path("shuffle_index.npy"))
    try describe(description, path("description.txt"))
  }

  // MARK: Blends

  func blend(_ description: String, _ split: Split) throws(IndexedError) -> BlendIndices? {
    func path(_ name: String) -> String { self.path(description, "BlendedDataset", split, name) }
    let names = ["description.txt", "dataset_index.npy", "dataset_sample_index.npy"]
    guard names.allSatisfy({ Folder.isFile(path($0)) }) else { return nil }
    let indices = BlendIndices(
      datasets: try IndexNumbers(file: path(names[1]), types: ["<i2"]),
      samples: try IndexNumbers(file: path(names[2]), types: ["<i8"]))
    guard indices.datasets.count == indices.samples.count else {
      throw .foreignIndices(file: path(names[1]), problem: "its two arrays differ in length")
    }
    return indices
  }

  func keep(_ indices: BlendIndices, _ description: String, _ split: Split) throws(IndexedError) {
    func path(_ name: String) -> String { self.path(description, "BlendedDataset", split, name) }
    try makeFolder()
    try indices.datasets.save(to: path("dataset_index.npy"))
    try indices.samples.save(to: path("dataset_sample_index.npy"))
    try describe(description, path("description.txt"))
  }

  // MARK: Files

  private func makeFolder() throws(IndexedError) {
    try IndexedError.files { () throws(FileError) in try Folder.create(folder) }
  }

  private func describe(_ description: String, _ path: String) throws(IndexedError) {
    try IndexedError.files { () throws(FileError) in
      try OutputFile.replace(path) { file throws(FileError) in
        try file.write(Array(description.utf8), at: 0)
      }
    }
  }
}
