/// A family of models: what its config.json means, written down once.
public protocol Architecture: Sendable {
  /// The names in config.json's `architectures`.
  static var names: [String] { get }

  /// One sentence for the table of architectures: what it covers, what to know.
  static var note: String { get }

  /// Which program writes Megatron checkpoints of these models under the names that the layers give.
  static var origin: NameOrigin { get }

  /// The model a configuration describes.
  ///
  /// - Throws: `ConfigError`. Keys that stay unread are the caller's to judge (`Config.unreadKeys`).
  static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint
}

extension Architecture {
  public static var origin: NameOrigin { .derived }
}

/// Where the Megatron names of a family come from.
public enum NameOrigin: String, CaseIterable, Sendable {
  /// Megatron-Bridge converts the family, and these are its names.
  case bridge
  /// NeMo 2 converts the family and Megatron-Bridge does not.
  case nemo
  /// None of the two converts it: Megatron-Core's names for these layers, and Isthmus's own where
  /// Megatron-Core has no such layer.
  case derived
}
