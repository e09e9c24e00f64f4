import Tensors

/// A file that `torch.save` wrote before it wrote zip archives (PyTorch before 1.6): read only.
///
/// Five pickles stand in a row (magic number, version, machine, object, storage keys); behind them the
/// storages in the order of the keys, each with its number of elements before it.
public struct LegacyTorchFile: Sendable {
  public let file: InputFile
  /// The pickle of the object.
  private let object: Range<Int>
  private let storages: [String: Range<Int>]

  /// The magic number 0x1950a86a20f9469cfc6c as it stands in the file.
  private static let magic: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
  private static let version = 1001
  /// How much of the file is read at first; doubled while the pickles reach further.
  private static let window = 1 << 20

  /// Whether a file begins as this format does.
  public static func matches(_ file: InputFile) -> Bool {
    let start: [UInt8] = [0x80, 0x02, 0x8A, 0x0A] + magic
    guard file.size >= start.count else { return false }
    return (try? file.read(0..<start.count)) == start
  }

  /// Opens a file and finds its storages.
  ///
  /// - Throws: `TorchFileError` if it is of another format, cut short or big-endian.
  public init(path: String) throws(TorchFileError) {
    let file: InputFile
    do throws(FileError) { file = try InputFile(path) } catch { throw .file(error) }
    let place = TorchPlace(path: path, offset: 0)
    guard Self.matches(file) else { throw .notTorch(place) }
    let pickles = try Self.pickles(file, place)
    guard pickles.version == Self.version else { throw .notTorch(place) }
    guard case .bool(true)? = pickles.machine.dictionary?["little_endian"] else {
      throw .byteOrder(place, found: "big")
    }
    var references: [String: TorchStorageReference] = [:]
    try Self.collect(pickles.value, place, into: &references)
    var storages: [String: Range<Int>] = [:]
    var position = pickles.end
    for key in pickles.keys {
      guard let key = key.string, let reference = references[key] else {
        throw .malformed(place, at: pickles.end, "a storage is listed that no tensor uses")
      }
      let range = try Self.storage(reference, at: position, file, place)
      storages[key] = range
      position = range.upperBound
    }
    self.file = file
    object = pickles.object
    self.storages = storages
  }

  /// The bytes of the storage whose number of elements stands at `position`.
  private static func storage(
    _ reference: TorchStorageReference, at position: Int, _ file: InputFile, _ place: TorchPlace
  ) throws(TorchFileError) -> Range<Int> {
    let start = position + 8
    let width = reference.dtype?.byteWidth ?? 1
    let count: Int
    do throws(FileError) {
      count = try file.read(position..<start).number(0, 8)
    } catch {
      throw .file(error)
    }
    guard count == reference.byteCount / width else {
      throw .malformed(
        place, at: position, "storage \(reference.key) has a wrong number of elements")
    }
    guard reference.byteCount <= file.size - start else {
      let (end, overflow) = start.addingReportingOverflow(reference.byteCount)
      throw .file(
        .endOfFile(path: file.path, wanted: start..<(overflow ? Int.max : end), size: file.size))
    }
    return start..<start + reference.byteCount
  }

  private struct Pickles {
    let version: Int?
    let machine: PickleValue
    let object: Range<Int>
    let value: PickleValue
    let keys: [PickleValue]
    let end: Int

    init(_ bytes: [UInt8]) throws(PickleError) {
      var next: Int
      var value: PickleValue
      (_, next) = try Unpickler.load(prefixOf: bytes, at: 0, policy: .tensors)
      (value, next) = try Unpickler.load(prefixOf: bytes, at: next, policy: .tensors)
      version = value.integer
      (machine, next) = try Unpickler.load(prefixOf: bytes, at: next, policy: .tensors)
      let start = next
      (self.value, next) = try Unpickler.load(prefixOf: bytes, at: next, policy: .inert)
      object = start..<next
      (value, end) = try Unpickler.load(prefixOf: bytes, at: next, policy: .tensors)
      guard let list = value.list else {
        throw .unexpected("the storage keys are no list", offset: next)
      }
      keys = list.items
    }
  }

  private static func pickles(
    _ file: InputFile, _ place: TorchPlace
  ) throws(TorchFileError) -> Pickles {
    var window = min(window, file.size)
    while true {
      let bytes: [UInt8]
      do throws(FileError) { bytes = try file.read(0..<window) } catch { throw .file(error) }
      do throws(PickleError) {
        return try Pickles(bytes)
      } catch {
        switch error {
        case .truncated, .missingStop:
          guard window < file.size else { throw .pickle(place, error) }
          window = window > file.size / 2 ? file.size : 2 * window
        default: throw .pickle(place, error)
        }
      }
    }
  }

  private static func collect(
    _ value: PickleValue, _ place: TorchPlace,
    into references: inout [String: TorchStorageReference]
  ) throws(TorchFileError) {
    switch value {
    case .persistent:
      let reference = try TorchStorageReference(value, place)
      let known = references.updateValue(reference, forKey: reference.key)
      guard known == nil || known?.byteCount == reference.byteCount else {
        throw .malformedTensor(place, "storage \(reference.key) has two sizes")
      }
    case .tuple(let items):
      for item in items { try collect(item, place, into: &references) }
    case .list(let list), .set(let list):
      for item in list.items { try collect(item, place, into: &references) }
    case .dictionary(let dictionary):
      for item in dictionary.items { try collect(item.value, place, into: &references) }
    case .object(let object):
      for item in object.arguments { try collect(item, place, into: &references) }
      for item in object.dictionary?.items ?? [] {
        try collect(item.value, place, into: &references)
      }
      for item in object.list?.items ?? [] { try collect(item, place, into: &references) }
      if let state = object.state { try collect(state, place, into: &references) }
    default: break
    }
  }

  private var place: TorchPlace { TorchPlace(path: file.path, offset: 0) }

  /// The object the file holds.
  public func pickle(policy: Unpickler.Policy) throws(TorchFileError) -> PickleValue {
    let bytes: [UInt8]
    do throws(FileError) { bytes = try file.read(object) } catch { throw .file(error) }
    do throws(PickleError) {
      return try Unpickler.load(bytes, policy: policy)
    } catch {
      throw .pickle(place, error)
    }
  }

  /// The place of a tensor in the pickle of this file, as `TorchZip.tensor(from:)`.
  public func tensor(from value: PickleValue) throws(TorchFileError) -> StoredTensor {
    try rebuilder.tensor(from: value)
  }

  /// All tensors in a value's dictionaries, lists and tuples, with their keys joined by dots.
  public func tensors(
    in value: PickleValue
  ) throws(TorchFileError) -> [(path: String, tensor: StoredTensor)] {
    try rebuilder.tensors(in: value)
  }

  private var rebuilder: TensorRebuilder {
    TensorRebuilder(place: place, file: file) { (key) throws(TorchFileError) in
      guard let range = storages[key] else {
        throw .malformedTensor(place, "storage \(key) is not in the file")
      }
      return range
    }
  }
}
