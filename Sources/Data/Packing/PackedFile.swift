import JSON
import MegatronFormat
import Tensors

/// The `.npy` files of packs that NeMo and Megatron-Bridge write: an array of Python dictionaries.
///
/// The pickle in it is read by a reader that knows NumPy's arrays and nothing else, and runs nothing.
public enum PackedFile {
  // MARK: Reading

  /// All packs of a file.
  ///
  /// - Throws: `PackingError.parquet` with the command that converts such a file.
  public static func read(_ path: String) throws(PackingError) -> [PackedSequence] {
    let file: InputFile
    do throws(FileError) { file = try InputFile(path) } catch { throw .file(error) }
    try refuseParquet(file)
    let header: NumPyHeader
    do throws(IndexedError) { header = try NumPyHeader(file) } catch { throw .array(error) }
    guard header.type == "|O", header.shape.count == 1 else {
      throw .malformed(
        file: path, place: "its head", expected: "one dimension of Python objects (|O)",
        found: "\(header.type) of the shape \(header.shape)")
    }
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try file.read(header.dataOffset..<file.size)
    } catch { throw .file(error) }
    var limits = Unpickler.Limits()
    // A file names a token once and says once whether it counts.
    limits.values = max(limits.values, bytes.count)
    let value: PickleValue
    do throws(PickleError) {
      value = try Unpickler.load(bytes, policy: .arrays, limits: limits)
    } catch { throw .pickle(file: path, error) }
    return try packs(value, header, path)
  }

  private static func refuseParquet(_ file: InputFile) throws(PackingError) {
    guard file.size >= 4 else { return }
    let head: [UInt8]
    do throws(FileError) { head = try file.read(0..<4) } catch { throw .file(error) }
    if head == Array("PAR1".utf8) { throw .parquet(file: file.path) }
  }

  /// The items of the array: `_reconstruct(ndarray, (0,), b"b")`, whose state's last part they are.
  private static func packs(
    _ value: PickleValue, _ header: NumPyHeader, _ path: String
  ) throws(PackingError) -> [PackedSequence] {
    guard let array = value.object, array.name == "_reconstruct", let state = array.state?.tuple,
      state.count == 5, let list = state[4].list
    else {
      throw .malformed(
        file: path, place: "its data", expected: "an array of objects", found: value.kind)
    }
    guard list.items.count == header.shape[0] else {
      throw .malformed(
        file: path, place: "its data", expected: "\(header.shape[0]) packs, as its head says",
        found: "\(list.items.count)")
    }
    var packs: [PackedSequence] = []
    for (index, item) in list.items.enumerated() {
      packs.append(try PackReader(file: path, index: index).pack(item))
    }
    return packs
  }

  // MARK: Writing

  /// Writes packs so that `numpy.load(…, allow_pickle=True)`, NeMo and Megatron-Bridge read them.
  public static func write(_ packs: [PackedSequence], to path: String) throws(PackingError) {
    // NumPy 2 still knows its module by the old name, which NumPy 1 knows alone.
    try publish(bytes(packs, module: "numpy.core.multiarray"), as: path)
  }

  /// The file, with the name that some NumPy has for the module of its arrays.
  static func bytes(_ packs: [PackedSequence], module: String) -> [UInt8] {
    let items = packs.map { pack in
      PickleValue.dictionary(
        PickleDictionary([
          (.string("input_ids"), .list(PickleList(pack.tokens.map { .integer(Int($0)) }))),
          (.string("loss_mask"), .list(PickleList(pack.counted.map { .bool($0) }))),
          (.string("seq_start_id"), .list(PickleList(pack.starts.map { .integer($0) }))),
        ]))
    }
    let type = PickleObject(
      module: "numpy", name: "dtype", arguments: [.string("O8"), .bool(false), .bool(true)],
      state: .tuple([
        .integer(3), .string("|"), .none, .none, .none, .integer(-1), .integer(-1), .integer(63),
      ]))
    let array = PickleObject(
      module: module, name: "_reconstruct",
      arguments: [
        .global(module: "numpy", name: "ndarray"), .tuple([.integer(0)]),
        .bytes(Array("b".utf8)),
      ],
      state: .tuple([
        .integer(1), .tuple([.integer(packs.count)]), .object(type), .bool(false),
        .list(PickleList(items)),
      ]))
    let header = NumPyHeader(type: "|O", shape: [packs.count])
    return header.bytes + Pickler.dump(.object(array), protocol: 4)
  }

  /// Adds what is known of packs to a metadata file, which holds one entry for each set of packs.
  public static func append(
    _ metadata: PackingMetadata, to path: String
  ) throws(PackingError) {
    var entries: [JSON] = []
    if Folder.exists(path) { entries = try readMetadata(path).map(\.json) }
    try publish(JSON.array(entries + [metadata.json]).serializedBytes(.python), as: path)
  }

  /// The entries of a metadata file.
  public static func readMetadata(_ path: String) throws(PackingError) -> [PackingMetadata] {
    let bytes: [UInt8]
    do throws(FileError) { bytes = try InputFile(path).readAll() } catch { throw .file(error) }
    let root: JSON
    do throws(JSONError) { root = try JSON(parsing: bytes) } catch {
      throw .metadata(file: path, problem: "\(error)")
    }
    guard let items = root.array else { throw .metadata(file: path, problem: "it is no list") }
    var entries: [PackingMetadata] = []
    for item in items { entries.append(try PackingMetadata(item, file: path)) }
    return entries
  }

  private static func publish(_ bytes: [UInt8], as path: String) throws(PackingError) {
    do throws(FileError) {
      try OutputFile.replace(path) { file throws(FileError) in try file.write(bytes, at: 0) }
    } catch { throw .file(error) }
  }
}

