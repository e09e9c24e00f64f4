/// The classes and fields that a `.metadata` pickle names, recognised once and not at every use.
struct MetadataNames {
  enum Class: String {
    case metadata = "Metadata"
    case megatronMetadata = "MCoreMetadata"
    case index = "MetadataIndex"
    case storage = "_StorageInfo"
    case object = "BytesStorageMetadata"
    case tensor = "TensorStorageMetadata"
    case chunk = "ChunkStorageMetadata"
    case properties = "TensorProperties"
    case size = "Size"
  }

  enum Field: Int, CaseIterable {
    // Of Metadata.
    case entries, storages, planner, version, extras
    // Of an entry of its mcore_data.
    case originalShape
    // Of MetadataIndex.
    case key, offset
    // Of _StorageInfo, with `offset`.
    case file, length, transforms
    // Of TensorStorageMetadata and ChunkStorageMetadata.
    case properties, size, chunks, offsets, sizes

    var spelling: String {
      switch self {
      case .entries: "state_dict_metadata"
      case .storages: "storage_data"
      case .planner: "planner_data"
      case .extras: "mcore_data"
      case .originalShape: "nd_reformulated_orig_global_shape"
      case .key: "fqn"
      case .file: "relative_path"
      case .transforms: "transform_descriptors"
      case .version, .offset, .length, .properties, .size, .chunks, .offsets, .sizes: "\(self)"
      }
    }
  }

  /// The values of one object's fields; `absent` where it has none.
  struct Values {
    private var cells = InlineArray<16, PickleCell>(repeating: .absent)

    subscript(field: Field) -> PickleCell {
      get { cells[field.rawValue] }
      set { cells[field.rawValue] = newValue }
    }
  }

  /// By text.
  private let fields: [Field?]
  /// By global.
  private let classes: [Class?]

  init(_ arena: borrowing PickleArena) {
    var spellings: [[(field: Field, text: [UInt8])]] = []
    for field in Field.allCases {
      let text = Array(field.spelling.utf8)
      while spellings.count <= text.count { spellings.append([]) }
      spellings[text.count].append((field, text))
    }
    var fields = [Field?](repeating: nil, count: arena.texts.count)
    for index in fields.indices {
      let count = arena.texts[index].count
      guard count < spellings.count else { continue }
      for spelling in spellings[count] where arena.content(index).elementsEqual(spelling.text) {
        fields[index] = spelling.field
      }
    }
    self.fields = fields
    var classes: [Class?] = []
    for index in arena.globals.indices {
      classes.append(Class(rawValue: arena.globals[index].name))
    }
    self.classes = classes
  }

  /// The class of an object.
  func type(of cell: PickleCell, in arena: borrowing PickleArena) -> Class? {
    cell.kind == .object ? classes[Int(arena.objects[cell.payload].callee)] : nil
  }

  /// The fields of an object that is of a class and has a dictionary as its state.
  func fields(
    of cell: PickleCell, _ type: Class, in arena: borrowing PickleArena
  ) -> Values? {
    guard self.type(of: cell, in: arena) == type else { return nil }
    return values(in: arena.objects[cell.payload].state, in: arena)
  }

  /// The fields in a dictionary; of several values of one, the last.
  func values(in cell: PickleCell, in arena: borrowing PickleArena) -> Values? {
    guard cell.kind == .dictionary else { return nil }
    var values = Values()
    var items = arena.items(of: cell.payload)
    while let key = items.next(arena), let value = items.next(arena) {
      if key.kind == .text, let field = fields[key.payload] { values[field] = value }
    }
    return values
  }
}
