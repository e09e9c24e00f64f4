import Hub
import JSON
import MegatronFormat
import Tensors

/// A model that another was made of, as its card may name it.
public struct CardModel: Sendable {
  /// What the hub knows it by; `nil` for a folder that says nothing of the hub.
  public var repository: String?
  /// 40 hexadecimal digits.
  public var commit: String?
  /// The last name of its folder: what stands before it is nobody's business.
  public var name: String
  /// What its own card says of itself.
  var said: YAMLMap

  /// A model in a folder, a snapshot of the hub's cache among them.
  public init(folder: String) {
    let parts = Folder.absolute(folder).split(separator: "/").map(String.init)
    name = parts.last ?? "/"
    said = Self.frontMatter(of: "\(folder)/\(ModelCard.name)")
    // …/models--org--name/snapshots/<commit>
    guard parts.count >= 3, parts[parts.count - 2] == "snapshots",
      parts[parts.count - 3].hasPrefix("models--")
    else { return }
    let names = parts[parts.count - 3].split(separator: "-", omittingEmptySubsequences: false)
      .joined(separator: "-").dropFirst(8)
    let repository = names.replacing("--", with: "/")
    guard (try? HubReference(parsing: "hf://\(repository)")) != nil else { return }
    self.repository = String(repository)
    name = String(repository)
    if Self.isCommit(parts[parts.count - 1]) { commit = parts[parts.count - 1] }
  }

  private static func isCommit(_ text: String) -> Bool {
    text.utf8.count == 40 && text.allSatisfy { $0.isHexDigit && !$0.isUppercase }
  }

  /// The model as a card names it.
  package var markdown: String {
    guard let repository else { return Markdown.verbatim(name) }
    let link = "[\(Markdown.plain(repository))](https://huggingface.co/\(repository))"
    return link + (commit.map { " at commit \(Markdown.verbatim($0))" } ?? "")
  }

  /// What may be taken over, and no more of it than a card has.
  private static let limit = 1 << 20

  /// The front matter of a card; nothing where there is none or it cannot be read.
  static func frontMatter(of path: String) -> YAMLMap {
    guard let size = Folder.size(path), size <= limit,
      let bytes = try? InputFile(path).readAll()
    else { return YAMLMap() }
    // Some editors mark their files, some end lines in two bytes.
    let text = String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "\n")
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let first = lines.first?.unicodeScalars.drop { $0 == "\u{FEFF}" }
    guard first.map(String.init) == "---",
      let end = lines.dropFirst().firstIndex(where: { $0 == "---" })
    else { return YAMLMap() }
    let yaml = lines[1..<end].joined(separator: "\n")
    let value = try? YAMLValue(parsing: Array(yaml.utf8), file: path)
    var kept = YAMLMap()
    for key in ["license", "license_name", "license_link", "language", "pipeline_tag"] {
      if let value = value?[key], value.isText { kept[key] = value }
    }
    return kept
  }
}

extension YAMLValue {
  /// Whether it is a text or a list of texts.
  fileprivate var isText: Bool {
    switch self {
    case .string: true
    case .list(let items): !items.isEmpty && items.allSatisfy { $0.string != nil }
    default: false
    }
  }
}

/// A Megatron checkpoint that a model was made of, as its card may name it.
public struct CardCheckpoint: Sendable {
  /// The last name of its path, with the run's before that of an iteration.
  public var name: String
  /// The format in a word, as `convert inspect` says it.
  public var format: String
  public var iteration: Int?
  /// How it was cut for ranks, in words.
  public var layout: String?
  /// Whether it says itself that its training began with another model's weights.
  public var hasBase: Bool

  /// - Throws: what looking at a checkpoint throws.
  public init(_ path: String) throws {
    let run = try RunFolder(resolving: path)
    let inspection = try Inspection(megatron: run)
    format = inspection.format
    let facts = Dictionary(
      inspection.facts.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    iteration = facts["iteration"]?.integer
    let config = try run.runConfig()
    hasBase =
      facts["pretrained_checkpoint"]?.string != nil
      || config?["model", "hf_model_id"]?.string != nil
    let sizes = [
      ("tensor", "tensor_model_parallel_size"), ("pipeline", "pipeline_model_parallel_size"),
      ("expert", "expert_model_parallel_size"),
      ("expert tensor", "expert_tensor_parallel_size"),
    ]
    let cuts = sizes.compactMap { label, key in
      facts[key]?.integer.flatMap { $0 > 1 ? "\(label) \($0)" : nil }
    }
    layout = cuts.isEmpty ? nil : cuts.joined(separator: " × ")
    let absolute = Folder.absolute(path)
    let last = Folder.name(absolute)
    name = last.hasPrefix("iter_") ? "\(Folder.name(Folder.parent(absolute)))/\(last)" : last
  }

  /// What the relation to the model is whose configuration a checkpoint was exported with.
  ///
  /// An import that was never trained is that model again, and training from scratch has no base: both claim nothing.
  public var relation: ModelCard.Relation? {
    (iteration ?? 0) > 0 && hasBase ? .finetune : nil
  }

  /// Whether the hub may be told that the model is the base.
  public var namesBase: Bool { (iteration ?? 0) == 0 || hasBase }

  /// The checkpoint as a card names it.
  package var markdown: String {
    var words = [Markdown.verbatim(name), "format \(Markdown.verbatim(format))"]
    if let iteration { words.append("iteration \(iteration)") }
    words.append(layout.map { "cut for parallel \($0)" } ?? "not cut for ranks")
    return words.joined(separator: ", ")
  }
}
