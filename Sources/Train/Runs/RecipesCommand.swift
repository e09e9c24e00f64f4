import ArgumentParser
import Configuration
import Console
import JSON
import Tensors

/// `train recipes`: what there is to begin with.
struct RecipesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recipes",
    abstract: "Lists the recipes, shows one, or copies one into a file to be changed.",
    discussion: """
      EXAMPLES
        train recipes
        train recipes show llama32_1b
        train recipes copy llama32_1b --peft lora my_run.yaml && train finetune my_run.yaml --dry-run
      """,
    subcommands: [List.self, Show.self, Copy.self], defaultSubcommand: List.self)

  struct List: ParsableCommand, ReportsJSON {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists the recipes.", aliases: ["ls"])

    @Flag(name: .customLong("json"), help: "Print the result as one JSON object.")
    var json = false

    var wantsJSON: Bool { json }

    func run() throws {
      if json {
        Report.print([
          "recipes": .array(
            Recipe.all.map { recipe in
              .object([
                "name": .string(recipe.name), "summary": .string(recipe.summary),
                "purposes": recipe.purposes.map(\.rawValue).json,
                "peft": .string(recipe.scheme.rawValue),
              ])
            })
        ])
        return
      }
      Report.print(
        Format.table(
          Recipe.all.map { recipe in
            [recipe.name, recipe.purposes.map(\.rawValue).joined(separator: ", "), recipe.summary]
          }, indent: ""))
      Report.print(Report.next([["train", "recipes", "show", Recipe.all.first?.name ?? ""]]))
    }
  }

  /// Which text of a recipe is meant.
  struct Variant: ParsableArguments {
    @Argument(help: "The recipe.")
    var name: String

    @Option(
      name: .customLong("for"),
      help: ArgumentHelp(
        "What it is for. (default: finetune, where the recipe is for that)",
        valueName: "finetune|pretrain"))
    var purpose: RunPurpose?

    @Option(
      help: ArgumentHelp(
        "What fine-tuning trains. (default: as the recipe says)", valueName: "none|lora|dora"))
    var peft: AdapterScheme?

    @Flag(name: .customLong("packed"), help: "Put several samples into one sequence.")
    var isPacked = false

    func recipe() throws -> (recipe: Recipe, purpose: RunPurpose) {
      let recipe = try Recipe.named(name)
      return (recipe, purpose ?? recipe.purposes.first ?? .finetune)
    }

    func text() throws -> String {
      let (recipe, purpose) = try recipe()
      return try recipe.text(purpose, peft, isPacked: isPacked ? true : nil)
    }
  }

  struct Show: ParsableCommand, ReportsJSON {
    static let configuration = CommandConfiguration(
      commandName: "show", abstract: "Shows a recipe's whole configuration, and how large it is.")

    @OptionGroup var variant: Variant

    @Flag(name: .customLong("json"), help: "Print the result as one JSON object.")
    var json = false

    var wantsJSON: Bool { json }

    func run() throws {
      let (recipe, purpose) = try variant.recipe()
      let text = try variant.text()
      let plan = try RunPlan(
        recipe, purpose, peft: variant.peft, isPacked: variant.isPacked ? true : nil)
      if json {
        var object = plan.object
        object["recipe"] = .string(recipe.name)
        object["text"] = .string(text)
        return Report.print(object)
      }
      Report.print(text + "\n" + plan.sizes)
      Report.print(
        Report.next([
          ["train", "recipes", "copy", recipe.name, "--for", purpose.rawValue, "my_run.yaml"],
          ["train", purpose.rawValue, "--recipe", recipe.name, "--dry-run"],
        ]))
    }
  }

  struct Copy: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "copy",
      abstract: "Writes a recipe into a file that train finetune or pretrain takes.",
      aliases: ["cp"])

    @OptionGroup var variant: Variant

    @Argument(help: ArgumentHelp("The file; - for standard output.", valueName: "file.yaml"))
    var file = "-"

    @Flag(help: "Replace the file that is there.")
    var overwrite = false

    func run() throws {
      let text = try variant.text()
      guard file != "-" else { return Report.write(text, to: 1) }
      if Folder.kind(file) != nil, !overwrite {
        throw ValidationError("\(file) is there already; give another name, or --overwrite.")
      }
      let bytes = Array(text.utf8)
      try OutputFile.replace(file) { output throws(FileError) in try output.write(bytes, at: 0) }
      Report.print(
        Report.next([["train", try variant.recipe().purpose.rawValue, file, "--dry-run"]]))
    }
  }
}

extension RunPurpose: ExpressibleByArgument {}
extension AdapterScheme: ExpressibleByArgument {}
