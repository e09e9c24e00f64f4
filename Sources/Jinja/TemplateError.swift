/// Why a template cannot be read or rendered, and where in it.
///
/// The sentence is made in ``description``; what lies below throws only the fact, the place is added on the way up.
public struct TemplateError: Error, Equatable, Sendable {
  /// What is wrong, without the place.
  public let fact: Fact
  /// The template's name as it was given.
  public let template: String
  /// Counted from 1, in lines that end with LF, CR or CRLF; `nil` where the fault has no place in the text.
  public let line: Int?
  /// Counted from 1, in Unicode scalars.
  public let column: Int?

  /// What a template can do wrong.
  public enum Fact: Equatable, Sendable {
    case syntax(expected: String, found: String)
    case unexpectedCharacter(String)
    /// A tag that closes or continues nothing that is open, or that no one knows.
    case unknownTag(String, awaited: [String])
    /// The template ends inside of a tag or block.
    case unclosed(String)
    case badTemplate(String)
    /// What needs other files, a network, chance or an HTML page.
    case unsupported(String)
    case unknownFilter(String, near: String?)
    case unknownTest(String, near: String?)
    /// The template's own message, from `raise_exception`.
    case raised(String)
    /// A value that is not there was used as if it were.
    case undefined(String)
    /// The sandbox forbids it.
    case unsafe(String)
    case wrongType(String)
    case wrongValue(String)
    case wrongArguments(function: String, problem: String)
    case limit(String, advice: String)
  }
}

extension TemplateError: CustomStringConvertible {
  public var description: String {
    guard let line, let column else { return "\(template): \(fact)" }
    return "\(template), line \(line), column \(column): \(fact)"
  }

  /// The template's own message where `raise_exception` was called.
  public var message: String? {
    if case .raised(let message) = fact { message } else { nil }
  }
}

extension TemplateError.Fact: CustomStringConvertible {
  public var description: String {
    switch self {
    case .syntax(let expected, let found): "\(expected) is expected, \(found) is found."
    case .unexpectedCharacter(let character):
      "The character \(character) has no meaning here; check the quotes and braces before it."
    case .unknownTag(let name, let awaited) where awaited.isEmpty:
      "There is no tag “\(name)”; check its spelling, or what it should close."
    case .unknownTag(let name, let awaited):
      "The tag “\(name)” does not fit here, where \(awaited.joined(separator: " or ")) is awaited."
    case .unclosed(let what): "The template ends inside of \(what); close it."
    case .badTemplate(let problem): problem
    case .unsupported(let what): what
    case .unknownFilter(let name, let near): Self.unknown("filter", name, near)
    case .unknownTest(let name, let near): Self.unknown("test", name, near)
    case .raised(let message): "The template refuses the conversation: \(message)"
    case .undefined(let what): "\(what); check the variables given, or test it with “is defined”."
    case .unsafe(let what): "\(what), which templates may not use."
    case .wrongType(let problem), .wrongValue(let problem): problem
    case .wrongArguments(let function, let problem): "\(function): \(problem)."
    case .limit(let what, let advice): "\(what). \(advice)"
    }
  }

  private static func unknown(_ kind: String, _ name: String, _ near: String?) -> String {
    "There is no \(kind) “\(name)”" + (near.map { "; did you mean “\($0)”?" } ?? ".")
  }
}

/// A fact on its way to a place: what is thrown inside of this room.
struct Fault: Error {
  let fact: TemplateError.Fact
  /// The byte of the normalised source that it is about.
  var offset: Int?

  init(_ fact: TemplateError.Fact, at offset: Int? = nil) {
    self.fact = fact
    self.offset = offset
  }

  static func type(_ problem: String) -> Fault { Fault(.wrongType(problem)) }
  static func value(_ problem: String) -> Fault { Fault(.wrongValue(problem)) }
  static func arguments(_ function: String, _ problem: String) -> Fault {
    Fault(.wrongArguments(function: function, problem: problem))
  }
}