/// Reads one dictionary of a file of packs.
private struct PackReader {
  let file: String
  let index: Int

  func pack(_ value: PickleValue) throws(PackingError) -> PackedSequence {
    guard case .dictionary(let pack) = value else {
      throw malformed("", "a dictionary", value.kind)
    }
    let tokens = try numbers(pack, "input_ids").map { number throws(PackingError) in
      guard let token = Int32(exactly: number) else {
        throw malformed("[input_ids]", "a token id", "\(number)")
      }
      return token
    }
    let mask = try numbers(pack, "loss_mask")
    guard mask.count == tokens.count else {
      throw malformed("[loss_mask]", "\(tokens.count) values, one for each token", "\(mask.count)")
    }
    let starts = try numbers(pack, "seq_start_id").map { number throws(PackingError) in
      guard let start = Int(exactly: number), start >= 0, start < tokens.count else {
        throw malformed("[seq_start_id]", "a place among \(tokens.count) tokens", "\(number)")
      }
      return start
    }
    guard starts.first == 0, zip(starts, starts.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw malformed("[seq_start_id]", "0 and growing places", "\(starts.prefix(8))")
    }
    return PackedSequence(tokens: tokens, counted: mask.map { $0 != 0 }, starts: starts)
  }

  private func malformed(_ place: String, _ expected: String, _ found: String) -> PackingError {
    .malformed(file: file, place: "pack \(index)\(place)", expected: expected, found: found)
  }

  /// The numbers under a key; True is 1, False 0.
  private func numbers(
    _ pack: PickleDictionary, _ key: String
  ) throws(PackingError) -> [Double] {
    guard let value = pack[key] else { throw malformed("[\(key)]", "a list", "nothing") }
    let items: [PickleValue]
    switch value {
    case .list(let list): items = list.items
    case .tuple(let values): items = values
    default: throw malformed("[\(key)]", "a list", value.kind)
    }
    var numbers: [Double] = []
    numbers.reserveCapacity(items.count)
    for item in items {
      switch item {
      case .integer(let number) where number.magnitude < 1 << 53: numbers.append(Double(number))
      case .bool(let flag): numbers.append(flag ? 1 : 0)
      case .float(let number) where number.isFinite: numbers.append(number)
      default: throw malformed("[\(key)]", "a number", item.kind)
      }
    }
    return numbers
  }
}
