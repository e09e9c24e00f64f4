import JSON

/// How much a template may do before it is stopped, whatever it says and is given.
public struct Limits: Sendable, Equatable {
  /// Expressions evaluated, elements gone through, and 64 bytes of text made, each counted as one.
  public var steps = 20_000_000
  /// Macros, loops, tags and expressions in one another.
  public var depth = 1000
  /// Bytes of a text while it is made, the rendered one included.
  public var bytes = 64 << 20

  public init() {}
}

/// A chat template, read once and rendered as often as needed.
///
/// Behaves as transformers' environment for chat templates does: jinja2's immutable sandbox with trim_blocks,
/// lstrip_blocks, loop controls and the tag `generation`. A template sees the variables it is given and
/// nothing else; it changes none of them.
public struct Template: Sendable {
  public let name: String
  /// The text it was read from.
  public let source: String
  private let program: Sealed

  /// A program that no one changes any more, so that threads may share it.
  ///
  /// The parser and the resolver fill it in before it comes here; rendering only reads it.
  private final class Sealed: @unchecked Sendable {
    let program: Program
    let source: [UInt8]

    init(_ program: Program, _ source: [UInt8]) {
      self.program = program
      self.source = source
    }
  }

  /// Reads a template.
  ///
  /// - Parameters:
  ///   - source: its text.
  ///   - name: what errors call it, such as the name of its file.
  public init(_ source: String, name: String = "chat template") throws(TemplateError) {
    self.name = name
    self.source = source
    let bytes = Array(source.utf8)
    do throws(Fault) {
      let (body, source) = try Parser.statements(bytes)
      do throws(Fault) {
        program = Sealed(try Resolver.program(body), source)
      } catch {
        throw Fault(error.fact, at: error.offset)
      }
    } catch {
      throw TemplateError(error, name, Lexer(bytes).source)
    }
  }

  /// Renders the template with some variables.
  ///
  /// - Parameters:
  ///   - now: what `strftime_now` takes for the present; the machine's local time where it is absent.
  public func render(
    _ variables: JSONObject, now: LocalTime? = nil, limits: Limits = Limits()
  ) throws(TemplateError) -> Rendering {
    do throws(Fault) {
      return try Renderer(program.program, Mapping(variables), now: now, limits: limits).run()
    } catch {
      throw TemplateError(error, name, program.source)
    }
  }
}

extension TemplateError {
  /// Finds the line and column of a fault.
  init(_ fault: Fault, _ template: String, _ source: [UInt8]) {
    fact = fault.fact
    self.template = template
    guard let offset = fault.offset, offset <= source.count else {
      line = nil
      column = nil
      return
    }
    let before = source[..<offset]
    let start = before.lastIndex(of: Byte.newline).map { $0 + 1 } ?? 0
    line = before.count { $0 == Byte.newline } + 1
    column = before[start...].count { $0 & 0xC0 != 0x80 } + 1
  }
}
