import JSON

/// A rendered text, with the parts that an assistant wrote.
public struct Rendering: Sendable, Equatable {
  public var text: String
  /// The bytes of the text's UTF-8 that stand between `{% generation %}` and `{% endgeneration %}`.
  public var generated: [Range<Int>]

  public init(text: String, generated: [Range<Int>] = []) {
    self.text = text
    self.generated = generated
  }
}
