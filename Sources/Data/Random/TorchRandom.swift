/// PyTorch's generator on the CPU, as far as samplers draw with it.
public struct TorchRandom: Sendable {
  private var generator: MersenneTwister

  /// `torch.Generator().manual_seed(seed)`: only the low 32 bits count.
  public init(seed: UInt64) { generator = MersenneTwister(seed: UInt32(truncatingIfNeeded: seed)) }

  /// `torch.randperm(count, generator=g)`.
  ///
  /// Source: `randperm_cpu` in ATen/native/TensorFactories.cpp. Where `count` is not small beside 2^32 it
  /// draws 64 bits at a time and shuffles from the inside out.
  public mutating func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    guard count > 1 else { return order }
    var state = generator
    var span = order.mutableSpan
    if count < Int(UInt32.max / 20) {
      for index in 0..<count - 1 {
        span.swapAt(index, index + Int(UInt64(state.next()) % UInt64(count - index)))
      }
    } else {
      for index in 0..<count {
        span.swapAt(index, Int(state.next64() % UInt64(index + 1)))
      }
    }
    generator = state
    return order
  }
}
