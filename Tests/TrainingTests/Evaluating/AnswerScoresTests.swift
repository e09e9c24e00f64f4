import Foundation
import Support
import Testing

@testable import Training

/// Answers get the marks of SQuAD's official script.
@Suite struct AnswerScoresTests {
  private struct Case: Decodable {
    var said: String
    var answers: [String]
    var words: [String]
    var exact: Bool
    var f1: Double
  }

  @Test func theMarksAreTheOfficialScripts() throws {
    let file = Support.fixtures.appending(path: "answers/cases.json")
    let cases = try JSONDecoder().decode([Case].self, from: Data(contentsOf: file))
    var scores = AnswerScores()
    for test in cases {
      let words = AnswerScores.words(test.said)
      #expect(words == test.words.map { Array($0.utf8) }, "\(test.said.debugDescription)")
      let mark = scores.add(test.said, answers: test.answers)
      #expect(mark.isExact == test.exact, "\(test.said.debugDescription) \(test.answers)")
      #expect(mark.f1 == test.f1, "\(test.said.debugDescription) \(test.answers)")
    }
    #expect(cases.count >= 100 && scores.count == cases.count)
    let exact = cases.count { $0.exact }
    #expect(scores.exactMatch == 100 * Double(exact) / Double(cases.count))
    #expect(scores.f1 == 100 * cases.reduce(0) { $0 + $1.f1 } / Double(cases.count))
  }

  @Test func aQuestionWithoutAnswersWantsNone() {
    #expect(AnswerScores.mark("", answers: []) == .init(isExact: true, f1: 1))
    #expect(AnswerScores.mark("The.", answers: []) == .init(isExact: true, f1: 1))
    #expect(AnswerScores.mark("Denver", answers: []) == .init(isExact: false, f1: 0))
  }

  @Test func nothingToMarkIsNothing() {
    #expect(AnswerScores().exactMatch == 0 && AnswerScores().f1 == 0)
  }
}
