import Foundation
import Testing

@testable import Engine

/// How tokens are chosen: by the logits and the seed, and by nothing else.
@Suite struct SamplingTests {
  /// How often each token is chosen out of the same logits.
  private func counts(
    _ logits: [Float], _ sampling: Sampling, draws: Int = 20_000
  ) -> [Double] {
    var sampler = Sampler(sampling)
    var counts = [Double](repeating: 0, count: logits.count)
    for _ in 0..<draws {
      if let token = sampler.choose(logits) { counts[Int(token)] += 1 }
    }
    return counts.map { $0 / Double(draws) }
  }

  /// softmax(logits / temperature) over some tokens.
  private func shares(_ logits: [Float], _ left: Set<Int>, temperature: Double = 1) -> [Double] {
    let weights = logits.indices.map {
      left.contains($0) ? exp(Double(logits[$0]) / temperature) : 0
    }
    return weights.map { $0 / weights.reduce(0, +) }
  }

  /// Five standard deviations of 20,000 draws are below 0.018.
  private func expectClose(_ counts: [Double], _ shares: [Double]) {
    for (count, share) in zip(counts, shares) {
      #expect(abs(count - share) < 0.018)
      #expect(share > 0 || count == 0)
    }
  }

  private let logits: [Float] = [0.5, 2, -1, 1.5, 2, -3]

  @Test func theLikeliestIsTheLowestOfEqualOnes() {
    var sampler = Sampler(.greedy)
    #expect(sampler.choose(logits) == 1)
    #expect(sampler.choose([-.infinity, -2, -2]) == 1)
  }

  @Test func tokensComeAsOftenAsTheirProbabilitySays() throws {
    expectClose(counts(logits, try Sampling(seed: 7)), shares(logits, [0, 1, 2, 3, 4, 5]))
    expectClose(
      counts(logits, try Sampling(temperature: 0.4, seed: 8)),
      shares(logits, [0, 1, 2, 3, 4, 5], temperature: 0.4))
  }

  @Test func topKLeavesTheLikeliest() throws {
    // Of the two best, which are equal, the lower is first.
    expectClose(counts(logits, try Sampling(topK: 1)), shares(logits, [1]))
    expectClose(counts(logits, try Sampling(topK: 3)), shares(logits, [1, 3, 4]))
    expectClose(
      counts(logits, try Sampling(topK: 100)), shares(logits, [0, 1, 2, 3, 4, 5]))
  }

  @Test func topPLeavesAsManyAsItNeeds() throws {
    // The shares are 0.082, 0.367, 0.018, 0.223, 0.367 and 0.002 (rounded to three digits).
    expectClose(counts(logits, try Sampling(topP: 0.3)), shares(logits, [1]))
    expectClose(counts(logits, try Sampling(topP: 0.5)), shares(logits, [1, 4]))
    expectClose(counts(logits, try Sampling(topP: 0.8)), shares(logits, [1, 3, 4]))
    expectClose(counts(logits, try Sampling(topP: 1)), shares(logits, [0, 1, 2, 3, 4, 5]))
    // Of what top-k leaves: 0.384, 0.232, 0.384.
    expectClose(counts(logits, try Sampling(topK: 3, topP: 0.75)), shares(logits, [1, 4]))
  }

  @Test func silencedTokensNeverCome() throws {
    var silenced = logits
    silenced[4] = -.infinity
    for sampling in [try Sampling(seed: 3), try Sampling(topP: 1), try Sampling(topK: 6)] {
      expectClose(counts(silenced, sampling), shares(logits, [0, 1, 2, 3, 5]))
    }
  }

  @Test func theSameSeedGivesTheSameTokens() throws {
    func tokens(_ seed: UInt64) throws -> [Int32?] {
      var sampler = Sampler(try Sampling(temperature: 2, seed: seed))
      return (0..<50).map { _ in sampler.choose(logits) }
    }
    #expect(try tokens(11) == tokens(11))
    #expect(try tokens(11) != tokens(12))
  }

  @Test func logitsThatAreNoNumbersGiveNoToken() throws {
    for bad: [Float] in [[1, .nan], [.nan, 1], [.infinity, 1], [-.infinity, -.infinity], []] {
      var (greedy, drawn) = (Sampler(.greedy), Sampler(try Sampling()))
      #expect(greedy.choose(bad) == nil)
      #expect(drawn.choose(bad) == nil)
    }
  }

  @Test func numbersOutsideTheirBoundsAreRefused() {
    #expect(throws: EngineError.self) { try Sampling(temperature: -1) }
    #expect(throws: EngineError.self) { try Sampling(temperature: .nan) }
    #expect(throws: EngineError.self) { try Sampling(topK: 0) }
    #expect(throws: EngineError.self) { try Sampling(topP: 0) }
    #expect(throws: EngineError.self) { try Sampling(topP: 1.5) }
  }

  @Test func rankingSortsAsSortingDoes() {
    var random = Normal(seed: 5)
    let logits = (0..<500).map { _ in Float((random.next() * 8).rounded() / 8) }
    var ranking = Ranking(logits)
    let sorted = logits.indices.sorted {
      logits[$0] == logits[$1] ? $0 < $1 : logits[$0] > logits[$1]
    }
    #expect((0..<500).map { _ in ranking.next() } == sorted.map { Int32($0) })
    #expect(ranking.next() == nil)
  }
}
