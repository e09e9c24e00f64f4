import Foundation
import Kernels
import Testing

@testable import Engine

/// Updates are torch.optim.AdamW's, and schedules Megatron-Core's.
@Suite struct OptimiserTests {
  struct Run: Decodable {
    struct Settings: Decodable {
      var rate, beta1, beta2, eps, decay, clip: Double
    }
    struct Step: Decodable {
      var gradients: [[Double]]
      var norm: Double
      var weights: [[Double]]
    }
    var settings: Settings
    var start: [[Double]]
    var steps: [Step]
  }

  private func optimiser(_ run: Run, _ numbers: Numbers) -> ([LearnedMatrix], AdamW) {
    let learned = run.start.enumerated().map { index, values in
      LearnedMatrix(
        "\(index)", Matrix(values, numbers), isTrained: true, decays: index == 0)
    }
    var settings = AdamW.Settings()
    settings.beta1 = run.settings.beta1
    settings.beta2 = run.settings.beta2
    settings.eps = run.settings.eps
    return (learned, AdamW(learned, settings))
  }

  private func factor(_ norm: Double, _ settings: Run.Settings) -> Double {
    min(1, settings.clip / (norm + 1e-6))
  }

  @Test func fiftyUpdatesAreThoseOfTorch() throws {
    let run = try LearningData.read("adamw", as: Run.self)
    let (learned, optimiser) = optimiser(run, .float32)
    #expect(run.steps.count == 50)
    var worst = 0.0
    for step in run.steps {
      for (matrix, gradient) in zip(learned, step.gradients) { matrix.gradientSum().set(gradient) }
      let norm = optimiser.gradientNorm()
      #expect(abs(norm - step.norm) <= 1e-6 * step.norm)
      optimiser.update(
        rate: run.settings.rate, weightDecay: run.settings.decay,
        gradientFactor: factor(norm, run.settings))
      for (matrix, expected) in zip(learned, step.weights) {
        #expect(matrix.gradient == nil)
        for (ours, theirs) in zip(matrix.value.values, expected) {
          worst = max(worst, abs(ours - theirs))
        }
      }
    }
    #expect(worst <= 1e-6)
    print("AdamW: 50 updates, largest difference from torch \(worst)")
  }

  /// What float32 weights become, bfloat16 ones with their remainders become too, bit for bit.
  @Test(arguments: [Numbers.bfloat16, .float32]) func shortWeightsLoseNothing(_ gradients: Numbers)
    throws
  {
    let run = try LearningData.read("adamw", as: Run.self)
    let (long, inLong) = optimiser(run, .float32)
    let (short, inShort) = optimiser(run, .bfloat16)
    for (state, matrix) in zip(inShort.states, long) { state.setMaster(matrix.value) }
    for step in run.steps {
      for index in 0..<2 {
        short[index].gradientNumbers = gradients
        let gradient = short[index].gradientSum()
        gradient.set(step.gradients[index])
        long[index].gradientSum().copy(gradient)
      }
      for optimiser in [inLong, inShort] {
        optimiser.update(
          rate: run.settings.rate, weightDecay: run.settings.decay, gradientFactor: 0.5)
      }
      for (state, matrix) in zip(inShort.states, long) {
        #expect(state.master.values == matrix.value.values)
        // A weight is the number of its type that is nearest.
        for (weight, number) in zip(state.target.value.values, matrix.value.values) {
          #expect(abs(weight - number) <= abs(number) * 0x1p-8)
        }
      }
    }
  }

  /// Changes far below a digit add up on average, where rounding to the nearest would lose them all.
  @Test(arguments: [Numbers.bfloat16, .float32]) func randomRoundingLosesNothingOnAverage(
    _ gradients: Numbers
  ) {
    let matrix = LearnedMatrix(
      "a", Matrix([Double](repeating: 1, count: 20_000), .bfloat16), isTrained: true, decays: true)
    matrix.gradientNumbers = gradients
    var settings = AdamW.Settings()
    settings.precision = .half
    let optimiser = AdamW([matrix], settings)
    #expect(optimiser.states[0].first.numbers == .bfloat16)
    for _ in 0..<100 {
      matrix.gradientSum().set([Double](repeating: 0.5, count: 20_000))
      // A gradient that is always the same moves a weight by the rate.
      optimiser.update(rate: 1e-5, weightDecay: 0)
    }
    func mean(_ matrix: Matrix) -> Double { matrix.values.reduce(0, +) / Double(matrix.count) }
    #expect(abs(mean(matrix.value) - (1 - 100e-5)) < 1e-4)
    #expect(Set(matrix.value.values).count > 1)
    let square = 0.25 * (1 - pow(0.999, 100))
    #expect(abs(mean(optimiser.states[0].second) - square) < 0.01 * square)
  }

