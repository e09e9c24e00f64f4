/// A piece of a template: text, the border of a tag, or what stands in one.
struct Token {
  enum Kind: Equatable {
    case text(Text)
    case blockBegin, blockEnd, variableBegin, variableEnd
    case name(String)
    case string(Text)
    case integer(Int)
    case float(Double)
    case symbol(String)
    case end
  }

  let kind: Kind
  /// The byte of the normalised source where it starts.
  let offset: Int

  /// What a reader would call it.
  var description: String {
    switch kind {
    case .text: "text"
    case .blockBegin: "“{%”"
    case .blockEnd: "the end of the tag, “%}”"
    case .variableBegin: "“{{”"
    case .variableEnd: "the end of the expression, “}}”"
    case .name(let name): "“\(name)”"
    case .string: "a string"
    case .integer, .float: "a number"
    case .symbol(let symbol): "“\(symbol)”"
    case .end: "the end of the template"
    }
  }
}
