import JSON

/// What a model is asked a question with: the tokens before the answer.
public struct AnswerPrompt: Sendable, Equatable {
  public var tokens: [Int32]
  /// Whether an answer ends with its line: where what is trained so does not learn to end otherwise.
  public var endsWithLine: Bool
}

/// A question that a model is asked, and the answers that count as right.
public struct AskedQuestion: Sendable, Equatable {
  public var id: String?
  public var answers: [String]
  public var prompt: AnswerPrompt
}

extension SampleMaker {
  /// A question's row, asked with the tokens that stand before the answer in what is trained on.
  ///
  /// - Throws: `DataError`, with the row's place.
  func asked(_ rows: Rows, _ index: Int) throws(DataError) -> AskedQuestion {
    guard case .question(let question) = try rows.example(index) else {
      throw .wish("Only rows of questions with a context have answers to be compared.")
    }
    return AskedQuestion(
      id: question.id, answers: question.answers, prompt: try prompt(question, rows, index))
  }

  private func prompt(
    _ question: Question, _ rows: Rows, _ index: Int
  ) throws(DataError) -> AnswerPrompt {
    do throws(RowFaultOrData) {
      guard options.style == .automodel else {
        let values = ["input": question.bridgePrompt]
        return AnswerPrompt(
          tokens: try filledPrompt(values, { () throws(DataError) in try rows.row(index) }),
          endsWithLine: true)
      }
      guard let template else {
        do throws(DataError) {
          return AnswerPrompt(
            tokens: try Self.prompt(question.automodelPrompt, tokenizer), endsWithLine: true)
        } catch { throw .data(error) }
      }
      return AnswerPrompt(
        tokens: try Self.prompt(question.automodelPrompt, template, tokenizer), endsWithLine: false)
    } catch {
      switch error {
      case .row(let fault): throw .row(try rows.place(index), fault)
      case .data(.template(let error)): throw .inRow(try rows.place(index), "\(error)")
      case .data(let error): throw error
      }
    }
  }

  /// The tokens of a plain prompt, without those that an answer would change: a space at the end mostly belongs
  /// to the word that follows it.
  private static func prompt(
    _ text: String, _ tokenizer: any TextTokenizer
  ) throws(DataError) -> [Int32] {
    let alone = try tokenizer.tokens(text, addsSpecialTokens: true)
    let followed = try tokenizer.tokens(text + "x", addsSpecialTokens: true)
    let shared = zip(alone, followed).prefix { $0 == $1 }.count
    return shared > 0 ? Array(alone[..<shared]) : alone
  }

  /// The tokens of a prompt as a user's message, up to where the answer begins.
  private static func prompt(
    _ text: String, _ template: ChatTemplate, _ tokenizer: any TextTokenizer
  ) throws(RowFaultOrData) -> [Int32] {
    let message: JSONObject = ["role": .string("user"), "content": .string(text)]
    do throws(DataError) {
      let rendered = try template.render([message], addsGenerationPrompt: true)
      return try tokenizer.tokens(rendered.text)
    } catch { throw .data(error) }
  }
}
