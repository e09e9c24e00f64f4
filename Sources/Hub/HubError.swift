import HTTP
import Tensors

/// Why something could not be had from the hub, or brought there.
public enum HubError: Error, Sendable {
  // MARK: References

  /// The text is no reference.
  case badReference(String, reason: String)

  /// A variable of the environment, or the file with the token, holds something else than it should.
  case badSetting(name: String, reason: String)
  /// A name that would lead out of the folder it belongs into.
  case unsafePath(String, repository: HubRepository)

  // MARK: Answers of the hub

  /// The repository asks for an agreement that this user has not given, or nobody is logged in.
  case gated(HubRepository, endpoint: String, token: String?)
  /// The hub does not know the token.
  case badToken(source: String, endpoint: String)
  /// There is no such repository, or it is private and the token, if any, does not open it.
  case noRepository(HubRepository, endpoint: String, token: String?)
  /// - known: the branches and tags that there are, where they could be learned.
  case noRevision(HubRepository, revision: String, known: [String])
  /// - known: the files that there are, where they could be learned.
  case noFile(HubRepository, revision: String, path: String, known: [String])
  /// The token may not do that.
  case notAllowed(what: String, HubRepository, token: String?, message: String?)
  /// Any other status, with what the hub says to it.
  case refused(url: String, status: Int, message: String?)
  /// An answer that is not as it should be.
  case badAnswer(url: String, reason: String)
  /// No answer.
  case http(HTTPError)

  // MARK: Files

  /// Connections are forbidden, and these are not in the cache: files, or words for them where it does not even
  /// have their names.
  case offline(variable: String, HubReference, needed: [String], place: String)
  /// What is to be looked at in the cache is not there.
  case notCached(HubReference, place: String)
  /// What arrived is not what the hub promised, twice.
  case corrupt(path: String, url: String, expected: String, found: String)
  case tooShort(path: String, url: String, expected: Int, found: Int)
  case tooLong(path: String, url: String, expected: Int)
  case file(FileError)
  case interrupted

  // MARK: Publishing

  /// The destination holds something that would be overwritten.
  case notEmpty(HubRepository, files: [String])
  case noToken(what: String, looked: [String])
  /// Whatever else stands in the way of bringing a folder to the hub.
  case publishing(HubPublishingError)
}
