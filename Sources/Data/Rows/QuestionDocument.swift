import JSON

/// SQuAD's own file: articles of paragraphs of questions, in one JSON document.
enum QuestionDocument {
  /// The document's questions as rows; `nil` if it is another document.
  static func rows(_ document: JSONObject) throws(RowFault) -> [JSONObject]? {
    guard let articles = document["data"]?.array,
      articles.first?.object?["paragraphs"] != nil
    else { return nil }
    var rows: [JSONObject] = []
    for (index, article) in articles.enumerated() {
      let key = "data[\(index)]"
      let article = try RowReader.object(article, key)
      guard let paragraphs = article["paragraphs"] else {
        throw RowFault("\(key).paragraphs", "is missing")
      }
      let title = article["title"] ?? .string("")
      for (place, paragraph) in try RowReader.array(paragraphs, "\(key).paragraphs").enumerated() {
        let key = "\(key).paragraphs[\(place)]"
        rows += try questions(try RowReader.object(paragraph, key), title, key)
      }
    }
    return rows
  }

  private static func questions(
    _ paragraph: JSONObject, _ title: JSON, _ key: String
  ) throws(RowFault) -> [JSONObject] {
    guard let context = paragraph["context"], context.string != nil else {
      throw RowFault("\(key).context", "is missing or no string")
    }
    guard let questions = paragraph["qas"] else { throw RowFault("\(key).qas", "is missing") }
    var rows: [JSONObject] = []
    for (index, value) in try RowReader.array(questions, "\(key).qas").enumerated() {
      let key = "\(key).qas[\(index)]"
      let question = try RowReader.object(value, key)
      guard let asked = question["question"] else {
        throw RowFault("\(key).question", "is missing")
      }
      guard let answers = question["answers"] else {
        throw RowFault("\(key).answers", "is missing")
      }
      var texts: [JSON] = []
      var starts: [JSON] = []
      for (place, value) in try RowReader.array(answers, "\(key).answers").enumerated() {
        let key = "\(key).answers[\(place)]"
        let answer = try RowReader.object(value, key)
        guard let text = answer["text"] else { throw RowFault("\(key).text", "is missing") }
        texts.append(text)
        if let start = answer["answer_start"] { starts.append(start) }
      }
      var found: JSONObject = ["text": .array(texts)]
      if !starts.isEmpty { found["answer_start"] = .array(starts) }
      rows.append([
        "id": question["id"] ?? .null, "title": title, "context": context, "question": asked,
        "answers": .object(found),
      ])
    }
    return rows
  }
}
