import HTTP
import JSON

/// What a question is about, for the sentence that tells of its failure.
package struct HubSubject: Sendable {
  package var repository: HubRepository
  package var revision: String?
  package var path: String?
  /// What would be done, for a refusal: `read org/name`.
  package var action: String

  package init(
    _ repository: HubRepository, revision: String? = nil, path: String? = nil, action: String? = nil
  ) {
    self.repository = repository
    self.revision = revision
    self.path = path
    self.action = action ?? "read \(repository.title)"
  }
}

/// Questions to the hub itself: they carry the token, are tried again, and their refusals become sentences.
extension Hub {
  /// The most bytes of an answer that is no file; a page of 1,000 files takes 300 kB.
  package static let answerLimit = 64 << 20

  /// Asks, and returns the answer if it is a success.
  ///
  /// - Parameters:
  ///   - url: at the hub's own address.
  ///   - progress: shows the waiting, and ends it when cancelled.
  ///   - isPatient: whether to ask again what fails for the moment.
  /// - Throws: `HubError`: what the hub refuses, in its words where it has some, or why there is no answer.
  package func ask(
    _ method: HTTPRequest.Method = .get, _ url: String, about subject: HubSubject,
    headers: HTTPHeaders = HTTPHeaders(), body: HTTPRequest.Body = .none,
    progress: HubProgress? = nil, isPatient: Bool = true
  ) throws(HubError) -> HTTPResponse {
    try requireConnections(subject)
    let request = HTTPRequest(
      method, url, headers: headers, body: body, token: settings.token?.value,
      redirects: method == .get || method == .head ? .all : .sameOrigin, patience: patience)
    let response = try persistently(progress, isPatient: isPatient) { () throws(HTTPError) in
      try client.send(request, limit: Self.answerLimit, stop: progress?.stop)
    }
    guard response.isSuccess else { throw refusal(response, about: subject) }
    return response
  }

  /// Asks, and reads the answer as JSON.
  package func askJSON(
    _ url: String, about subject: HubSubject, progress: HubProgress? = nil, isPatient: Bool = true
  ) throws(HubError) -> (value: JSON, headers: HTTPHeaders) {
    let response = try ask(.get, url, about: subject, progress: progress, isPatient: isPatient)
    do throws(JSONError) {
      return (try JSON(parsing: response.body, maximumDepth: 64), response.headers)
    } catch {
      throw .badAnswer(url: HubAddress.shown(url), reason: "\(error)")
    }
  }

  /// Makes a request again as long as that may help, and shows the waits.
  package func persistently(
    _ progress: HubProgress?, isPatient: Bool = true,
    _ request: () throws(HTTPError) -> HTTPResponse
  ) throws(HubError) -> HTTPResponse {
    var retries = retries
    retries.attemptsToReach = 2
    if !isPatient { retries.attempts = 1 }
    let before = progress?.activity
    let what = before.map { $0 + ": " } ?? ""
    defer { progress?.say(before) }
    do throws(HTTPError) {
      return try retries.run(
        stop: progress?.stop,
        waiting: { wait in
          progress?.say(
            what
              + "\(wait.cause.words); attempt \(wait.attempt) of \(wait.attempts) in \(Int(wait.seconds.rounded(.up))) s"
          )
        }, request)
    } catch { throw HubError(error) }
  }

  package var retries: HTTPRetries {
    HTTPRetries(attempts: settings.attempts, firstWait: settings.firstWait)
  }

  /// How long questions may take.
  package var patience: HTTPPatience {
    HTTPPatience(seconds: settings.questionTimeout, setting: "HF_HUB_ETAG_TIMEOUT")
  }

  /// How long the bytes of files may keep us waiting.
  package var filePatience: HTTPPatience {
    HTTPPatience(seconds: settings.downloadTimeout, setting: "HF_HUB_DOWNLOAD_TIMEOUT")
  }

  /// Refuses to connect where connections are forbidden, or the settings are none.
  package func requireConnections(_ subject: HubSubject) throws(HubError) {
    if let fault = settings.fault { throw fault }
    guard let offline = settings.offline else { return }
    throw .offline(
      variable: offline.variable,
      HubReference(subject.repository, revision: subject.revision, path: subject.path ?? ""),
      needed: [subject.path ?? "all files"], place: settings.cache)
  }

  // MARK: Refusals

  /// What an answer without success means.
  ///
  /// Source: huggingface_hub 2.4.0, `hf_raise_for_status`. The hub answers 401 for what does not exist, so that
  /// nobody learns of private repositories.
  package func refusal(_ response: HTTPResponse, about subject: HubSubject) -> HubError {
    let code = response.headers["X-Error-Code"]
    let message = message(response)
    let endpoint = settings.endpoint
    let token = settings.token?.source
    let repository = subject.repository
    switch (code, response.status) {
    case ("RevisionNotFound", _):
      return .noRevision(repository, revision: subject.revision ?? "main", known: [])
    case ("EntryNotFound", _):
      return .noFile(
        repository, revision: subject.revision ?? "main", path: subject.path ?? "", known: [])
    case ("GatedRepo", _): return .gated(repository, endpoint: endpoint, token: token)
    case ("RepoNotFound", _): return .noRepository(repository, endpoint: endpoint, token: token)
    case (_, 401):
      if let source = token, response.headers["X-Error-Message"] == Self.unknownToken {
        return .badToken(source: source, endpoint: endpoint)
      }
      return .noRepository(repository, endpoint: endpoint, token: token)
    case (_, 403) where message != Self.disabled:
      return .notAllowed(what: subject.action, repository, token: token, message: message)
    default:
      return .refused(
        url: HubAddress.shown(response.url), status: response.status, message: message)
    }
  }

  private static let unknownToken = "Invalid credentials in Authorization header"
  private static let disabled = "Access to this resource is disabled."

  /// What the hub says to its refusal: in a header, or in the body as `{"error": …}`.
  private func message(_ response: HTTPResponse) -> String? {
    if let text = response.headers["X-Error-Message"], !text.isEmpty { return shown(text) }
    guard response.body.count <= 1 << 16,
      let body = try? JSON(parsing: response.body, maximumDepth: 16)
    else { return nil }
    return body.object?["error"]?.string.map(shown)
  }

  /// A text of a server as one line that can be shown; one that repeats the token hides it.
  private func shown(_ text: String) -> String {
    var text = text
    if let token = settings.token?.value, !token.isEmpty {
      text = text.replacing(token, with: "(token)")
    }
    let line = text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }
    return String(String.UnicodeScalarView(line.prefix(300)))
  }
}

extension HubError {
  package init(_ error: HTTPError) {
    self =
      switch error {
      case .interrupted: .interrupted
      case .file(let error): .file(error)
      default: .http(error)
      }
  }
}

extension HTTPRetries.Cause {
  /// What went wrong, in few words.
  package var words: String {
    switch self {
    case .status(429): "too many requests"
    case .status(let status): "status \(status)"
    case .error(.unreachable): "not reached"
    case .error(.brokenOff): "broken off"
    case .error(.stalled): "nothing came"
    case .error: "failed"
    }
  }
}
