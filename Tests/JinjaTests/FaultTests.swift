import JSON
import Testing

@testable import Jinja

@Suite("Faults of templates") struct FaultTests {
  func error(_ source: String, _ variables: JSONObject = [:]) throws -> TemplateError {
    switch outcome(source, variables) {
    case .success(let rendering):
      throw Unexpected(text: rendering.text)
    case .failure(let error): return error
    }
  }

  struct Unexpected: Error { let text: String }

  @Test("are told with line and column, counted in characters behind any line end")
  func places() throws {
    let inExpression = try error("a\r\nb\n  é{{ x.y }}")
    #expect(inExpression.line == 3 && inExpression.column == 9)
    let inTag = try error("{% if 1 %}\n{% endfor %}")
    #expect(inTag.line == 2 && inTag.column == 4)
    #expect(inTag.description.contains("“endfor” does not fit here, where elif or else or endif"))
    let open = try error("x\n{% for i in [1] %}\n")
    #expect(open.description.contains("ends inside of the tag “for”"))
    let nested = try error("{% macro m(x) %}\n{{ x.a.b }}{% endmacro %}{{ m(1) }}")
    #expect(nested.line == 2 && nested.column == 8)
  }

  @Test("carry the template's own message")
  func raised() throws {
    let error = try error(
      "{{ raise_exception('Roles must alternate: ' ~ r) }}", ["r": .string("x")])
    #expect(error.message == "Roles must alternate: x")
    #expect(error.description.contains("Roles must alternate: x"))
  }

  @Test("name the nearest filter and test")
  func nearest() throws {
    #expect(try error("{{ 1 | tojsn }}").fact == .unknownFilter("tojsn", near: "tojson"))
    #expect(try error("{{ 1 is definde }}").fact == .unknownTest("definde", near: "defined"))
  }

  @Test(
    "of the sandbox: nothing inside of values is reached",
    arguments: [
      "{{ ''.__class__.__mro__ }}", "{{ [].append(1) }}", "{{ {}.update({'a': 1}) }}",
      "{{ {}.pop('a') }}", "{{ ''['__class__']['__base__'] }}", "{{ '{0.__class__.x}'.format(1) }}",
      "{{ ''|attr('__class__')|attr('x') }}", "{% set ns = namespace(_a=1) %}",
      "{{ cycler.__init__.__globals__ }}", "{{ self.__init__.x }}", "{{ dict.__subclasses__() }}",
    ])
  func sandbox(source: String) throws {
    _ = try error(source)
  }

  @Test(
    "of size are refused within the limits",
    arguments: [
      "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}",
      "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}",
      "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
      "{% block a %}{{ self.a() }}{% endblock %}",
      "{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns }}",
      "{% set ns = namespace(a=[]) %}{% for i in range(9000) %}{% set ns.a = [ns.a] %}{% endfor %}",
      "{% set ns = namespace(a=[1]) %}{% for i in range(9000) %}{% set ns.a = ns.a|select %}{% endfor %}",
      "{% set ns = namespace(a='x') %}{% for i in range(99) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}",
      "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
      "{{ 'x' * 1000000000000 }}", "{{ [1] * 10000000000 }}", "{{ '%999999999d' % 1 }}",
      "{{ '{:99999999999}'.format(1) }}", "{{ 'x'.center(99999999999) }}",
      "{{ '%.999999999f' % 1 }}",
      "{{ 2 ** 9999999 }}", "{{ 9223372036854775807 + 1 }}", "{{ -(-9223372036854775807 - 1) }}",
      "{{ (-9223372036854775807 - 1) // -1 }}", "{{ 99999999999999999999 }}",
      "{{ 'a'|indent(9999999999) }}",
      "{{ range(100001) }}", "{{ range(-9223372036854775807, 9223372036854775807) }}",
      "{{ 'a'.replace('', 'b' * 1000000).replace('', 'b' * 100000) }}",
      "{{ [1]|batch(9223372036854775807, 1)|list }}", "{{ [1]|slice(9223372036854775807)|list }}",
      "{{ '\\t'.expandtabs(9223372036854775807) }}",
    ])
  func limits(source: String) throws {
    var limits = Limits()
    limits.steps = 1_000_000
    limits.bytes = 1 << 20
    #expect(throws: TemplateError.self) { try Template(source).render([:], limits: limits) }
  }

  @Test(
    "of nesting are refused before anything is rendered",
    arguments: [
      String(repeating: "{% if 1 %}", count: 5000), "{{ " + String(repeating: "(", count: 5000),
      "{{ " + String(repeating: "[", count: 5000), "{{ " + String(repeating: "not ", count: 5000),
      "{{ " + String(repeating: "-", count: 5000),
      "{{ 1" + String(repeating: "+1", count: 5000) + " }}",
      "{{ 1" + String(repeating: "|abs", count: 5000) + " }}",
      "{{ a" + String(repeating: ".b", count: 5000) + " }}",
      "{{ 1" + String(repeating: " if 1 else 1", count: 5000) + " }}",
      "{{ " + String(repeating: "{1:", count: 5000),
      "{% set " + String(repeating: "(", count: 5000),
      "{{ 1" + String(repeating: " is in [1", count: 5000),
    ])
  func nesting(source: String) throws {
    #expect(throws: TemplateError.self) { try Template(source) }
  }

  /// Changes templates at random, the same way each time: none of them may end the program.
  @Test("of any kind end in a text or an error")
  func mutations() throws {
    let variables = try sampleVariables()
    let sources = try rows(templates.appending(path: "cases.jsonl"))
      .compactMap { $0["template"]?.string }.map { Array($0.utf8) }
    var state: UInt64 = 42
    func random(_ count: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(max(1, count)))
    }
    var limits = Limits()
    limits.steps = 20_000
    limits.bytes = 1 << 16
    let words = [
      "{{", "}}", "{%", "%}", "endfor", "(", ")", "|", ".", "9223372036854775807", "''", "{#",
    ]
    var accepted = 0
    for _ in 0..<2000 {
      var bytes = sources[random(sources.count)]
      for _ in 0...random(3) {
        let place = random(bytes.count)
        switch random(4) {
        case 0 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8(random(8))
        case 1: bytes.insert(contentsOf: words[random(words.count)].utf8, at: place)
        case 2: bytes = Array(bytes[..<place]) + sources[random(sources.count)]
        default: if !bytes.isEmpty { bytes.remove(at: place) }
        }
      }
      do throws(TemplateError) {
        _ = try Template(String(decoding: bytes, as: UTF8.self)).render(variables, limits: limits)
        accepted += 1
      } catch {
        #expect(!error.description.isEmpty)
      }
    }
    #expect(accepted > 200)
  }
}

@Suite("Times") struct TimeTests {
  @Test("are read from ISO's notation, and nothing else is")
  func reading() {
    for text in ["2026-01-02", "2026-01-02T03:04", "2024-02-29 23:59:59", "2026-01-02T03:04:05.25"]
    {
      #expect(LocalTime(iso: text) != nil)
    }
    for text in [
      "", "2026", "2026-13-01", "2025-02-29", "2026-01-02T", "2026-01-02T25:00",
      "2026-01-02T03:04:05Z", "x-y-z",
    ] {
      #expect(LocalTime(iso: text) == nil)
    }
    #expect(LocalTime(iso: "2026-01-02T03:04") == LocalTime(iso: "2026-01-02 03:04:00"))
  }
}
