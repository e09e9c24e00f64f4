import JSON
import Testing

/// Small objects are searched member by member, large ones by an index: both must behave alike.
@Test(arguments: [3, 8, 9, 40])
func membersAreFoundReplacedAndRemovedAtAnySize(count: Int) {
  var object = JSONObject()
  var keys = (0..<count).map { "key \($0)" }
  for (number, key) in keys.enumerated() { object[key] = .integer(number) }
  #expect(object.keys == keys)
  object[keys[1]] = .bool(true)
  #expect(object.keys == keys)
  #expect(object[keys[1]] == .bool(true))
  object["missing"] = nil
  object[keys[0]] = nil
  object[keys[2]] = nil
  keys.removeAll { $0 == "key 0" || $0 == "key 2" }
  #expect(object.keys == keys)
  #expect(object.count == count - 2)
  #expect(object["key 0"] == nil)
  for key in keys.dropFirst() { #expect(object[key] == .integer(Int(key.dropFirst(4)) ?? -1)) }
  object["key 0"] = .null
  #expect(object.members.map(\.key) == keys + ["key 0"])
  #expect(object.members.last?.value == .null)
}

@Test func objectsAreEqualInWhateverOrder() {
  let one: JSONObject = ["a": .integer(1), "b": .integer(2)]
  let other: JSONObject = ["b": .integer(2), "a": .integer(1)]
  #expect(one == other)
  #expect(one.hashValue == other.hashValue)
  #expect(one != ["a": .integer(1), "b": .integer(3)])
  #expect(one != ["a": .integer(1), "c": .integer(2)])
  #expect(one != ["a": .integer(1)])
}
