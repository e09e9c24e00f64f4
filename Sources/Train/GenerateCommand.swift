import ArgumentParser
import Checkpoints
import Console
import Engine
import Glibc
import JSON
import Kernels
import Tensors
import Tokenizers
import Weights

/// `train generate`: continues a text, or a sequence of tokens.
struct GenerateCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Continues a text, or tokens given as their ids.",
    discussion: """
      With --prompt the text goes through the model's own tokenizer, which adds the tokens that it puts \
      around a text, and the continuation is printed as it comes. With --chat the text is what a user says, \
      written by the model's chat template. --chat without --prompt is a conversation: each line of standard \
      input is a message, or a command such as /help, and of each turn only what is new is computed.

      Without --temperature, --top-k and --top-p the most likely token is taken each time; with any of \
      them tokens are drawn, the same ones for the same --seed. It ends with one of the model's end tokens.

      EXAMPLES
        train generate --model ./llama --prompt "Once upon a time"
        train generate --model ./llama-instruct --chat --prompt "Name three rivers." --temperature 0.7
        train generate --model ./llama-instruct --chat --system "Answer briefly." --max-new-tokens 512
        train generate --model ./llama --adapter ./lora-run --prompt "Once upon a time"
        train generate --model ./llama --tokens 1,403,407
        train generate --model ./run --tokens 1 --max-new-tokens 256 --temperature 0.8 --top-p 0.95
      """)

  struct Text: ParsableArguments {
    @Option(
      help: ArgumentHelp(
        "The tokens to continue: ids, with commas or spaces between them.", valueName: "ids"))
    var tokens: String?

    @Option(help: ArgumentHelp("The text to continue.", valueName: "text"))
    var prompt: String?

    @Flag(
      name: .customLong("chat"),
      help:
        "Answer what a user says, by the model's chat template: --prompt, or line by line what is typed or piped in."
    )
    var isChat = false

    @Option(
      help: ArgumentHelp(
        "What the model is told before a chat, as the system's message.", valueName: "text"))
    var system: String?

    @Option(
      help: ArgumentHelp(
        "A text that ends what is added, and is no part of it; may be given several times.",
        valueName: "text"))
    var stop: [String] = []

    @Option(
      name: .customLong("max-new-tokens"),
      help: ArgumentHelp(
        "The most tokens to add. (default: 32, in a conversation 512)", valueName: "n"))
    var most: Int?

    /// Whether lines are answered as they come.
    var isConversation: Bool { isChat && prompt == nil }

    var count: Int { most ?? (isConversation ? 512 : 32) }

    @Flag(name: .customLong("ignore-eos"), help: "Go on behind end tokens.")
    var ignoresEnd = false

    @Flag(
      name: .customLong("no-cache"),
      help: "Compute all tokens anew for each one; slower, for comparisons.")
    var skipsCache = false

    func validate() throws {
      guard count > 0 else { throw ValidationError("--max-new-tokens must be at least 1.") }
      switch (tokens, prompt) {
      case (nil, nil) where isChat: break
      case (nil, nil): throw ValidationError("Give what to continue with --prompt or --tokens.")
      case (_?, _?): throw ValidationError("--prompt and --tokens are two ways to say one thing.")
      case (let tokens?, nil): _ = try Self.ids(tokens)
      case (nil, _?): break
      }
      if isChat, tokens != nil {
        throw ValidationError("--chat answers text, and --tokens are none.")
      }
      if system != nil, !isChat {
        throw ValidationError("--system is a message of a chat; give --chat too.")
      }
      if tokens != nil, !stop.isEmpty {
        throw ValidationError("--stop ends text, and --tokens give none.")
      }
    }

    static func ids(_ tokens: String) throws -> [Int32] {
      let words = tokens.split { ", []\n\t".contains($0) }
      guard !words.isEmpty else { throw ValidationError("--tokens must name at least one id.") }
      return try words.map { word in
        guard let id = Int32(word), id >= 0 else {
          throw ValidationError("--tokens must be ids such as 1,403,407; \"\(word)\" is none.")
        }
        return id
      }
    }
  }

  struct Drawing: ParsableArguments {
    @Option(
      help: ArgumentHelp(
        "Divides the logits; 0 takes the most likely. (default: 1 where tokens are drawn)",
        valueName: "t"))
    var temperature: Double?

    @Option(
      name: .customLong("top-k"),
      help: ArgumentHelp("Draw from the k most likely. (default: all)", valueName: "k"))
    var topK: Int?

    @Option(
      name: .customLong("top-p"),
      help: ArgumentHelp(
        "Draw from the fewest whose probabilities reach p. (default: all)", valueName: "p"))
    var topP: Double?

    @Option(help: ArgumentHelp("What the draws depend on.", valueName: "n"))
    var seed: UInt64 = 1234

    func validate() throws {
      do throws(EngineError) {
        _ = try sampling()
      } catch {
        throw ValidationError("\(error)")
      }
    }

    func sampling() throws(EngineError) -> Sampling {
      if temperature == nil, topK == nil, topP == nil { return .greedy }
      return try Sampling(temperature: temperature ?? 1, topK: topK, topP: topP, seed: seed)
    }
  }

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Model") var adapter: AdapterOptions
  @OptionGroup(title: "Tokens") var text: Text
  @OptionGroup(title: "Drawing") var drawing: Drawing
  @OptionGroup(title: "Computing") var compute: ComputeOptions
  @OptionGroup(title: "Running") var running: RunningOptions

  @Option(
    help: ArgumentHelp(
      "The type of matrices and activations. (default: float32 where config.json says so, else bfloat16)",
      valueName: "type"))
  var dtype: ComputeType?

  var wantsJSON: Bool { running.json }

  func run() throws {
    compute.apply()
    let adapted = try model.weights(adapter)
    let weights = adapted.weights
    let numbers = (dtype ?? weights.computeType).numbers
    if text.isConversation { return try converse(adapted, numbers) }
    let given = try Prompt(text, weights)
    let ids = given.ids
    try weights.blueprint.check(Batch([ids]))
    let limit = min(text.count, weights.blueprint.room(behind: ids.count))
    guard limit > 0 else {
      throw EngineError.tooLong(
        positions: ids.count + 1, limit: weights.blueprint.frame.positions ?? 0)
    }
    let notes = adapted.notes + weights.blueprint.notes(positions: ids.count + limit)
    if running.isDryRun {
      plan(adapted, numbers, given: ids.count, limit: limit)
      return
    }
    try RunningModel().stopping { running in
      let model = try running.load(
        adapted, numbers, showsProgress: self.running.showsProgress)
      var generator = try Generator(model, ids, drawing.sampling(), isCached: !text.skipsCache)
      for note in Report.notes(notes) where !wantsJSON { Report.error(note, label: "") }
      var output = Output(given, stops: text.stop, isShown: !wantsJSON)
      _ = try generator.run(limit: limit, stops: ends(weights)) { token in
        try running.check()
        try output.append(token)
        return !output.isEnded
      }
      try output.finish()
      report(generator.tokens, given, output.text, adapted, notes)
    }
  }

  /// The tokens that end a text.
  private func ends(_ weights: ModelWeights) -> Set<Int32> {
    text.ignoresEnd ? [] : Set(weights.model.endTokens.map { Int32(clamping: $0) })
  }

  /// Answers line by line.
  private func converse(_ adapted: AdaptedWeights, _ numbers: Numbers) throws {
    let weights = adapted.weights
    let folder = weights.model.folder
    let writer = try ChatWriter(try Tokenizer(path: folder), folder: folder)
    let settings = ChatSession.Settings(
      sampling: try drawing.sampling(), limit: text.count, ends: ends(weights), stops: text.stop,
      isCached: !text.skipsCache, window: weights.blueprint.frame.positions)
    if running.isDryRun {
      plan(adapted, numbers, given: 0, limit: text.count)
      return
    }
    let model = try RunningModel().stopping { running in
      try running.load(adapted, numbers, showsProgress: self.running.showsProgress)
    }
    for note in Report.notes(adapted.notes) where !wantsJSON { Report.error(note, label: "") }
    var loop = ChatLoop(
      ChatSession(model, writer, settings, system: text.system), wantsJSON: wantsJSON)
    try loop.run()
  }

  private func report(
    _ tokens: [Int32], _ given: Prompt, _ text: String, _ weights: AdaptedWeights,
    _ notes: [String]
  ) {
    let added = tokens.dropFirst(given.ids.count)
    guard running.json else {
      Report.print("")
      return
    }
    var object = JSONObject([
      "status": .string("done"), "command": .string("generate"),
      "architecture": .string(weights.weights.model.architecture), "model": .string(weights.place),
    ])
    if let prompt = given.text {
      object["prompt"] = .string(prompt)
      object["text"] = .string(text)
    }
    object["tokens"] = .array(tokens.map { .integer(Int($0)) })
    object["new"] = .array(added.map { .integer(Int($0)) })
    object["notes"] = notes.json
    Report.print(object)
  }

  private func plan(_ adapted: AdaptedWeights, _ numbers: Numbers, given: Int, limit: Int) {
    let weights = adapted.weights
    let bytes = weights.blueprint.parameterBytes(numbers)
    let slots = weights.blueprint.learnedSlots.count
    if running.json {
      Report.print(
        JSONObject([
          "status": .string("planned"), "command": .string("generate"),
          "architecture": .string(weights.model.architecture), "model": .string(adapted.place),
          "tensors": .integer(slots), "parameterBytes": .integer(bytes),
          "tokens": .integer(given), "most": .integer(limit),
        ]))
      return
    }
    Report.print("Plan of the generation; nothing was computed.")
    Report.print(
      Report.facts([
        ("model", "\(weights.model.architecture) in \(adapted.place)"),
        ("tensors", Format.count(slots)),
        ("memory", "\(Format.bytes(bytes)) for weights in \(numbers.rawValue)"),
        ("tokens", "\(given) given, at most \(limit) new"),
      ]))
  }
}
