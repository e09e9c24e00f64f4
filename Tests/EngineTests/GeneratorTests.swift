import Blueprint
import Kernels
import Testing

@testable import Engine

/// With a cache and without, a model continues a text alike.
@Suite struct GeneratorTests {
  /// Token by token and in float64: the logits are the same but for the rounding of other sums.
  ///
  /// Prompts go through in pieces, which windows and states have to bridge; the long one is longer than
  /// what caches of windows keep.
  @Test(arguments: ModelCase.all) func cacheAndNoCacheGiveTheSameLogits(_ test: ModelCase) throws {
    let model = try test.model(.float64)
    let hasLimit = model.blueprint.frame.names.positions != nil
    let limit = hasLimit ? model.blueprint.frame.positions ?? 0 : .max
    for (length, count) in [(23, 20), (150, 4)] where length + count <= limit {
      let prompt = try test.batch([length]).tokens
      var cached = try Generator(model, prompt, chunk: 5)
      var plain = try Generator(model, prompt, isCached: false)
      for _ in 0..<count {
        let (ours, theirs) = (try cached.logits(), try plain.logits())
        let difference = zip(ours, theirs).reduce(0) {
          $1.0 == $1.1 ? $0 : max($0, abs($1.0 - $1.1))
        }
        let most = theirs.filter(\.isFinite).reduce(0) { max($0, abs($1)) }
        #expect(difference < 1e-6 * most, "behind \(cached.tokens.count) tokens")
        let token = try plain.next()
        cached.append(token)
      }
    }
  }

  /// In the numbers that users have, chosen by chance as well.
  @Test(arguments: ModelCase.all) func cacheAndNoCacheGiveTheSameTokens(_ test: ModelCase) throws {
    let model = try test.model(.float32)
    let prompt = try test.batch([17]).tokens
    for sampling in [Sampling.greedy, try Sampling(temperature: 0.8, topK: 20, topP: 0.9, seed: 5)]
    {
      var cached = try Generator(model, prompt, sampling, chunk: 7)
      var plain = try Generator(model, prompt, sampling, isCached: false)
      #expect(try cached.run(limit: 24) == .limit)
      #expect(try plain.run(limit: 24) == .limit)
      #expect(cached.tokens == plain.tokens)
      #expect(cached.tokens.count == prompt.count + 24 && cached.tokens.starts(with: prompt))
    }
  }

  /// Whatever was read before, a sequence goes on as if it were read alone: with more behind what came, with
  /// another end, with a part of it, with something else.
  @Test(arguments: ModelCase.all) func goingOnWithAnotherSequenceIsReadingItAlone(
    _ test: ModelCase
  ) throws {
    let model = try test.model(.float64)
    let hasLimit = model.blueprint.frame.names.positions != nil
    let limit = hasLimit ? model.blueprint.frame.positions ?? 0 : .max
    for length in [23, 150] where length + 20 <= limit {
      let prompt = try test.batch([length]).tokens
      var generator = try Generator(model, prompt, chunk: 5)
      _ = try generator.run(limit: 6)
      let (whole, other) = (generator.tokens, Array(prompt.reversed()))
      for next in [
        whole + other[..<9], Array(whole[..<(length - 8)] + other[..<6]), Array(prompt[..<12]),
        other,
      ] {
        let shared = zip(generator.tokens, next).prefix { $0 == $1 }.count
        let reused = try generator.restart(with: next)
        #expect(reused <= shared && reused < next.count)
        #expect(generator.unread == next.count - reused)
        while generator.unread > 5 { try generator.read() }
        var alone = try Generator(model, next, isCached: false)
        let (ours, theirs) = (try generator.logits(), try alone.logits())
        let difference = zip(ours, theirs).reduce(0) {
          $1.0 == $1.1 ? $0 : max($0, abs($1.0 - $1.1))
        }
        let most = theirs.filter(\.isFinite).reduce(0) { max($0, abs($1)) }
        #expect(difference < 1e-6 * most, "\(next.count) tokens, \(reused) of them read before")
      }
    }
  }

  @Test func whatWasReadIsNotReadAgain() throws {
    let model = try ModelCase(name: "llama_tied_32").model(.float32)
    var generator = try Generator(model, [1, 2, 3, 4, 5])
    _ = try generator.run(limit: 3)
    // The last token was chosen and never read.
    let whole = generator.tokens
    #expect(try generator.restart(with: whole + [6, 7]) == 7)
    #expect(try generator.restart(with: Array(whole[..<3]) + [9]) == 3)
    #expect(try generator.restart(with: Array(whole[..<2])) == 1)
    #expect(throws: EngineError.emptyBatch) { try generator.restart(with: []) }
  }

  @Test func stopsAndTheTakerEndTheText() throws {
    let model = try ModelCase(name: "llama_tied_32").model(.float32)
    var free = try Generator(model, [1, 2, 3])
    #expect(try free.run(limit: 6) == .limit)
    let stop = free.tokens[5]
    var stopped = try Generator(model, [1, 2, 3])
    var taken: [Int32] = []
    let end = try stopped.run(limit: 6, stops: [stop]) { token in
      taken.append(token)
      return true
    }
    #expect(end == .stop(stop))
    // The stop may have come before, too.
    #expect(taken.last == stop && taken == Array(free.tokens.dropFirst(3).prefix(taken.count)))
    var ended = try Generator(model, [1, 2, 3])
    #expect(try ended.run(limit: 6) { _ in false } == .ended)
    #expect(ended.tokens.count == 4)
  }

  /// A layer that looks at other tokens and keeps nothing of them.
  private struct Forgetful: Layer, Computed {
    var slots: [Slot] { [] }
    var normBefore: NormPlace { .beforeMLP }
    func forward(_ x: Node, _ pass: Pass) throws(EngineError) -> Node { x }
  }

  @Test func layersThatKeepNothingAreRefusedByName() throws {
    let model = try SmallModel([Forgetful()]).model(.float32)
    #expect(
      throws: EngineError.cannotContinue(
        "a layer of the kind Forgetful", block: model.blueprint.blocks[0].name)
    ) {
      try Generator(model, [1, 2])
    }
    var generator = try Generator(model, [1, 2], isCached: false)
    _ = try generator.next()
  }

  @Test func promptsThatDoNotFitAreRefused() throws {
    let model = try ModelCase(name: "llama_tied_32").model(.float32)
    #expect(throws: EngineError.emptyBatch) { try Generator(model, []) }
    let vocabulary = model.blueprint.frame.vocabulary
    #expect(
      throws: EngineError.tokenOutOfRange(token: vocabulary, index: 1, vocabulary: vocabulary)
    ) {
      var generator = try Generator(model, [1, Int32(vocabulary)])
      _ = try generator.next()
    }
  }
}
