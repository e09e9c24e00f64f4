import Console
import Metrics
import Testing

@testable import Train

@Suite("What a terminal shows of a run")
struct RunViewTests {
  private func block(_ steps: Int, of last: Int?, hasColour: Bool = false) -> LiveBlock {
    var description = RunDescription(name: "run", folder: "/tmp")
    description.lastStep = last
    var tally = RunTally()
    for step in stride(from: 1, through: steps, by: 1) {
      var record = StepRecord()
      record.step = step
      record.loss = 10 / Double(step)
      record.gradientNorm = 1.25
      record.rate = 9.8e-5
      record.tokens = 4096
      record.seconds = 2
      record.memory = 1_500_000_000
      tally.add(record)
    }
    var validation = ValidationRecord()
    validation.loss = 1.5
    validation.step = steps
    return LiveBlock(
      tally: tally, description: description, seconds: 65, validation: steps > 3 ? validation : nil,
      hasColour: hasColour)
  }

  @Test(
    "no line is wider than the terminal, however narrow it is",
    arguments: [0, 1, 2, 7, 20, 39, 40, 60, 79, 80, 132, 400])
  func widths(width: Int) {
    for steps in [0, 1, 2, 50, 1_000_000 / 1000] {
      for last in [nil, 0, 1, 1000, 10_000_000] {
        let lines = block(steps, of: last).lines(width: width)
        #expect(lines.count == 3)
        #expect(lines.allSatisfy { $0.count <= width })
      }
    }
  }

  @Test("it says how far the run is, its numbers and its losses")
  func content() {
    let lines = block(420, of: 1000).lines(width: 100)
    #expect(lines[0].hasPrefix("━━━"))
    #expect(lines[0].hasSuffix("42 %  step 420/1,000  epoch 0  1:05, 19:20 left"))
    #expect(lines[1].contains("grad norm 1.250   lr 9.80e-05   tokens/s 2,048   memory 1.50 GB"))
    #expect(lines[2].hasPrefix("█"))
    #expect(lines[2].hasSuffix("10.00 → 0.02   validation 1.5000 at step 420"))
  }

  @Test("colours change nothing but the colours")
  func colours() {
    for width in [10, 40, 100] {
      let plain = block(30, of: 60).lines(width: width)
      let coloured = block(30, of: 60, hasColour: true).lines(width: width)
      let escape = /\u{1B}\[[0-9]*m/
      #expect(coloured.map { $0.replacing(escape, with: "") } == plain)
      #expect(coloured != plain)
      #expect(!plain.joined().contains("\u{1B}"))
    }
  }

  @Test("a block that a narrower window broke into more rows is taken away whole")
  func resized() {
    var drawn = [79, 60, 10]
    #expect(RunView.erasing(&drawn, width: 80) == "\r\u{1B}[2A\u{1B}[J")
    #expect(drawn.isEmpty)
    #expect(RunView.erasing(&drawn, width: 80) == "")
    drawn = [79, 60, 10]
    #expect(RunView.erasing(&drawn, width: 40) == "\r\u{1B}[4A\u{1B}[J")
    drawn = [0]
    #expect(RunView.erasing(&drawn, width: 40) == "\r\u{1B}[J")
  }

  @Test("lines are those that Automodel's users know")
  func lines() {
    var step = StepRecord()
    step.step = 4
    step.loss = 1.55139
    step.gradientNorm = 102
    step.rate = 1e-5
    step.memory = 12_519_824_588
    step.tokens = 13_849
    step.seconds = 2
    #expect(
      PlainLines.line(step)
        == "step 4 | epoch 0 | loss 1.5514 | grad_norm 102.0000 | lr 1.00e-05 | mem: 11.66 GiB | tps 6924.50"
    )
    var validation = ValidationRecord()
    validation.step = 20
    validation.loss = 0.24691
    #expect(PlainLines.line(validation) == "[val] step 20 | epoch 0 | loss 0.2469 | ppl 1.2801")
  }

  @Test(
    "numbers are rounded as printf does", arguments: [0.0, 1e-5, 9.996e-4, 1.2345e17, -2.5e-8, 3])
  func exponents(value: Double) {
    let expected = ["0.00e+00", "1.00e-05", "1.00e-03", "1.23e+17", "-2.50e-08", "3.00e+00"]
    let values = [0.0, 1e-5, 9.996e-4, 1.2345e17, -2.5e-8, 3]
    #expect(PlainLines.exponential(value) == values.firstIndex(of: value).map { expected[$0] })
  }
}