  @Test func randomRoundingDoesNotDependOnThreads() {
    let threads = Team.size
    defer { Team.resize(threads) }
    let outcomes = [1, 2, 3].map { count in
      Team.resize(count)
      let matrix = LearnedMatrix(
        "a", Matrix(300, 300, .bfloat16), isTrained: true, decays: true)
      RandomStream(seed: 1, "a").fill(matrix.value, .normal(deviation: 1))
      var settings = AdamW.Settings()
      settings.precision = .half
      let optimiser = AdamW([matrix], settings)
      for step in 0..<3 {
        RandomStream(seed: 2, "\(step)").fill(
          matrix.gradientPlace().target, .normal(deviation: 1))
        optimiser.update(rate: 1e-3, weightDecay: 0.1)
      }
      return matrix.value.values
    }
    #expect(outcomes[0] == outcomes[1] && outcomes[0] == outcomes[2])
  }

  @Test func theNormOfGradientsDoesNotDependOnThreads() {
    let matrix = LearnedMatrix("a", Matrix(1000, 777, .float32), isTrained: true, decays: true)
    RandomStream(seed: 1, "gradient").fill(matrix.gradientPlace().target, .normal(deviation: 1))
    let optimiser = AdamW([matrix])
    let threads = Team.size
    defer { Team.resize(threads) }
    let norms = [1, 2, 3].map { count in
      Team.resize(count)
      return optimiser.gradientNorm()
    }
    #expect(Set(norms).count == 1)
    #expect(abs(norms[0] - Double(777_000).squareRoot()) < 3)
  }

  struct Case: Decodable {
    struct Settings: Decodable {
      var init_lr, max_lr, min_lr, start_wd, end_wd: Double
      var lr_warmup_steps, lr_decay_steps, wd_incr_steps, wsd_decay_steps: Int
      var lr_decay_style, wd_incr_style: String
      var lr_wsd_decay_style: String?

      var schedule: Schedule? {
        let falls: [String: Schedule.Fall] = [
          "linear": .linear, "cosine": .cosine, "exponential": .exponential,
          "minus_sqrt": .squareRoot,
        ]
        let decays: [String: Schedule.Decay] = [
          "constant": .constant, "linear": .linear, "cosine": .cosine,
          "inverse-square-root": .inverseSquareRoot,
        ]
        let fall = lr_wsd_decay_style.flatMap { falls[$0] }
        let stable = fall.map { Schedule.Decay.stable(falling: wsd_decay_steps, $0) }
        guard let decay = decays[lr_decay_style] ?? stable else { return nil }
        let growths: [String: Schedule.Growth] = [
          "constant": .constant, "linear": .linear, "cosine": .cosine,
        ]
        guard let growth = growths[wd_incr_style] else { return nil }
        var schedule = Schedule(
          decay, rate: max_lr, leastRate: min_lr, warmUp: lr_warmup_steps, length: lr_decay_steps)
        schedule.firstRate = init_lr
        schedule.startDecay = start_wd
        schedule.endDecay = end_wd
        schedule.growth = growth
        schedule.growthLength = wd_incr_steps
        return schedule
      }
    }
    var settings: Settings
    var rates, decays: [Double]
  }

  @Test func schedulesAreThoseOfMegatron() throws {
    let cases = try LearningData.read("schedules", as: [Case].self)
    #expect(cases.count == 24)
    for one in cases {
      let schedule = try #require(one.settings.schedule)
      for step in one.rates.indices {
        #expect(
          abs(schedule.rate(at: step) - one.rates[step]) <= 1e-12 * one.rates[step],
          "\(one.settings), step \(step)")
        #expect(abs(schedule.weightDecay(at: step) - one.decays[step]) <= 1e-12)
      }
    }
  }
}
