import Hub
import Tensors

/// Finds the folder that a model's name means: one that is here, else a repository of the hub.
///
/// Whatever has that path here is meant; the hub is asked only for what nothing has. What the hub is, where its
/// cache lies and whether it may be asked says `Hub.current`.
public struct ModelReference: Sendable {
  public var text: String
  public var revision: String?

  /// - Parameter revision: a branch, tag or commit, for a text that names none.
  public init(_ text: String, revision: String? = nil) {
    self.text = text
    self.revision = revision
  }

  /// Whether something here has that path, so that the hub is not asked.
  public var isHere: Bool { !text.hasPrefix("hf://") && Folder.exists(text) }

  /// The folder with what is needed of the model.
  ///
  /// - Throws: `ConversionError.modelNotFound` for a path with nothing there, `.notFound` for what is neither here nor
  ///   on the hub; `HubError`.
  public func folder(_ need: HubNeed = .model) throws -> String {
    if !text.hasPrefix("hf://"), Folder.isFolder(text) { return Folder.absolute(text) }
    return try snapshot(need).folder
  }

  /// The same, for what may be a file or a folder of another kind: what is here is meant, and stays as it is called.
  public func place(_ need: HubNeed = .model) throws -> String {
    isHere ? text : try snapshot(need).folder
  }

  /// The repository's files on this machine.
  public func snapshot(_ need: HubNeed) throws -> HubSnapshot {
    guard !isPath else {
      throw ConversionError.modelNotFound(reference: text, looked: [Folder.absolute(text)])
    }
    let hub = Hub.current
    do throws(HubError) {
      return try hub.settled(
        HubReference(parsing: text, revision: revision, endpoint: hub.settings.endpoint), need)
    } catch {
      switch error {
      case .noRepository, .offline, .badReference:
        // Whoever mistyped a folder's name is to hear of the folder.
        guard !text.contains("://") else { throw error }
        throw ConversionError.notFound(folder: Folder.absolute(text), error)
      default: throw error
      }
    }
  }

  /// Whether the text can mean nothing but a path on this machine.
  var isPath: Bool {
    ["/", "./", "../", "~"].contains { text.hasPrefix($0) } || [".", ".."].contains(text)
  }
}

extension ModelReference {
  /// The folder that a name means which some file recorded, perhaps on another machine.
  ///
  /// In this order: a folder of that name from here; for a relative path, one below the folders that hold the file;
  /// what the hub's cache has, without asking; the hub, asked once, so that a name that is none costs no long wait.
  /// A name of one part is never asked for: a relative path is likelier.
  ///
  /// - Parameters:
  ///   - place: the folder that the name was found in.
  /// - Throws: `ConversionError`, `HubError`.
  public func recorded(in place: String, _ need: HubNeed) throws -> String {
    if !text.hasPrefix("hf://"), Folder.isFolder(text) { return Folder.absolute(text) }
    if !["/", "~", "hf://"].contains(where: text.hasPrefix) {
      var above = Folder.absolute(place)
      while above != "/" {
        above = Folder.parent(above)
        let near = above == "/" ? "/\(text)" : "\(above)/\(text)"
        if Folder.isFile("\(near)/config.json") { return near }
      }
    }
    guard !isPath else { return try folder(need) }
    let hub = Hub.current
    let reference = try HubReference(
      parsing: text, revision: revision, endpoint: hub.settings.endpoint)
    if let kept = hub.kept(reference, need) { return kept.folder }
    guard text.contains("/") else {
      throw ConversionError.modelNotFound(reference: text, looked: [Folder.absolute(text)])
    }
    // Asked once: whether there is such a repository. Fetching its files is as patient as ever.
    try hub.requireAnswer(reference)
    return try hub.settled(reference, need).folder
  }
}
