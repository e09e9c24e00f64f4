import Checkpoints
import JSON
import Tensors

/// Which adapters a model holds: a small file beside its weights, so that none is merged twice.
struct MergeRecord {
  static let name = "merged_adapters.json"

  private var entries: [JSON]

  /// Reads every number of the adapters once.
  ///
  /// - Throws: `AdapterError.notFinite`; `.alreadyMerged` if the base's record has one of them.
  init(
    _ adapters: [WeightedAdapter], into base: BaseModel, allowsNonFinite: Bool
  ) throws {
    entries = Self.entries(in: base.place)
    let known = Set(entries.compactMap { $0.object?["digest"]?.string })
    for weighted in adapters {
      let digest = try Self.digest(weighted.adapter, allowsNonFinite: allowsNonFinite)
      guard !known.contains(digest) else {
        throw AdapterError.alreadyMerged(base: base.place, adapter: weighted.adapter.source)
      }
      entries.append(
        .object(
          JSONObject([
            "adapter": .string(Folder.name(weighted.adapter.source)),
            "weight": .number(weighted.weight), "digest": .string(digest),
          ])))
    }
  }

  var encoded: [UInt8] {
    JSON.object(JSONObject(["adapters": .array(entries)])).serializedBytes(.indented(2))
      + [UInt8(ascii: "\n")]
  }

  private static func entries(in folder: String) -> [JSON] {
    for place in [folder, Folder.parent(folder)] {
      if let bytes = try? InputFile("\(place)/\(name)").readAll(),
        let object = try? JSON(parsing: bytes).object
      {
        return object["adapters"]?.array ?? []
      }
    }
    return []
  }

  /// A number for the adapter's tensors, names and bits.
  private static func digest(_ adapter: Adapter, allowsNonFinite: Bool) throws -> String {
    var sum: UInt32 = 0
    var count = 0
    var seen: Set<String> = []
    for name in adapter.changes.keys.sorted() {
      for factor in (adapter.changes[name] ?? []).flatMap(\.factors)
      where seen.insert("\(name) \(factor.name)").inserted {
        let values = try factor.runs().floats(dtype: factor.dtype)
        if !allowsNonFinite, let bad = values.first(where: { !$0.isFinite }) {
          throw AdapterError.notFinite(
            source: adapter.source, tensor: factor.name, value: bad.isNaN ? "NaN" : "infinity")
        }
        sum = crc32(Array(name.utf8), continuing: sum)
        sum = crc32(values, continuing: sum)
        count += values.count
      }
    }
    let digits = String(sum, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits + "-\(count)"
  }
}

extension Change {
  /// The tensors it is made of.
  var factors: [Factor] {
    switch kind {
    case .lowRank(let change): [change.a, change.b] + (change.magnitude.map { [$0] } ?? [])
    case .addition(let factor, _), .replacement(let factor): [factor]
    }
  }
}
