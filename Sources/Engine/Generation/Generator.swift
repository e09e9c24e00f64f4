import Blueprint
import Kernels

/// A sequence of tokens that a model continues, one token at a time.
public struct Generator {
  /// The prompt and what has come behind it.
  public private(set) var tokens: [Int32]
  private let model: Model
  private let isCached: Bool
  private let chunk: Int
  /// How many tokens of a prompt go through a model at once, unless told otherwise.
  public static let usualChunk = 512
  private var sampler: Sampler
  private var cache = Cache()

  /// Why generation has ended.
  public enum End: Equatable, Sendable {
    /// A token that ends the text; it is the last of the sequence.
    case stop(Int32)
    /// As many tokens as were asked for.
    case limit
    /// Who took the tokens wants no more.
    case ended
  }

  /// - Parameters:
  ///   - prompt: one token at least.
  ///   - isCached: whether layers keep what they need of earlier tokens, rather than all tokens being
  ///     computed anew for each one.
  ///   - chunk: how many tokens of a prompt go through the model at once.
  /// - Throws: `EngineError.emptyBatch`; `.cannotContinue` for a layer that has no cache.
  public init(
    _ model: Model, _ prompt: [Int32], _ sampling: Sampling = .greedy, isCached: Bool = true,
    chunk: Int = Generator.usualChunk
  ) throws(EngineError) {
    precondition(chunk > 0)
    guard !prompt.isEmpty else { throw .emptyBatch }
    if isCached { try model.checkCache() }
    self.model = model
    self.isCached = isCached
    self.chunk = chunk
    tokens = prompt
    sampler = Sampler(sampling)
  }

  /// Chooses the next token and appends it.
  ///
  /// - Throws: `EngineError`.
  public mutating func next() throws(EngineError) -> Int32 {
    guard let token = sampler.choose(try logits()) else {
      throw .noPrediction(position: tokens.count)
    }
    append(token)
    return token
  }

  /// Appends a token that somebody else has chosen.
  public mutating func append(_ token: Int32) { tokens.append(token) }

  /// Goes on with another sequence, as if the generator were made for it; what it begins with as the one
  /// before did is not computed again.
  ///
  /// Tokens are drawn on from where the draws have come to.
  ///
  /// - Parameter tokens: one token at least.
  /// - Returns: how many tokens need not be computed again.
  /// - Throws: `EngineError.emptyBatch`.
  @discardableResult
  public mutating func restart(with tokens: [Int32]) throws(EngineError) -> Int {
    guard !tokens.isEmpty else { throw .emptyBatch }
    let shared = zip(self.tokens, tokens).prefix { $0 == $1 }.count
    // The last token is computed in any case, or there would be no logits.
    let kept = min(shared, cache.count, tokens.count - 1)
    let isOutgrown = model.outgrowsCache(from: cache.count, to: tokens.count)
    if isOutgrown || !cache.rewind(to: kept) { cache = Cache() }
    self.tokens = tokens
    return cache.count
  }

  /// The tokens that are still to be computed before the next one can be chosen.
  public var unread: Int { isCached ? tokens.count - cache.count : 0 }

  /// Computes some of the tokens that are still to be, so that whoever reads a long prompt can stop between
  /// two calls; does nothing once the rest is small.
  ///
  /// - Throws: `EngineError`.
  public mutating func read() throws(EngineError) {
    guard unread > chunk else { return }
    _ = try advance()
  }

  /// Continues until an end is reached.
  ///
  /// - Parameters:
  ///   - limit: the most new tokens.
  ///   - stops: the tokens that end the text.
  ///   - body: gets each new token, a stop too; false ends the generation.
  public mutating func run(
    limit: Int, stops: Set<Int32> = [], _ body: (Int32) throws -> Bool = { _ in true }
  ) throws -> End {
    for _ in 0..<limit {
      let token = try next()
      let goesOn = try body(token)
      if stops.contains(token) { return .stop(token) }
      if !goesOn { return .ended }
    }
    return .limit
  }

  /// The logits of the token to come.
  mutating func logits() throws(EngineError) -> [Float] {
    guard isCached else { return try logits(of: Batch([tokens]), nil) }
    // At least the last token is computed, or there would be no logits.
    if cache.count == tokens.count || model.outgrowsCache(from: cache.count, to: tokens.count) {
      cache = Cache()
    }
    var logits: [Float] = []
    while cache.count < tokens.count { logits = try advance() }
    return logits
  }

  /// Computes the next tokens of those that are still to be.
  ///
  /// - Returns: the logits behind the last one, where that is reached.
  private mutating func advance() throws(EngineError) -> [Float] {
    let end = min(tokens.count, cache.count + chunk)
    var batch = Batch([Array(tokens[cache.count..<end])])
    batch.offset = cache.count
    batch.whole = tokens.count
    let logits = try self.logits(of: batch, cache, isWanted: end == tokens.count)
    cache.count = end
    return logits
  }

  /// The logits of a batch's last token.
  private func logits(
    of batch: Batch, _ cache: Cache?, isWanted: Bool = true
  ) throws(EngineError) -> [Float] {
    let pass = Pass(model, Tape(model.numbers, isRecording: false), batch, cache: cache)
    guard let last = try model.hidden(pass).last, isWanted else { return [] }
    let row = Node(last.value.rows(last.rows - 1..<last.rows), isTracked: false)
    return try model.logits(row, pass).floats
  }
}
