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
    guard !fitting.isEmpty else {
      packs = 0
      return
    }
    var random = NumPyRandom(seed: 0)
    switch method {
    case .sequential: packs = Self.sequential(fitting, size)
    case .firstFitDecreasing:
      packs = try Packing(
        counts: fitting, size: size, method: .firstFitDecreasing, random: &random
      ).packs.count
    case .firstFitShuffle:
      packs = try Packing(
        counts: fitting, size: size, method: .firstFitShuffle, random: &random
      ).packs.count
    case .bestFit:
      packs = try Packing(counts: fitting, size: size, method: .bestFit, random: &random)
        .packs.count
    }
  }

  /// The packs of `SequentialPacking`, for which their number needs no tokens.
  private static func sequential(_ counts: [Int], _ size: Int) -> Int {
    var packs = 1
    var filled = 0
    for count in counts {
      if filled + count - 1 > size {
        packs += 1
        filled = 0
      }
      filled += count - 1
    }
    return packs
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
