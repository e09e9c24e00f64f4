import Foundation
import Support
import Testing

@testable import MegatronFormat

/// Megatron's cached plans in `.metadata` are checked but not kept; whatever they hold, what is read
/// is the same.
@Suite struct SkippedPlansTests {
  static let file = "formats/td_gpt_tp2_pp2/iter_0000010/.metadata"

  private func bytes() throws -> [UInt8] { try Pickles.bytes(Self.file) }

  private func read(_ bytes: [UInt8]) throws -> DistributedMetadata {
    try DistributedMetadata(decoding: bytes, file: "test")
  }

  /// The object tree of an example with plans, to be changed.
  private func tree() throws -> (value: PickleValue, root: PickleDictionary) {
    let value = try Unpickler.load(bytes(), policy: .metadata)
    let root = try #require(value.object?.state?.dictionary)
    #expect(root.items.last?.key.string == "all_local_plans")
    return (value, root)
  }

  /// How many objects are kept of a pickle.
  private func kept(_ bytes: [UInt8], ignoring field: String = "all_local_plans") throws -> Int {
    try Unpickler.arena(bytes, policy: .metadata, ignoring: field).objects.count
  }

  @Test func plansAreNotKeptWhereTheyAreTheLastField() throws {
    let all = try kept(bytes(), ignoring: "no such field")
    #expect(try kept(bytes()) * 3 < all * 2)
  }

  @Test func aCheckpointIsTheSameWithAndWithoutItsPlans() throws {
    let (value, root) = try tree()
    root.items.removeLast()
    #expect(try read(bytes()) == read(Pickler.dump(value, protocol: 4)))
  }

  /// The plans share their chunks with the tensors, so that here the tensors refer into the plans.
  @Test func plansThatComeFirstAreReadWhole() throws {
    let (value, root) = try tree()
    root.items.insert(root.items.removeLast(), at: 0)
    let moved = Pickler.dump(value, protocol: 4)
    #expect(try kept(moved) == kept(moved, ignoring: "no such field"))
    #expect(try read(moved) == read(bytes()))
  }

  @Test func aFieldBehindThePlansIsRead() throws {
    let (value, root) = try tree()
    let index = try #require(root.items.firstIndex { $0.key.string == "storage_data" })
    root.items.append(root.items.remove(at: index))
    #expect(try read(Pickler.dump(value, protocol: 4)) == read(bytes()))
  }

  @Test func aSecondFieldOfPlansChangesNothing() throws {
    let (value, root) = try tree()
    root.items.append((.string("all_local_plans"), .list(PickleList([.integer(7)]))))
    #expect(try read(Pickler.dump(value, protocol: 4)) == read(bytes()))
  }

  @Test func aForbiddenFunctionInThePlansIsRefusedWithItsPlace() throws {
    let (value, root) = try tree()
    let call = PickleObject(module: "os", name: "system", arguments: [.string("true")])
    root.items.last?.value.list?.items.append(.object(call))
    let spoilt = Pickler.dump(value, protocol: 4)
    let error = #expect(throws: MegatronError.self) { try read(spoilt) }
    guard case .pickle(_, .forbiddenGlobal("os", "system", let offset)) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(spoilt[offset] == PickleOpcode.stackGlobal.rawValue)
  }

  @Test func plansCutShortAreRefused() throws {
    let bytes = try bytes()
    let name = Array("all_local_plans".utf8)
    let start = try #require(
      (0..<bytes.count - name.count).first { bytes[$0..<$0 + name.count].elementsEqual(name) })
    for end in stride(from: start, to: bytes.count, by: 97) {
      #expect(throws: MegatronError.self) { try read(Array(bytes[..<end])) }
    }
  }

  /// `Metadata` whose state is `{'a': [], 'all_local_plans': …}`, with the list under memo 1.
  private func metadata(plans: String, end: String = "ub.") -> [UInt8] {
    Pickles.raw(
      "\u{80}\u{4}ctorch.distributed.checkpoint.metadata\nMetadata\n)\u{81}}q\u{0}(\u{8C}\u{1}a]q\u{1}"
        + "\u{8C}\u{F}all_local_plans" + plans + end)
  }

  @Test(arguments: [
    // The plans put something into a list outside: as their value, and beside it.
    ("h\u{1}K\u{5}a", "ub.", "{'a': [5], 'all_local_plans': [5]}"),
    ("]h\u{1}]K\u{7}aa0", "ub.", "{'a': [[7]], 'all_local_plans': []}"),
    // Something outside takes a list of the plans.
    (
      "]q\u{2}K\u{5}a", "uh\u{0}\u{8C}\u{1}bh\u{2}s0b.",
      "{'a': [], 'all_local_plans': [5], 'b': [5]}"
    ),
    // Something follows the plans in the same dictionary.
    ("]K\u{5}a", "\u{8C}\u{1}b]K\u{6}aub.", "{'a': [], 'all_local_plans': [5], 'b': [6]}"),
    // The plans are all there is left of the object.
    ("]K\u{5}a", "1\u{8C}\u{1}b]K\u{6}asb.", "{'b': [6]}"),
  ])
  func plansThatMeetTheRestAreReadAsByPython(plans: String, end: String, state: String) throws {
    let arena = try Unpickler.arena(
      metadata(plans: plans, end: end), policy: .metadata, ignoring: "all_local_plans")
    #expect(
      Pickles.text(arena.value())
        == "torch.distributed.checkpoint.metadata.Metadata:newObject()<\(state)>")
  }

  @Test func whatIsMalformedInThePlansIsRefusedAsEverywhere() {
    let start = metadata(plans: "", end: "").count
    let cases: [(plans: String, end: String, error: PickleError)] = [
      (
        "K\u{1}K\u{2}a", "ub.",
        .unexpected("APPEND works on something other than a list", offset: start + 4)
      ),
      ("]h\u{9}a", "ub.", .unknownMemo(index: 9, offset: start + 1)),
      ("]", "ub.N", .trailingBytes(offset: start + 4, count: 1)),
      ("]", "ub", .missingStop(offset: start + 3)),
    ]
    for (plans, end, error) in cases {
      #expect(throws: error) {
        _ = try Unpickler.arena(
          metadata(plans: plans, end: end), policy: .metadata, ignoring: "all_local_plans"
        ).end
      }
    }
  }
}
