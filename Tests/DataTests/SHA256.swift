/// SHA-256 in hexadecimal digits, for expected values that are too long to keep.
func sha256(_ bytes: [UInt8]) -> String {
  // The first 32 bits of the fraction of a root, by bisection in whole numbers.
  func root(_ prime: Int, power: Int) -> UInt32 {
    var (low, high) = (UInt128(0), UInt128(1) << 36)
    while low + 1 < high {
      let middle = (low + high) / 2
      let product = power == 3 ? middle * middle * middle : middle * middle
      if product <= UInt128(prime) << (32 * UInt128(power)) { low = middle } else { high = middle }
    }
    return UInt32(truncatingIfNeeded: low)
  }
  let primes = (2..<312).filter { number in (2..<number).allSatisfy { number % $0 != 0 } }
  let constants = primes.map { root($0, power: 3) }
  var state = primes.prefix(8).map { root($0, power: 2) }
  var message = bytes + [0x80]
  message += Array(repeating: 0, count: (120 - message.count % 64) % 64)
  message += (0..<8).map { UInt8(truncatingIfNeeded: (bytes.count * 8) >> (56 - 8 * $0)) }
  func turned(_ word: UInt32, _ count: UInt32) -> UInt32 { word >> count | word << (32 - count) }
  for start in stride(from: 0, to: message.count, by: 64) {
    var words = (0..<16).map { index in
      (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(message[start + 4 * index + $1]) }
    }
    for index in 16..<64 {
      let (early, late) = (words[index - 15], words[index - 2])
      let small = turned(early, 7) ^ turned(early, 18) ^ early >> 3
      let large = turned(late, 17) ^ turned(late, 19) ^ late >> 10
      words.append(words[index - 16] &+ small &+ words[index - 7] &+ large)
    }
    var v = state
    for index in 0..<64 {
      let choice = v[4] & v[5] ^ ~v[4] & v[6]
      let first = turned(v[4], 6) ^ turned(v[4], 11) ^ turned(v[4], 25)
      let sum = v[7] &+ first &+ choice &+ constants[index] &+ words[index]
      let most = v[0] & v[1] ^ v[0] & v[2] ^ v[1] & v[2]
      let second = turned(v[0], 2) ^ turned(v[0], 13) ^ turned(v[0], 22)
      v = [sum &+ second &+ most, v[0], v[1], v[2], v[3] &+ sum, v[4], v[5], v[6]]
    }
    for index in 0..<8 { state[index] &+= v[index] }
  }
  return state.map { word in
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }.joined()
}
