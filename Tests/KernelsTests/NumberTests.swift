import CKernels
import Foundation
import Kernels
import Testing

/// Functions of one number, held against the C library in double, and roundings against their rule.
struct NumberTests {
  /// Floats of both signs over the whole of a range of magnitudes, evenly by their bits.
  private func sweep(from lowest: Float, to highest: Float) -> [Float] {
    stride(from: lowest.bitPattern, through: highest.bitPattern, by: 9973)
      .flatMap { [Float(bitPattern: $0), -Float(bitPattern: $0)] }
  }

  private func row(_ values: [Float]) -> Matrix { Matrix(values.map(Double.init), .float32) }

  private func activated(_ kind: activation_kind, _ x: Matrix) -> Matrix {
    let y = Matrix(1, x.columns, x.numbers)
    activation_forward(
      x.numbers.kernel, kind, x.start, x.stride, y.start, y.stride, 1, x.columns, nil)
    return y
  }

  /// Relative errors show those of e^x, which a sigmoid far below 0 is.
  @Test func theSigmoidIsRightToThreeUnitsOfItsLastPlace() {
    let x = sweep(from: 1e-30, to: 87)
    let y = activated(ACTIVATION_SIGMOID, row(x)).floats
    for (x, y) in zip(x, y) {
      let right = 1 / (1 + exp(-Double(x)))
      #expect(abs(Double(y) - right) <= 1.8e-7 * right, "\(x)")
    }
  }

  @Test func farOutTheSigmoidIsZeroOrOneAndNoNumberStaysNone() {
    let far: [Float] = [-.infinity, -1e30, -200, -89, 89, 200, 1e30, .infinity]
    let y = activated(ACTIVATION_SIGMOID, row(far)).floats
    #expect(y == [0, 0, 0, 0, 1, 1, 1, 1])
    for kind in [ACTIVATION_SIGMOID, ACTIVATION_SILU, ACTIVATION_GELU, ACTIVATION_GELU_TANH] {
      #expect(activated(kind, row([.nan])).floats[0].isNaN)
    }
  }

  /// With a cap of 1, what is capped is the hyperbolic tangent.
  @Test func theHyperbolicTangentIsRightNearZeroToo() {
    let x = sweep(from: 1e-18, to: 60)
    let y = row(x)
    finish_logits(NUMBER_FLOAT32, y.start, y.stride, 1, y.columns, 1, 1, nil, 0)
    for (x, y) in zip(x, y.floats) {
      let right = tanh(Double(x))
      #expect(abs(Double(y) - right) <= 3e-7 * abs(right), "\(x)")
    }
  }

  /// GELU is x · (1 + erf(x / √2)) / 2, so that its error is that of erf where x is of the order of 1.
  @Test func theErrorFunctionIsRightToItsLastPlaces() {
    let x = sweep(from: 1e-6, to: 6)
    let y = activated(ACTIVATION_GELU, row(x)).floats
    for (x, y) in zip(x, y) {
      let wide = Double(x)
      let right = 0.5 * wide * erfc(-wide * 0.5.squareRoot())
      #expect(abs(Double(y) - right) <= 1.6e-7 * max(abs(wide), 0.01), "\(x)")
    }
  }

  /// Sums of logits are taken from the largest one, wherever it stands, and none overflows.
  @Test(arguments: [1, 5, 16, 31, 64, 1000])
  func theLossIsThatOfTheDefinition(_ width: Int) {
    for numbers in Numbers.allCases {
      let values = (0..<width).map { 3 * sin(Double($0 * $0)) + ($0 == width * 2 / 3 ? 300 : 0) }
      let x = Matrix(values, numbers)
      let right = x.values
      var label = Int32(width / 2)
      var loss = 0.0
      cross_entropy(
        numbers.kernel, x.start, x.stride, &label, 1, width, 1, 0, nil, 0, 0, &loss)
      let largest = right.max() ?? 0
      let sum = right.reduce(0) { $0 + exp($1 - largest) }
      #expect(abs(loss - (largest + log(sum) - right[width / 2])) < 1e-4)
    }
  }

  /// The nearest of the two neighbours, the even one of two as near; beyond the largest, infinity.
  @Test func bfloat16IsRoundedToTheNearestEven() {
    let uppers: [UInt32] = [
      0, 1, 2, 0x007f, 0x0080, 0x0081, 0x3f7f, 0x3f80, 0x3f81, 0x4049, 0x7f7e, 0x7f7f,
    ]
    let lowers: [UInt32] = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff]
    for sign in [UInt32(0), 0x8000] {
      for upper in uppers {
        for lower in lowers {
          let up = lower > 0x8000 || (lower == 0x8000 && upper & 1 == 1)
          let expected = UInt16(sign | (upper + (up ? 1 : 0)))
          #expect(narrowed((sign | upper) << 16 | lower) == expected)
        }
      }
      #expect(narrowed((sign | 0x7f80) << 16) == UInt16(sign | 0x7f80))
      for notANumber: UInt32 in [0x7f80_0001, 0x7fc0_0000, 0x7fff_ffff] {
        let narrow = narrowed(sign << 16 | notANumber)
        #expect(Float(bitPattern: UInt32(narrow) << 16).isNaN)
      }
    }
  }

  /// The vector loop and what is left behind it.
  private func narrowed(_ bits: UInt32) -> UInt16 {
    let values = [Float](repeating: Float(bitPattern: bits), count: 37)
    var narrow = [UInt16](repeating: 0, count: 37)
    convert_numbers(NUMBER_FLOAT32, values, NUMBER_BFLOAT16, &narrow, 37)
    #expect(narrow.allSatisfy { $0 == narrow[0] })
    return narrow[0]
  }
}
