import Tensors

/// Why a request got no answer; an answer of any status is none of these.
public enum HTTPError: Error, Equatable, Sendable {
  /// The host has no address, or nobody listens there.
  case unreachable(url: String, reason: String)
  /// The connection broke off in the middle of the answer.
  case brokenOff(url: String, received: Int, reason: String)
  /// Nothing came for as long as the patience lasts.
  case stalled(url: String, received: Int, patience: HTTPPatience)
  /// The certificate, or what is needed to check it, is not as it should be.
  ///
  /// `authorities` says which variable names other authorities than the system's, and which.
  case untrusted(url: String, reason: String, authorities: HTTPSetting?)
  /// The proxy refused or is not there.
  case proxy(url: String, proxy: HTTPSetting, reason: String)
  /// The address is none, or of a kind that is not spoken here.
  case badAddress(String)
  /// A header field that cannot be sent: it holds the end of a line.
  case badField(url: String, name: String)
  /// What came is no HTTP, or not what was asked for.
  case badAnswer(url: String, reason: String)
  /// More came than a text of this kind may have, or a file of this size.
  case tooLong(url: String, limit: Int)
  /// A redirect that must not be followed.
  case badRedirect(url: String, to: String, RedirectFault)
  /// What was received could not be written, or what was to be sent not read.
  case file(FileError)
  /// libcurl is not installed.
  case noLibrary(String)
  case interrupted
}

/// Why a redirect is not followed.
public enum RedirectFault: Equatable, Sendable {
  /// It leads from https to http, where anybody on the way could read and change what is sent.
  case toPlainText
  /// It comes behind so many others.
  case tooMany(Int)
  /// It leads to what is no address of http or https.
  case noAddress
}

/// A variable of the environment and its value.
public struct HTTPSetting: Equatable, Sendable {
  public var name: String
  public var value: String

  public init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

extension HTTPError {
  /// Whether asking again may help.
  public var isTransient: Bool {
    switch self {
    case .unreachable, .brokenOff, .stalled: true
    case .untrusted, .proxy, .badAddress, .badField, .badAnswer, .tooLong, .badRedirect, .file,
      .noLibrary, .interrupted:
      false
    }
  }
}

extension HTTPError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unreachable(let url, let reason):
      "\(shown(url)) cannot be reached: \(reason). Check the network, or name the way through a proxy in "
        + "https_proxy or http_proxy."
    case .brokenOff(let url, let received, let reason):
      "\(shown(url)) broke off after \(received) bytes: \(reason). Try again later."
    case .stalled(let url, let received, let patience):
      "\(shown(url)) sent nothing for \(seconds(patience.seconds)), after \(received) bytes. Try again later, "
        + "or be more patient: \(patience.setting) says how many seconds."
    case .untrusted(let url, let reason, let authorities):
      untrusted(url, reason, authorities)
    case .proxy(let url, let proxy, let reason):
      "\(shown(url)) cannot be reached through the proxy \(shown(proxy.value)), which \(proxy.name) names: "
        + "\(reason). Correct \(proxy.name), or name the host in no_proxy."
    case .badAddress(let text):
      "\"\(shown(text))\" is no address that begins with http:// or https://."
    case .badField(let url, let name):
      "The field \(name) cannot be sent to \(shown(url)): it holds the end of a line."
    case .badAnswer(let url, let reason):
      "The answer of \(shown(url)) cannot be used: \(reason)."
    case .tooLong(let url, let limit):
      "\(shown(url)) sends more than the \(limit) bytes that it may."
    case .badRedirect(let url, let to, let fault):
      "\(shown(url)) leads to \(shown(to)), which is not followed: \(reason(fault)). Check the address, or tell "
        + "those who run the server."
    case .file(let error): error.description
    case .noLibrary(let name):
      "\(name), which speaks to servers, is not installed; install it (Debian: libcurl4)."
    case .interrupted: "Interrupted."
    }
  }

  private func untrusted(_ url: String, _ reason: String, _ authorities: HTTPSetting?) -> String {
    let advice =
      authorities.map {
        "\($0.name) names \($0.value) as the authorities to trust; is this server's among them?"
      }
      ?? "If an authority of your own signed its certificate, name the authority's file in SSL_CERT_FILE."
    return "\(shown(url)) is not trusted: \(reason). \(advice)"
  }

  private func reason(_ fault: RedirectFault) -> String {
    switch fault {
    case .toPlainText: "it goes from https to http"
    case .tooMany(let count): "it comes behind \(count) others"
    case .noAddress: "it is no address of http or https"
    }
  }

  private func shown(_ url: String) -> String { HTTPAddress.shown(url) }

  private func seconds(_ seconds: Double) -> String {
    let whole = Int(exactly: seconds).map(String.init) ?? String(seconds)
    return whole == "1" ? "1 second" : "\(whole) seconds"
  }
}
