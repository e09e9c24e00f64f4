import Tensors

/// What HDF5 refuses, with the file and the dataset.
public enum HDF5Error: Error, Equatable, Sendable {
  case file(FileError)
  /// - Parameter reason: in HDF5's words.
  case cannotCreate(file: String, reason: String)
  case cannotOpen(file: String, reason: String)
  case cannotWrite(file: String, dataset: String, reason: String)
  case cannotRead(file: String, dataset: String, reason: String)
  case noSuchDataset(file: String, dataset: String)
  /// The dataset holds neither whole numbers nor floating-point ones.
  case noNumbers(file: String, dataset: String)
  /// The finished file cannot take its place.
  case cannotPublish(file: String, reason: String)
}

extension HDF5Error: CustomStringConvertible {
  public var description: String {
    switch self {
    case .file(let error): "\(error)"
    case .cannotCreate(let file, let reason):
      "\(file) cannot be written: \(reason). Choose a place in a folder that exists and may be written."
    case .cannotOpen(let file, let reason):
      "\(file) cannot be read as HDF5: \(reason). Check the path, or write the file again."
    case .cannotWrite(let file, let dataset, let reason):
      "\(file): the dataset \(dataset) cannot be written: \(reason). Check the space on the disk."
    case .cannotRead(let file, let dataset, let reason):
      "\(file): the dataset \(dataset) cannot be read: \(reason). Write the file again."
    case .noSuchDataset(let file, let dataset):
      "\(file) has no dataset \(dataset). `h5ls -r` lists what it has."
    case .noNumbers(let file, let dataset):
      "\(file): the dataset \(dataset) holds no plain numbers, so there is nothing to compare."
    case .cannotPublish(let file, let reason):
      "\(file): what was written cannot take its place: \(reason). Nothing was left behind."
    }
  }
}
