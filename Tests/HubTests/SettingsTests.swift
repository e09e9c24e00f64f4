import Foundation
import Hub
import JSON
import Support
import Testing

/// What the environment's variables mean, held against what they mean to huggingface_hub.
@Suite struct SettingsTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var environment: [String: String]
    /// `nil` where huggingface_hub refuses.
    var settings: JSONObject?
    var testDescription: String { "\(environment)" }
  }

  /// The first case says everything, the others what is different.
  static let cases: [Case] = {
    let list = HubFixtures.object("settings")["cases"]?.array ?? []
    let usual = list.first?.object?["settings"]?.object ?? [:]
    return list.map { element in
      var environment: [String: String] = [:]
      for (name, value) in element.object?["environment"]?.object?.members ?? [] {
        environment[name] = value.string
      }
      var settings = element.object?["settings"]?.object
      if settings != nil {
        for (key, value) in usual.members where settings?[key] == nil { settings?[key] = value }
      }
      return Case(environment: environment, settings: settings)
    }
  }()

  @Test(arguments: cases) func everyVariableMeansWhatItMeansToPython(_ sample: Case) throws {
    try Support.withTemporaryFolder { folder in
      try Data("hf_file\n".utf8).write(to: folder.appending(path: "token"))
      try Data(" hf_other \r\n".utf8).write(to: folder.appending(path: "other"))
      try Data("\n".utf8).write(to: folder.appending(path: "empty"))
      let here = FileManager.default.currentDirectoryPath
      func placed(_ text: String) -> String {
        if text.hasPrefix("{}/here") { return here + text.dropFirst(7) }
        return text.hasPrefix("{}") ? folder.path + text.dropFirst(2) : text
      }
      let environment = sample.environment.mapValues(placed)
      let found = HubSettings(environment: environment)
      guard let wanted = sample.settings else {
        #expect(found.fault != nil)
        return
      }
      #expect(found.fault == nil)
      #expect(found.endpoint == wanted["endpoint"]?.string)
      #expect(found.home == wanted["home"]?.string.map(placed))
      #expect(found.cache == wanted["cache"]?.string.map(placed))
      #expect((found.offline != nil) == wanted["offline"]?.bool)
      #expect(found.questionTimeout == wanted["question_timeout"]?.double)
      #expect(found.downloadTimeout == wanted["download_timeout"]?.double)
      #expect(found.disablesLinks == wanted["disables_links"]?.bool)
      #expect(found.sharesBlobs == wanted["shares_blobs"]?.bool)
      #expect(found.showsProgress == wanted["shows_progress"]?.bool)
      #expect(found.token?.value == wanted["token"]?.string)
      #expect(found.userAgent.contains("; origin/") == wanted["origin"]?.bool)
    }
  }

  @Test func thereAreCases() { #expect(Self.cases.count > 50) }

  @Test func aSettingKnowsWhatItCameFrom() throws {
    try Support.withTemporaryFolder { folder in
      try Data("hf_file".utf8).write(to: folder.appending(path: "token"))
      let home = ["HF_HOME": folder.path]
      #expect(HubSettings(environment: home).token?.source == folder.path + "/token")
      let named = HubSettings(environment: home.merging(["HF_TOKEN": "a"]) { $1 })
      #expect(named.token == HubToken(value: "a", source: "HF_TOKEN"))
      let older = HubSettings(environment: ["HUGGING_FACE_HUB_TOKEN": "a"])
      #expect(older.token?.source == "HUGGING_FACE_HUB_TOKEN")
    }
    let offline = HubSettings(environment: ["TRANSFORMERS_OFFLINE": "1"]).offline
    #expect(offline?.variable == "TRANSFORMERS_OFFLINE")
    let agent = HubSettings(
      environment: ["HF_HUB_USER_AGENT_ORIGIN": "factory/2"], version: "9.9"
    ).userAgent
    #expect(agent == "isthmus/9.9; origin/factory/2")
  }

  @Test(arguments: [
    ("HF_ENDPOINT", ""), ("HF_ENDPOINT", "hub.example"), ("HF_ENDPOINT", "https://a b"),
    ("HF_ENDPOINT", "ftp://hub.example"), ("HF_HUB_ETAG_TIMEOUT", "-3"),
    ("HF_HUB_DOWNLOAD_TIMEOUT", "nan"), ("HF_HUB_USER_AGENT_ORIGIN", "a\r\nX-Header: b"),
    ("HF_TOKEN", "hf_\u{E9}"), ("HF_TOKEN", "hf_a hf_b"),
  ]) func whatIsNoneIsSaidAndNotShownToServers(_ name: String, _ value: String) {
    let settings = HubSettings(environment: [name: value, "HOME": "/nobody"])
    guard case .badSetting(name, _) = settings.fault else {
      Issue.record("no fault: \(String(describing: settings.fault))")
      return
    }
    #expect(settings.token == nil)
    #expect(settings.endpoint == "https://huggingface.co")
    #expect(!settings.userAgent.contains("X-Header"))
  }

  @Test func secondsMayHaveAFraction() {
    let settings = HubSettings(environment: ["HF_HUB_ETAG_TIMEOUT": "0.5"])
    #expect(settings.questionTimeout == 0.5 && settings.fault == nil)
  }

  @Test func aFaultNeverShowsTheToken() {
    let settings = HubSettings(environment: ["HF_TOKEN": "hf_secret\u{1}word"])
    #expect(settings.fault != nil)
    #expect(!String(describing: settings.fault).contains("secret"))
  }

  @Test func theProcessesOwnVariablesAreRead() {
    #expect(HubSettings.processEnvironment["PATH"] == ProcessInfo.processInfo.environment["PATH"])
  }
}
