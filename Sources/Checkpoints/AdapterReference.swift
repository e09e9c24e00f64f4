import Hub
import Tensors

/// Finds the folder that an adapter's name means: one that is here, else a repository of the hub.
public struct AdapterReference: Sendable {
  public var text: String

  public init(_ text: String) { self.text = text }

  /// What an adapter's repository holds of an adapter: PEFT's files, or mlx-lm's.
  public static let need = HubNeed.files(
    include: ["adapter_config.json", "adapter_model.*", "adapters.*", "*.jinja", "README.md*"],
    exclude: [])

  /// The folder with the adapter; what is here, or can only be a path, stays as it is called.
  ///
  /// - Throws: `ConversionError.notFound`, `HubError`.
  public func place() throws -> String {
    let reference = ModelReference(text)
    if Folder.exists(text) || reference.isPath { return text }
    return try reference.folder(Self.need)
  }
}
