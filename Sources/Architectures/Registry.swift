import Blueprint
import JSON

/// Every architecture there is, and the way from a config.json to its blueprint.
public enum Registry {
  /// One line each, sorted.
  public static let all: [any Architecture.Type] = [
    Apertus.self,
    Aquila.self,
    Baichuan.self,
    Bamba.self,
    ChatGLM.self,
    Cohere.self,
    Cohere2.self,
    DeciLM.self,
    Deepseek.self,
    DeepseekV2.self,
    DeepseekV3.self,
    DeepseekV32.self,
    Ernie4_5.self,
    Ernie4_5Moe.self,
    Exaone.self,
    Exaone4.self,
    ExaoneMoe.self,
    Falcon.self,
    FalconH1.self,
    Gemma.self,
    Gemma2.self,
    Gemma3.self,
    Gemma4.self,
    Glm.self,
    Glm4.self,
    Glm4Moe.self,
    GPTBigCode.self,
    GPTJ.self,
    GPTNeoX.self,
    GptOss.self,
    Granite.self,
    GraniteMoe.self,
    GraniteMoeHybrid.self,
    GritLM.self,
    HunYuanDense.self,
    InternLM.self,
    InternLM2.self,
    InternLM3.self,
    Jais.self,
    Jais2.self,
    Lfm2.self,
    Llama.self,
    Llama4.self,
    Mamba2.self,
    MiniCPM.self,
    MiniCPM3.self,
    MiniMaxM2.self,
    Ministral3.self,
    Mistral.self,
    Mixtral.self,
    Nemotron.self,
    NemotronH.self,
    Olmo.self,
    Olmo2.self,
    Olmo3.self,
    Olmoe.self,
    Orion.self,
    Phi.self,
    Phi3.self,
    Phi3Small.self,
    Phimoe.self,
    Qwen2.self,
    Qwen2Moe.self,
    Qwen3.self,
    Qwen35.self,
    Qwen35Moe.self,
    Qwen3Moe.self,
    Qwen3Next.self,
    SeedOss.self,
    SmolLM3.self,
    Solar.self,
    SolarOpen.self,
    StableLM.self,
    Starcoder2.self,
  ]

  /// The architecture with this name in config.json's `architectures`.
  public static func architecture(named name: String) -> (any Architecture.Type)? {
    all.first { $0.names.contains(name) }
  }

  /// The model that a config.json describes.
  ///
  /// - Parameters:
  ///   - configuration: the whole object.
  ///   - isStrict: whether keys that nobody read and that may change the mathematics are an error.
  ///   - isStored: whether the model's files hold a tensor; `nil` where no files are at hand.
  /// - Throws: `ConfigError`.
  public static func blueprint(
    _ configuration: JSONObject, isStrict: Bool = true, isStored: ((String) -> Bool)? = nil
  ) throws(ConfigError) -> (architecture: any Architecture.Type, blueprint: Blueprint) {
    let config = Config(configuration, isStored: isStored)
    let names: [String] = try config("architectures", default: [])
    guard let name = names.first else { throw .noArchitecture }
    guard let architecture = architecture(named: name) else {
      throw .unknownArchitecture(name: name, nearest: nearest(to: name))
    }
    let quantisation = try config.quantisation()
    var blueprint = try architecture.blueprint(config)
    blueprint.quantisation = quantisation
    let unread = config.unreadKeys
    if isStrict, !unread.isEmpty { throw .unread(keys: unread) }
    guard blueprint.isCountable else {
      throw .contradiction("its sizes together make more numbers than any model can have")
    }
    return (architecture, blueprint)
  }

  /// The supported names most like one that is not, best first.
  private static func nearest(to name: String) -> [String] {
    let ranked = all.flatMap { $0.names }.map { ($0, distance(name.lowercased(), $0.lowercased())) }
      .sorted { $0.1 < $1.1 }
    return ranked.prefix(3).map(\.0)
  }

  /// How many letters must be put in, taken out or exchanged to make one word of another.
  private static func distance(_ left: String, _ right: String) -> Int {
    let right = Array(right.utf8)
    // A name longer than any class's is like none of them; the table stays small.
    var row = Array(0...right.count)
    for (index, letter) in left.utf8.prefix(256).enumerated() {
      var next = [index + 1]
      for column in right.indices {
        next.append(
          min(
            row[column + 1] + 1, next[column] + 1, row[column] + (right[column] == letter ? 0 : 1)))
      }
      row = next
    }
    return row[right.count]
  }
}
