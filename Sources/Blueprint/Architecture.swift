/// A family of models: what its config.json means, written down once.
public protocol Architecture: Sendable {
  /// The names in config.json's `architectures`.
  static var names: [String] { get }

  /// One sentence for the table of architectures: what it covers, what to know.
  static var note: String { get }

  /// The model a configuration describes.
  ///
  /// - Throws: `ConfigError`. Keys that stay unread are the caller's to judge (`Config.unreadKeys`).
  static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint
}
