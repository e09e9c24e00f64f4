import HTTP
import JSON

/// A large file on its way into the hub's storage, and how the hub wants it there.
///
/// Source: git-lfs, docs/api/batch.md; huggingface_hub 2.4.0, `lfs.py`, for `chunk_size`.
struct HubObject: Sendable {
  var file: HubFolder.File
  var sha256: String

  /// What is to be done with it.
  enum Way: Equatable, Sendable {
    /// It is there already.
    case there
    case whole(Place, verify: Place?)
    case parts([String], size: Int, complete: Place, verify: Place?)
  }

  /// An address, and the fields that belong to it.
  struct Place: Equatable, Sendable {
    var url: String
    var headers: [(name: String, value: String)]

    static func == (left: Place, right: Place) -> Bool {
      left.url == right.url && left.headers.elementsEqual(right.headers, by: ==)
    }

    var fields: HTTPHeaders {
      var fields = HTTPHeaders()
      for (name, value) in headers { fields.add(name, value) }
      return fields
    }
  }

  static func question(_ objects: [HubObject], branch: String) -> [UInt8] {
    JSON.object([
      "operation": .string("upload"),
      "transfers": .array([.string("basic"), .string("multipart")]),
      "objects": .array(
        objects.map {
          .object(["oid": .string($0.sha256), "size": .integer($0.file.size)])
        }),
      "hash_algo": .string("sha256"), "ref": .object(["name": .string(branch)]),
    ]).serializedBytes()
  }

  static let mediaType = "application/vnd.git-lfs+json"
}

/// The answer of the storage's office: what is to be done with each object.
struct HubBatch {
  /// Where it came from.
  let url: String
  let endpoint: String
  private var entries: [String: JSONObject] = [:]

  init(_ answer: JSON, from url: String, endpoint: String) throws(HubError) {
    self.url = url
    self.endpoint = endpoint
    guard let objects = answer.object?["objects"]?.array else {
      throw fault("it lists no objects")
    }
    if let transfer = answer.object?["transfer"]?.string,
      !["basic", "multipart"].contains(transfer)
    {
      throw fault("it wants to be sent files in a way that was not offered: \(transfer)")
    }
    for object in objects {
      guard let entry = object.object, let oid = entry["oid"]?.string else {
        throw fault("an object has no oid")
      }
      entries[oid] = entry
    }
  }

  private func fault(_ reason: String) -> HubError {
    .badAnswer(url: HubAddress.shown(url), reason: reason)
  }

  /// What is to be done with an object.
  ///
  /// - Throws: `HubError.publishing(.object)` if the hub does not take it, `.badAnswer`.
  func way(of object: HubObject) throws(HubError) -> HubObject.Way {
    let path = object.file.path
    guard let entry = entries[object.sha256] else { throw fault("it says nothing of \(path)") }
    if let error = entry["error"]?.object {
      throw .publishing(
        .object(
          path: path, code: error["code"]?.integer ?? 0,
          message: error["message"]?.string.map(Self.line) ?? "it says no more"))
    }
    guard entry["size"]?.integer.map({ $0 == object.file.size }) ?? true else {
      throw fault("it has another size for \(path)")
    }
    return try way(entry["actions"]?.object, object)
  }

  private func way(
    _ actions: JSONObject?, _ object: HubObject
  ) throws(HubError) -> HubObject.Way {
    guard let actions, let upload = actions["upload"]?.object else { return .there }
    let verify = try actions["verify"]?.object.map { entry throws(HubError) in try place(entry) }
    let header = upload["header"]?.object
    guard let chunk = header?["chunk_size"] else {
      return .whole(try place(upload), verify: verify)
    }
    guard let size = chunk.integer ?? chunk.string.flatMap({ Int($0) }), size > 0 else {
      throw fault("the size of parts is none: \(chunk.serialized())")
    }
    var parts: [(number: Int, url: String)] = []
    for (name, value) in header?.members ?? [] {
      guard let number = Int(name), let url = value.string else { continue }
      parts.append((number, try address(url)))
    }
    parts.sort { $0.number < $1.number }
    let count = (object.file.size - 1) / size + 1
    guard parts.count == count, parts.enumerated().allSatisfy({ $0 + 1 == $1.number }) else {
      throw fault(
        "\(object.file.path) takes \(count) parts, and it has places for \(parts.count)")
    }
    var complete = try place(upload)
    complete.headers = []
    return .parts(parts.map(\.url), size: size, complete: complete, verify: verify)
  }

  private func place(_ entry: JSONObject) throws(HubError) -> HubObject.Place {
    guard let url = entry["href"]?.string else { throw fault("an address is missing") }
    let headers = (entry["header"]?.object?.members ?? []).compactMap { member in
      member.value.string.map { (name: member.key, value: $0) }
    }
    guard headers.count <= 64 else { throw fault("it asks for too many header fields") }
    return HubObject.Place(url: try address(url), headers: headers)
  }

  /// An address as it is to be used: a mirror repeats those that the hub itself gives out.
  ///
  /// Source: huggingface_hub 2.4.0, `fix_hf_endpoint_in_url`.
  private func address(_ url: String) throws(HubError) -> String {
    let own = "https://huggingface.co"
    var url = url
    if endpoint != own, url.hasPrefix(own + "/") { url = endpoint + url.dropFirst(own.count) }
    let lowered = url.lowercased()
    let isSafe = lowered.hasPrefix("https://")
    guard isSafe || lowered.hasPrefix("http://") && endpoint.hasPrefix("http://") else {
      throw fault(
        "it wants files at \(HubAddress.shown(url)), which is not reached by https")
    }
    return url
  }

  /// A server's words as one line that can be shown.
  static func line(_ text: String) -> String {
    let line = text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }
    return String(String.UnicodeScalarView(line.prefix(300)))
  }
}
