/// How files store matrices in fewer bits than their numbers have.
///
/// It says nothing of the model: Megatron holds, and everything computes with, the plain numbers.
public enum Quantisation: Hashable, Sendable {
  /// 8-bit floating point and a scale for each block of the matrix; `nil` where one scale serves all.
  case blockFP8(rows: Int, columns: Int)
  case tensorFP8
  /// 4-bit floating point, of which 32 in a row share a power of two.
  case microscaledFP4

  /// The method's name in config.json.
  public var method: String {
    switch self {
    case .blockFP8, .tensorFP8: "fp8"
    case .microscaledFP4: "mxfp4"
    }
  }
}

extension Config {
  /// How the weights are quantised; `nil` where they are plain.
  ///
  /// Which tensors it concerns is seen by their types, so that lists of exceptions need no reading.
  ///
  /// - Throws: `ConfigError.unsupported` for a method that cannot be undone here.
  public func quantisation() throws(ConfigError) -> Quantisation? {
    guard let inner = try object("quantization_config"), !inner.isEmpty else { return nil }
    // Which modules stay plain, and how inputs are quantised when the model runs.
    inner.ignore(
      "modules_to_not_convert", "ignored_layers", "activation_scheme", "scale_fmt", "dequantize",
      "use_deep_gemm")
    let method: String = try inner.optional("quant_method") ?? ""
    switch method {
    case "fp8":
      try inner.require(
        "fmt", "e4m3", "float8_e4m3fn", because: "only 8-bit numbers of the format e4m3 are read")
      let block: [Int]? = try inner.optional("weight_block_size")
      guard let block else { return .tensorFP8 }
      guard block.count == 2, block.allSatisfy({ $0 > 0 && $0 <= 1 << 20 }) else {
        throw .outOfRange(
          key: "quantization_config.weight_block_size", expected: "two sizes above 0",
          found: "\(block)")
      }
      return .blockFP8(rows: block[0], columns: block[1])
    case "mxfp4":
      return .microscaledFP4
    default:
      throw .unsupported(
        key: "quantization_config.quant_method", value: "\"\(method)\"",
        reason: "weights of this kind cannot be turned back into plain numbers here, only fp8 and "
          + "mxfp4 can; take a release in bfloat16, or dequantise them first")
    }
  }
}
