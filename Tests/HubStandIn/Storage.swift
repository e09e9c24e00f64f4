import Foundation

/// The second server: large files, behind addresses that are good for a while.
extension Core {
  /// An address of the storage for this path, signed.
  func signed(_ path: String, _ query: [String: String] = [:]) -> String {
    var query = query
    let end = Date().timeIntervalSince1970 + settings.signatureLifetime
    query["Expires"] = String(Int((end * 1000).rounded()))
    query["Signature"] = signature(path, query)
    let text = query.sorted { $0.key < $1.key }.map { "\($0)=\(Question.encoded($1))" }
    return "\(storage)\(path)?\(text.joined(separator: "&"))"
  }

  private func signature(_ path: String, _ query: [String: String]) -> String {
    let facts = query.filter { $0.key != "Signature" }.sorted { $0.key < $1.key }
    let text = ([path, folder] + facts.map { "\($0)=\($1)" }).joined(separator: "\n")
    return Digest.of(Array(text.utf8), .sha256)
  }

  func stored(_ question: Question) -> Answer {
    let xml = [("Content-Type", "application/xml")]
    if question.headers["authorization"] != nil {
      let text =
        "<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>"
      return Answer(400, headers: xml, body: .bytes(Array(text.utf8)))
    }
    let query = question.query
    let path = question.path
    guard query["Signature"] == signature(path, query) else {
      let text = "<Error><Code>SignatureDoesNotMatch</Code></Error>"
      return Answer(403, headers: xml, body: .bytes(Array(text.utf8)))
    }
    let end = (query["Expires"].flatMap { Double($0) } ?? 0) / 1000
    guard end >= Date().timeIntervalSince1970 else {
      return Answer(403, headers: xml, body: .bytes(Array(Answer.expired.utf8)))
    }
    let name = String(path.dropFirst())
    switch question.method {
    case "PUT": return take(question, name)
    case "GET", "HEAD":
      guard let blob = state.with({ $0.objects[name] }) else {
        return Answer(404, headers: xml, body: .bytes(Array("<Error/>".utf8)))
      }
      return Self.part(
        of: blob, question,
        headers: [("ETag", "\"\(name.prefix(32))\""), ("Content-Type", "application/octet-stream")])
    default: return .error(405, "Method Not Allowed")
    }
  }

  // MARK: Uploads

  /// Takes a file, or a part of one.
  private func take(_ question: Question, _ name: String) -> Answer {
    let number = question.query["partNumber"].flatMap { Int($0) }
    let upload = question.query["uploadId"] ?? name
    guard case .file(let path, let size) = question.body,
      let allowed = state.with({ $0.uploads[upload] })
    else { return .error(404, "NoSuchUpload") }
    guard let number else {
      guard let found = try? Digest.of(file: path, .sha256), found == allowed.oid,
        size == allowed.size
      else { return .error(400, "BadDigest") }
      keep(path, allowed)
      return Answer(200, headers: [("ETag", "\"\(allowed.oid.prefix(32))\"")])
    }
    let etag = "\"part-\(number)-\(upload)-\(size)\""
    state.with {
      $0.uploads[upload]?.parts[number] = Upload.Part(etag: etag, path: path, size: size)
    }
    return Answer(200, headers: [("ETag", etag)])
  }

  private func keep(_ path: String, _ upload: Upload) {
    guard
      let blob = try? Blob.large(.file(path), size: upload.size, sha256: upload.oid)
    else { return }
    state.with { $0.objects[upload.oid] = blob }
  }

  /// Puts the parts of an upload together.
  func complete(_ question: Question) -> Answer {
    guard let id = question.query["uploadId"], let upload = state.with({ $0.uploads[id] }),
      let named = question.object["parts"] as? [[String: Any]],
      question.object["oid"] as? String == upload.oid
    else { return .error(400, "There is no such upload") }
    let path = "\(folder)/whole-\(id)"
    guard FileManager.default.createFile(atPath: path, contents: nil),
      let file = FileHandle(forWritingAtPath: path)
    else { return .error(500, "No space") }
    defer { try? file.close() }
    var size = 0
    for (index, part) in named.enumerated() {
      guard part["partNumber"] as? Int == index + 1, let arrived = upload.parts[index + 1],
        part["etag"] as? String == arrived.etag,
        let bytes = FileManager.default.contents(atPath: arrived.path)
      else { return .error(400, "Part \(index + 1) is not as it was uploaded") }
      file.write(bytes)
      size += arrived.size
    }
    guard size == upload.size, let found = try? Digest.of(file: path, .sha256), found == upload.oid
    else { return .error(400, "The parts do not make the file that was announced") }
    for part in upload.parts.values { unlink(part.path) }
    keep(path, upload)
    return .json(["success": true])
  }

  /// Whether a file has arrived whole.
  func verify(_ question: Question) -> Answer {
    let object = question.object
    guard question.account != nil else { return .error(401, "Invalid username or password.") }
    guard let oid = object["oid"] as? String, let size = object["size"] as? Int,
      state.with({ $0.objects[oid]?.size }) == size
    else { return .error(404, "The object is not there") }
    return .json(["message": "ok"])
  }
}
