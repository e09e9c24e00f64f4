import MegatronFormat

/// What people and the hub read of a model that was made here: its README.md.
///
/// It says only what is known for certain. Source of the front matter's keys and their values: the hub's
/// documentation of model cards, and huggingface_hub 2.4.0, `repocard_data.py`.
public struct ModelCard: Sendable {
  /// Its name on the hub, and the branch if that is not main.
  public var repository: String
  public var branch: String?
  /// What was done, in a sentence without a full stop.
  public var summary: String
  /// What it was made of.
  public var base: CardModel?
  public var relation: Relation?
  public var kind: Kind
  public var tags: [String]
  /// The class in config.json.
  public var architecture: String
  /// Labelled facts of how it was made, as Markdown.
  public var facts: [(String, String)] = []
  /// The command that made it, as a shell takes it.
  public var command: String
  /// This program's version.
  public var version: String
  /// Whether Transformers needs the code that lies beside the weights.
  public var needsCode = false
  public var hasTokenizer = true

  /// What the hub calls the way from the base to this model.
  ///
  /// A LoRA adapter merged into its base is a fine-tune to the hub: a merge there has several base models.
  public enum Relation: String, Sendable {
    case adapter, finetune
  }

  public enum Kind: Sendable {
    /// A model that Transformers loads.
    case model
    /// An adapter that PEFT loads.
    case adapter
  }

  /// A file as it was written.
  public struct File: Sendable {
    public var path: String
    public var size: Int
    /// In hexadecimal.
    public var sha256: String

    public init(path: String, size: Int, sha256: String) {
      self.path = path
      self.size = size
      self.sha256 = sha256
    }
  }

  public static let name = "README.md"

  public init(
    repository: String, branch: String? = nil, summary: String, base: CardModel?,
    relation: Relation?, kind: Kind, tags: [String], architecture: String, command: String,
    version: String
  ) {
    self.repository = repository
    self.branch = branch
    self.summary = summary
    self.base = base
    self.relation = relation
    self.kind = kind
    self.tags = tags
    self.architecture = architecture
    self.command = command
    self.version = version
  }
}

// MARK: Front matter

extension ModelCard {
  /// What stands between the lines of dashes.
  ///
  /// - Parameter files: the names of all files of the folder.
  func frontMatter(_ files: Set<String>) -> YAMLMap {
    var map = YAMLMap()
    // A path on somebody's disk means nothing to others.
    map["base_model"] = base?.repository.map { .string($0) }
    if base?.repository != nil {
      map["base_model_relation"] = relation.map { .string($0.rawValue) }
    }
    map["library_name"] = .string(kind == .adapter ? "peft" : "transformers")
    map["license"] = base?.said["license"]
    map["license_name"] = base?.said["license_name"]
    map["license_link"] = licenseLink(files)
    map["language"] = base?.said["language"]
    map["pipeline_tag"] = base?.said["pipeline_tag"] ?? task
    map["tags"] = .list(tags.map { .string($0) })
    return map
  }

  /// The base's own link; one to a file that is not here leads to the base's.
  private func licenseLink(_ files: Set<String>) -> YAMLValue? {
    guard let link = base?.said["license_link"] else { return nil }
    guard let text = link.string, !text.contains("://"), !files.contains(text),
      let repository = base?.repository, text.allSatisfy({ $0.isASCII && !$0.isWhitespace })
    else { return link }
    return .string(
      "https://huggingface.co/\(repository)/blob/\(base?.commit ?? "main")/\(text)")
  }

  private var task: YAMLValue? {
    let isCausal = architecture.hasSuffix("ForCausalLM") || architecture.hasSuffix("LMHeadModel")
    return isCausal ? .string("text-generation") : nil
  }
}

// MARK: Text

extension ModelCard {
  /// The card as it is written.
  ///
  /// - Parameters:
  ///   - files: the weights.
  ///   - names: all files of the folder.
  ///   - date: the day, `2026-11-22`.
  public func text(files: [File], names: Set<String>, date: String) -> String {
    let title = repository.split(separator: "/").last.map(String.init) ?? repository
    var blocks = [
      "---\n" + YAMLValue.map(frontMatter(names)).dumped() + "---",
      "# \(Markdown.plain(title))",
      summary + ".",
      table([("Made with", "Isthmus \(version), on \(date)")] + origin + facts),
      "## Command",
      Markdown.code(command, "sh"),
      "## Files",
      Markdown.table(
        ["File", "Bytes", "SHA-256"],
        files.map { [Markdown.verbatim($0.path), "\($0.size)", Markdown.verbatim($0.sha256)] }),
    ]
    blocks += ["## Use", Markdown.code(use, "python")]
    return blocks.joined(separator: "\n\n") + "\n"
  }

  private var origin: [(String, String)] {
    guard let base else { return [] }
    var rows = [(kind == .adapter ? "For" : "Base model", base.markdown)]
    if let license = base.said["license"]?.string {
      rows.append(("Its licence", Markdown.plain(license)))
    }
    return rows
  }

  private func table(_ rows: [(String, String)]) -> String {
    Markdown.table(["", ""], rows.map { [$0.0, $0.1] })
  }

  /// How it is loaded.
  private var use: String {
    func word(_ text: String) -> String { Markdown.pythonString(text) }
    let name = word(repository)
    let place = branch.map { "\(name), revision=\(word($0))" } ?? name
    let code = needsCode ? ", trust_remote_code=True" : ""
    switch kind {
    case .model:
      var lines = [
        "from transformers import AutoModelForCausalLM\(hasTokenizer ? ", AutoTokenizer" : "")", "",
      ]
      if hasTokenizer { lines.append("tokenizer = AutoTokenizer.from_pretrained(\(place)\(code))") }
      lines.append("model = AutoModelForCausalLM.from_pretrained(\(place), dtype=\"auto\"\(code))")
      return lines.joined(separator: "\n")
    case .adapter:
      let base = word(base?.repository ?? base?.name ?? "the model it belongs to")
      return """
        from peft import PeftModel
        from transformers import AutoModelForCausalLM

        base = AutoModelForCausalLM.from_pretrained(\(base), dtype="auto"\(code))
        model = PeftModel.from_pretrained(base, \(place))
        """
    }
  }

  /// The same in few words, for the commit's description.
  public func description(date: String) -> String {
    var lines = [summary + ".", ""]
    for (label, value) in [("Made with", "Isthmus \(version), on \(date)")] + origin + facts {
      lines.append("\(label): \(value)")
    }
    return (lines + ["", "    " + command]).joined(separator: "\n")
  }
}
