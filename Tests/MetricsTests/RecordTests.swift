import Metrics
import Testing

@Suite struct RecordTests {
  @Test("perplexity is e to the loss, and speed counts all tokens")
  func derived() {
    var validation = ValidationRecord()
    validation.loss = 0
    #expect(validation.perplexity == 1)
    var step = StepRecord()
    step.tokens = 300
    #expect(step.tokensPerSecond == 0)
    step.seconds = 2
    #expect(step.tokensPerSecond == 150)
  }
}
