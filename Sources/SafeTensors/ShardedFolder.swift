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
    let present: [String]
    do { present = try Folder.names(in: folder) } catch { throw .file(error) }
    var loader = ShardedFolderLoader(folder: folder, present: present)
    let index = try loader.readIndex()
    let names = loader.fileNames(index)
    loader.open(names, index)
    loader.placeTensors()
    if let index { loader.compare(index) }
    guard loader.faults.isEmpty else { throw .folder(folder, loader.faults) }
    path = folder
    files = loader.files
    indexBytes = index?.bytes
    indexMetadata = index?.metadata
    self.names = loader.names
    tensors = loader.tensors
  }

  /// A folder that is not there, of files that could be written.
  package init(_ path: String, files: [SafeTensorsFile], indexBytes: [UInt8]?) {
    self.path = path
    self.files = files
    self.indexBytes = indexBytes
    indexMetadata = nil
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
