import Tensors

/// Why a request got no answer; an answer of any status is none of these.
public enum HTTPError: Error, Sendable {
  /// The host has no address, or nobody listens there.
  case unreachable(url: String, reason: String)
  /// The connection broke off in the middle of the answer.
  case brokenOff(url: String, received: Int, reason: String)
  /// Nothing came for as long as the patience lasts.
  case stalled(url: String, received: Int, patience: HTTPPatience)
  /// The certificate, or what is needed to check it, is not as it should be.
  case untrusted(url: String, reason: String)
  /// The proxy refused or is not there.
  case proxy(url: String, proxy: String, reason: String)
  /// The address is none, or of a kind that is not spoken here.
  case badAddress(String)
  /// More came than a text of this kind may have.
  case tooLong(url: String, limit: Int)
  /// A redirect that must not be followed, or one too many.
  case badRedirect(url: String, to: String)
  /// What was received could not be written, or what was to be sent not read.
  case file(FileError)
  case interrupted
}

extension HTTPError {
  /// Whether asking again may help.
  public var isTransient: Bool {
    switch self {
    case .unreachable, .brokenOff, .stalled: true
    case .untrusted, .proxy, .badAddress, .tooLong, .badRedirect, .file, .interrupted: false
    }
  }
}
