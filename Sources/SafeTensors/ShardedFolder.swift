import JSON
import Tensors

/// The weights of a Hugging Face folder as one value, in however many files they lie.
///
/// An index, where there is one, is believed only as far as the files bear it out. Everything found
/// wrong is reported at once. What lies in the folder beside the weights is no business of this type.
public struct ShardedFolder: Sendable {
  public struct Location: Sendable {
    /// The position in `files`.
    public let file: Int
    public let entry: TensorEntry
  }

  public let path: String
  /// The files in the order of their names.
  public let files: [SafeTensorsFile]
  /// The index as it is, if there is one.
  public let indexBytes: [UInt8]?
  /// The `metadata` of the index, if there is one.
  public let indexMetadata: JSONObject?
  /// Every tensor's name, by file and there in the order of the data.
  public let names: [String]
  public let tensors: [String: Location]
  /// Whether some of the files were still arriving when they were opened.
  package let isArriving: Bool

  /// The bytes of all tensors together.
  public var totalBytes: Int { files.reduce(0) { $0 + $1.header.dataLength } }

  public subscript(name: String) -> TensorEntry? { tensors[name]?.entry }

  /// Where a tensor's bytes lie.
  ///
  /// - Throws: as `SafeTensorsFile.runs(of:)`.
  public func runs(of name: String) throws(SafeTensorsError) -> ByteRuns {
    guard let location = tensors[name] else { throw .noSuchTensor(file: path, tensor: name) }
    return try files[location.file].runs(of: name)
  }

  /// Opens all weights of a folder.
  ///
  /// In this order: the files that `model.safetensors.index.json` names, `model.safetensors`, a whole
  /// set of `model-0000x-of-0000y.safetensors`, the only file `*.safetensors`. Files
  /// `consolidated*.safetensors` hold the model once more in its maker's own format and are passed by.
  public init(_ folder: String) throws(SafeTensorsError) {
    try self.init(folder, arriving: [])
  }

  /// Opens all weights of a folder, some of which are still on their way into it.
  ///
  /// - Parameter arriving: files whose headers are there or will be; `path` says what they will be called.
  package init(_ folder: String, arriving: [InputFile]) throws(SafeTensorsError) {
    var loader = try ShardedFolderLoader(
      folder: folder, besides: arriving.map { Folder.name($0.path) })
    loader.arriving = Dictionary(
      arriving.map { (Folder.name($0.path), $0) }, uniquingKeysWith: { first, _ in first })
    let index = try loader.readIndex()
    let names = loader.fileNames(index)
    loader.open(names, index)
    loader.placeTensors()
    if let index { loader.compare(index) }
    guard loader.faults.isEmpty else { throw .folder(folder, loader.faults) }
    path = folder
    files = loader.files
    isArriving = !arriving.isEmpty
    indexBytes = index?.bytes
    indexMetadata = index?.metadata
    self.names = loader.names
    tensors = loader.tensors
  }

  /// The names of the files that opening a folder would open.
  ///
  /// - Parameter besides: names of files that are to come into it.
  package static func fileNames(
    in folder: String, besides: [String]
  ) throws(SafeTensorsError) -> [String] {
    var loader = try ShardedFolderLoader(folder: folder, besides: besides)
    let names = loader.fileNames(try loader.readIndex())
    guard loader.faults.isEmpty else { throw .folder(folder, loader.faults) }
    return names
  }

  /// What says whether a tensor's bytes are there, and how much of its file must be; `nil` where they are.
  package func arrival(of name: String) -> (any Arrival, count: Int)? {
    guard isArriving, let location = tensors[name], let arrival = files[location.file].arrival
    else {
      return nil
    }
    let file = files[location.file]
    return (arrival, file.header.dataOffset + location.entry.range.upperBound)
  }

  /// A folder that is not there, of files that could be written.
  package init(_ path: String, files: [SafeTensorsFile], indexBytes: [UInt8]?) {
    self.path = path
    self.files = files
    self.indexBytes = indexBytes
    indexMetadata = nil
    isArriving = false
    names = files.flatMap { $0.header.tensors.map(\.name) }
    var tensors: [String: Location] = [:]
    for (index, file) in files.enumerated() {
      for entry in file.header.tensors {
        tensors[entry.name] = Location(file: index, entry: entry)
      }
    }
    self.tensors = tensors
  }
}
