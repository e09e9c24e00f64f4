/// A repository's files at one commit, in the cache.
public struct HubSnapshot: Sendable {
  /// The folder that the reference leads to: the commit's, or one in it.
  public var folder: String
  public var commit: String
  /// What the hub listed, where that is known.
  public var listing: HubListing?
  /// What the user should know: that the hub could not be reached, and the files are those of an earlier run.
  public var notes: [String]

  public init(folder: String, commit: String, listing: HubListing? = nil, notes: [String] = []) {
    self.folder = folder
    self.commit = commit
    self.listing = listing
    self.notes = notes
  }
}
