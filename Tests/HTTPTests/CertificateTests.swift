import Foundation
import HTTP
import Support
import Testing

/// OpenSSL's own server with a certificate that it signed itself; files hold whole answers.
private struct EncryptedServer {
  static let isThere = (try? Support.execute("openssl", "version")) != nil

  let folder: URL
  let address: String
  private let process = Process()

  init(_ folder: URL, names: String = "IP:127.0.0.1") throws {
    self.folder = folder
    let key = folder.appending(path: "key.pem").path
    let certificate = folder.appending(path: "certificate.pem").path
    try Support.execute(
      "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=test", "-addext",
      "subjectAltName=\(names)")
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key, "-HTTP",
    ]
    process.currentDirectoryURL = folder
    process.standardInput = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    var text = ""
    while !text.contains("ACCEPT"), process.isRunning || text.isEmpty {
      let piece = output.fileHandleForReading.availableData
      if piece.isEmpty { break }
      text += String(decoding: piece, as: UTF8.self)
    }
    // What it says of connections is not read; it says little enough to fit into the pipe.
    let port = text.split(separator: "\n").last { $0.hasPrefix("ACCEPT") }?.split(separator: ":")
      .last
    address = "https://127.0.0.1:\(try #require(port))"
  }

  var certificate: String { folder.appending(path: "certificate.pem").path }

  func say(_ text: String, at name: String) throws {
    try Data(text.utf8).write(to: folder.appending(path: name))
  }

  func end() {
    // Processes begun by a worker thread inherit that it has all other signals blocked.
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }
}

@Suite(.enabled(if: EncryptedServer.isThere, "needs the openssl program"))
struct CertificateTests {
  private func withServer(
    names: String = "IP:127.0.0.1", _ body: (EncryptedServer) throws -> Void
  ) throws {
    try Support.withTemporaryFolder { folder in
      let server = try EncryptedServer(folder, names: names)
      defer { server.end() }
      try server.say("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes", at: "a")
      try body(server)
    }
  }

  @Test func aStrangersCertificateIsRefusedAndOneThatIsNamedIsTaken() throws {
    try withServer { server in
      let request = HTTPRequest.get(server.address + "/a")
      let error = #expect(throws: HTTPError.self) { try HTTPClient.plain().send(request) }
      guard case .untrusted(server.address + "/a", _, nil) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(error?.isTransient == false)
      let text = try #require(error?.description)
      #expect(text.contains("is not trusted") && text.contains("SSL_CERT_FILE"))
      for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"] {
        let client = HTTPClient.plain([name: server.certificate])
        #expect(try client.send(request).body == Array("yes".utf8))
      }
    }
  }

  @Test func aFolderOfAuthoritiesIsTaken() throws {
    try withServer { server in
      let folder = server.folder.appending(path: "authorities")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        atPath: server.certificate, toPath: folder.appending(path: "one.pem").path)
      try Support.execute("openssl", "rehash", folder.path)
      let client = HTTPClient.plain(["SSL_CERT_DIR": folder.path])
      #expect(try client.send(.get(server.address + "/a")).status == 200)
    }
  }

  @Test func aCertificateForAnotherHostIsRefused() throws {
    try withServer(names: "DNS:hub.example") { server in
      let client = HTTPClient.plain(["SSL_CERT_FILE": server.certificate])
      let error = #expect(throws: HTTPError.self) { try client.send(.get(server.address + "/a")) }
      guard case .untrusted = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(error?.description.contains("SSL_CERT_FILE names \(server.certificate)") == true)
    }
  }

  @Test func aMissingFileOfAuthoritiesIsNamed() throws {
    try withServer { server in
      let client = HTTPClient.plain(["CURL_CA_BUNDLE": "/nowhere/authorities.pem"])
      let error = #expect(throws: HTTPError.self) { try client.send(.get(server.address + "/a")) }
      guard case .untrusted(_, _, let named) = error, named?.name == "CURL_CA_BUNDLE" else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
  }

  @Test func nothingLeadsFromHttpsToHttp() throws {
    let plain = try RawServer { _ in .answer() }
    try withServer { server in
      try server.say("HTTP/1.0 302 Found\r\nLocation: \(plain.address)/b\r\n\r\n", at: "b")
      let client = HTTPClient.plain(["SSL_CERT_FILE": server.certificate])
      #expect(
        throws: HTTPError.badRedirect(
          url: server.address + "/b", to: plain.address + "/b", .toPlainText)
      ) { try client.send(.get(server.address + "/b", token: "secret", redirects: .all)) }
      // Who only follows within one host sees it, and does not go there either.
      #expect(try client.send(.get(server.address + "/b")).status == 302)
      #expect(plain.requests.isEmpty)
    }
  }

  @Test func plainTextBehindHttpsIsNoSuccess() throws {
    let plain = try RawServer { _ in .answer() }
    let url = "https://127.0.0.1:\(plain.port)/"
    #expect(throws: HTTPError.self) { try HTTPClient.plain().send(.get(url, patience: 5)) }
  }
}
