import Tensors

/// The classes and functions that checkpoints name, by the place where each may stand.
///
/// Allowing a name lets nothing run: it becomes an inert record. The list exists so that a file that
/// wants more than a checkpoint needs is refused by name.
enum PickleAllowList {
  static func allows(_ module: String, _ name: String, for policy: Unpickler.Policy) -> Bool {
    switch policy {
    case .tensors: contains(tensors, module, name)
    case .metadata: contains(tensors, module, name) || contains(metadata, module, name)
    case .state:
      contains(tensors, module, name) || contains(state, module, name)
        || isEnumeration(module, name)
    case .arrays: contains(numPy, module, name)
    case .inert: true
    }
  }

  /// Whether `getattr` may name a member of the class.
  static func isEnumeration(_ module: String, _ name: String) -> Bool {
    contains(enumerations, module, name)
  }

  /// Python 2's name of a class or function of Python 3, as protocols 0 to 2 write it.
  static func modern(_ module: String, _ name: String) -> (module: String, name: String) {
    switch (module, name) {
    case ("__builtin__", "unicode"): ("builtins", "str")
    case ("__builtin__", "long"): ("builtins", "int")
    case ("__builtin__", "xrange"): ("builtins", "range")
    case ("__builtin__", _): ("builtins", name)
    case ("copy_reg", _): ("copyreg", name)
    default: (module, name)
    }
  }

  /// The inverse of `modern`, as Python 3 writes names at protocol 2.
  static func ancient(_ module: String, _ name: String) -> (module: String, name: String) {
    switch (module, name) {
    case ("builtins", "str"): ("__builtin__", "unicode")
    case ("builtins", "int"): ("__builtin__", "long")
    case ("builtins", "range"): ("__builtin__", "xrange")
    case ("builtins", _): ("__builtin__", name)
    case ("copyreg", _): ("copy_reg", name)
    default: (module, name)
    }
  }

  private typealias Names = [String: Set<String>]

  private static func contains(_ names: Names, _ module: String, _ name: String) -> Bool {
    names[module]?.contains(name) ?? false
  }

  private static let tensors: Names = [
    "collections": ["OrderedDict"],
    "torch._utils": [
      "_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter",
      "_rebuild_parameter_with_state",
    ],
    "torch.storage": ["UntypedStorage", "_UntypedStorage"],
    "torch": Set(DType.allCases.compactMap(\.torchName))
      .union(TorchStorage.classNames)
      .union(["Size", "complex128", "complex32"]),
  ]

  private static let metadata: Names = [
    "torch.distributed.checkpoint.metadata": [
      "Metadata", "TensorStorageMetadata", "BytesStorageMetadata", "ChunkStorageMetadata",
      "MetadataIndex", "TensorProperties", "_MEM_FORMAT_ENCODING", "StorageMeta",
    ],
    "torch.distributed.checkpoint.filesystem": ["_StorageInfo", "_StoragePrefix"],
    "torch.distributed.checkpoint.planner": [
      "SavePlan", "WriteItem", "TensorWriteData", "BytesIOWriteData", "WriteItemType",
    ],
    "megatron.core.dist_checkpointing.strategies.torch": ["MCoreMetadata", "MCoreSavePlan"],
    "torch.serialization": ["_get_layout"],
    "pathlib": paths,
    "pathlib._local": paths,
    "builtins": ["set", "frozenset", "bytes", "bytearray", "getattr"],
    "_codecs": ["encode"],
  ]

  private static let paths: Set<String> = [
    "Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath",
  ]

  private static let arrays: Set<String> = ["_reconstruct", "scalar"]

  private static let numPy: Names = [
    "numpy": ["ndarray", "dtype"],
    "numpy.core.multiarray": arrays,
    "numpy._core.multiarray": arrays,
    // Protocol 2 has no bytes.
    "_codecs": ["encode"],
  ]

  private static let state: Names = [
    "argparse": ["Namespace"],
    "types": ["SimpleNamespace"],
    "_codecs": ["encode"],
    "_io": ["BytesIO"],
    "copyreg": ["_reconstructor"],
    "builtins": [
      "set", "frozenset", "bytes", "bytearray", "slice", "complex", "range", "object", "getattr",
      "int", "float", "str", "bool", "list", "dict", "tuple",
    ],
    "collections": ["defaultdict", "deque", "Counter"],
    "datetime": ["date", "datetime", "time", "timedelta", "timezone"],
    "fractions": ["Fraction"],
    "decimal": ["Decimal"],
    "numpy": ["ndarray", "dtype", "bool_", "float32", "float64", "int32", "int64"],
    "numpy.core.multiarray": arrays,
    "numpy._core.multiarray": arrays,
    "pathlib": paths,
    "pathlib._local": paths,
    "torch": ["device"],
    "torch.serialization": ["_get_layout"],
    "torch.nn.parameter": ["Parameter"],
  ]

  private static let enumerations: Names = [
    "megatron.core.enums": ["ModelType", "Fp8Recipe", "Fp4Recipe"],
    "megatron.core.transformer.enums": [
      "ModelType", "LayerType", "AttnType", "AttnMaskType", "AttnBackend", "CudaGraphScope",
    ],
    "megatron.core.rerun_state_machine": [
      "RerunMode", "RerunState", "RerunDiagnostic", "RerunValidationStatus",
    ],
    "megatron.model.enums": [
      "ModelType", "LayerType", "AttnType", "AttnMaskType", "PositionEmbeddingType",
    ],
    "megatron.enums": [
      "ModelType", "LayerType", "AttnType", "AttnMaskType", "PositionEmbeddingType",
    ],
    "signal": ["Signals"],
    "torch.distributed.checkpoint.metadata": ["_MEM_FORMAT_ENCODING"],
    "torch.distributed.checkpoint.planner": ["WriteItemType"],
  ]
}
