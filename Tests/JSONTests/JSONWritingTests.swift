import Foundation
import JSON
import Support
import Testing

private func fixture(_ name: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: Support.fixtures.appending(path: "json/\(name)")))
}

@Test(arguments: [
  "value.compact.json", "value.python.json", "value.python.ascii.json",
  "value.indent2.sorted.ascii.json", "value.indent4.json",
])
func everyLayoutIsByteForByteWhatPythonWrites(name: String) throws {
  // Whatever layout it is read from, the value is the same.
  let value = try JSON(parsing: try fixture("value.compact.json"))
  #expect(try JSON(parsing: try fixture(name)) == value)
  let written: [UInt8] =
    switch name {
    case "value.compact.json": value.serializedBytes()
    case "value.python.json": value.serializedBytes(.python)
    case "value.python.ascii.json": value.serializedBytes(.python, asciiOnly: true)
    case "value.indent4.json": value.serializedBytes(.indented(4))
    default: value.serializedBytes(.indented(2), sortedKeys: true, asciiOnly: true)
    }
  #expect(
    String(decoding: written, as: UTF8.self)
      == String(decoding: try fixture(name), as: UTF8.self))
  #expect(written == (try fixture(name)))
}

@Test func doublesAreReadToTheBitAndWrittenAsPythonWritesThem() throws {
  let text = try fixture("floats.json")
  let value = try JSON(parsing: text)
  let lines = String(decoding: try fixture("floats.bits.txt"), as: UTF8.self).split(separator: "\n")
  let expected = lines.compactMap { UInt64($0, radix: 16) }
  #expect(expected.count == 1500)
  #expect(value.array?.compactMap { $0.double?.bitPattern } == expected)
  #expect(value.serializedBytes(.python) == text)
}

@Test func numbersThatAreNotFiniteAreWrittenAsPythonDoes() {
  let value = JSON.array([.number(.nan), .number(.infinity), .number(-.infinity)])
  #expect(value.serialized() == "[NaN,Infinity,-Infinity]")
}
