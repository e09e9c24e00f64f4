import Foundation

/// Tensors for a safetensors file that a test writes by hand.
public struct HandMade: Sendable {
  public var name: String
  public var dtype: String
  public var shape: [Int]
  /// `nil` leaves a hole of zeros in the file.
  public var bytes: [UInt8]?

  public init(name: String, dtype: String, shape: [Int], bytes: [UInt8]?) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.bytes = bytes
  }

  public static let widths = ["BF16": 2, "F16": 2, "F32": 4, "F64": 8, "U8": 1, "I64": 8, "C64": 8]

  public var size: Int { shape.reduce(1, *) * (Self.widths[dtype] ?? 0) }

  public static func floats(_ name: String, _ values: [Float]) -> HandMade {
    HandMade(
      name: name, dtype: "F32", shape: [values.count],
      bytes: values.flatMap { value in
        (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> ($0 * 8)) }
      })
  }

  /// Writes a file as the format's description says.
  public static func write(_ tensors: [HandMade], to url: URL) throws {
    var entries: [String] = []
    var offset = 0
    for tensor in tensors {
      entries.append(
        """
        "\(tensor.name)":{"dtype":"\(tensor.dtype)","shape":\(tensor.shape),\
        "data_offsets":[\(offset),\(offset + tensor.size)]}
        """)
      offset += tensor.size
    }
    var header = Array("{\(entries.joined(separator: ","))}".utf8)
    while header.count % 8 != 0 { header.append(0x20) }
    var file = Data((0..<8).map { UInt8(truncatingIfNeeded: header.count >> ($0 * 8)) } + header)
    let start = file.count
    if tensors.allSatisfy({ $0.bytes != nil }) {
      for tensor in tensors { file.append(contentsOf: tensor.bytes ?? []) }
      try file.write(to: url)
    } else {
      try file.write(to: url)
      let handle = try FileHandle(forWritingTo: url)
      try handle.truncate(atOffset: UInt64(start + offset))
      try handle.close()
    }
  }
}

/// A model of zeros that takes no room on the disk: about `300 MB` in bfloat16.
public func writeLargeModel(to folder: URL, layers: Int = 12) throws {
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  let (width, inner, vocabulary) = (1024, 2816, 8192)
  let configuration = """
    {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": \(width),
     "intermediate_size": \(inner), "num_hidden_layers": \(layers), "num_attention_heads": 8,
     "num_key_value_heads": 8, "vocab_size": \(vocabulary), "rms_norm_eps": 1e-05,
     "hidden_act": "silu", "rope_theta": 10000.0, "max_position_embeddings": 2048,
     "tie_word_embeddings": false, "torch_dtype": "bfloat16"}
    """
  try Data(configuration.utf8).write(to: folder.appending(path: "config.json"))
  var tensors: [HandMade] = []
  func add(_ name: String, _ shape: [Int]) {
    tensors.append(HandMade(name: name, dtype: "BF16", shape: shape, bytes: nil))
  }
  add("model.embed_tokens.weight", [vocabulary, width])
  for layer in 0..<layers {
    let prefix = "model.layers.\(layer)."
    add(prefix + "input_layernorm.weight", [width])
    add(prefix + "post_attention_layernorm.weight", [width])
    for name in ["q", "k", "v", "o"] {
      add(prefix + "self_attn.\(name)_proj.weight", [width, width])
    }
    for name in ["gate", "up"] { add(prefix + "mlp.\(name)_proj.weight", [inner, width]) }
    add(prefix + "mlp.down_proj.weight", [width, inner])
  }
  add("model.norm.weight", [width])
  add("lm_head.weight", [vocabulary, width])
  try HandMade.write(tensors, to: folder.appending(path: "model.safetensors"))
}
