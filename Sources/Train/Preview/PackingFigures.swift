import Console
import Data
import JSON
import Training

/// How well samples fit into packs.
struct PackingFigures {
  let size: Int
  let method: PackingMethod
  let packs: Int
  /// The tokens in them.
  let tokens: Int
  /// Samples that fit into no pack.
  let tooLong: Int

  /// - Parameter counts: the tokens of each sample, of which the last takes no room, being only predicted.
  init(_ counts: [Int], size: Int, _ method: PackingMethod) throws {
    self.size = size
    self.method = method
    let fitting = counts.filter { $0 > 0 && $0 - 1 <= size }
    tooLong = counts.count { $0 - 1 > size }
    tokens = fitting.reduce(0) { $0 + $1 - 1 }
    packs = fitting.isEmpty ? 0 : try method.packs(fitting, size: size).count
  }

  private var efficiency: Double {
    packs == 0 ? 0 : Double(tokens) / (Double(packs) * Double(size))
  }

  var facts: [(String, String)] {
    var rows = [
      (
        "packs",
        "\(Format.count(packs)) of \(Format.count(size)) tokens, \(Format.fixed(100 * efficiency, 1)) % full (\(method.rawValue))"
      )
    ]
    if tooLong > 0 {
      rows.append(("too long", "\(Format.count(tooLong, "sample")) for a pack"))
    }
    return rows
  }

  var object: JSONObject {
    [
      "size": .integer(size), "method": .string(method.rawValue), "packs": .integer(packs),
      "tokens": .integer(tokens), "efficiency": .number(efficiency), "tooLong": .integer(tooLong),
    ]
  }
}
