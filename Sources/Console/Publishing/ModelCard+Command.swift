import Checkpoints
import Hub
import JSON

extension ModelCard {
  /// A card for what this run makes, which says how it was called.
  ///
  /// - Parameters:
  ///   - summary: what was done, in a sentence without a full stop.
  ///   - base: what it was made of, if that may be said.
  package init(
    for target: HubTarget, _ summary: String, base: CardModel?, relation: Relation?, kind: Kind,
    tags: [String], of model: HuggingFaceModel
  ) {
    let secrets = Hub.current.settings.token.map { [$0.value] } ?? []
    self.init(
      repository: target.repository.name, branch: target.branch == "main" ? nil : target.branch,
      summary: summary, base: base, relation: relation, kind: kind, tags: tags,
      architecture: model.architecture,
      command: CommandWords.shown(CommandLine.arguments, hiding: secrets),
      version: HubSettings.version)
    needsCode = model.configuration["auto_map"] != nil
    facts.append(("Architecture", Markdown.verbatim(model.architecture)))
  }
}
