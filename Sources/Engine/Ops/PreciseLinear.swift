import CKernels
import Kernels

extension Tape {
  /// x · Wᵀ + b in numbers of the type of sums, whatever the model's are: what routers choose by.
  ///
  /// Products of bfloat16 numbers are exact in float32, so the way forward needs no copies; on the way
  /// back the gradient stays in float32 too, as in Megatron with `moe_router_dtype` fp32.
  ///
  /// - Parameters:
  ///   - x: [tokens, inputs].
  ///   - weight: [outputs, inputs]; few outputs.
  ///   - bias: [outputs].
  /// - Returns: [tokens, outputs].
  func preciseLinear(_ x: Node, _ weight: Parameter, bias: Parameter? = nil) -> Node {
    let type = numbers.accumulated
    let isTrained = weight.learns || bias?.isTrained ?? false
    let y = node(x.rows, weight.value.rows, from: [x], isTrained: isTrained, numbers: type)
    let trace = weight.change?.trace(x.rows, y.numbers, adapterDropout)
    forward("precise linear", y) {
      Product.multiply(x.value, by: weight.value, rightTransposed: true, into: y.value)
      if let trace { weight.change?.forward(x.value, into: y.value, trace) }
      if let bias { addBias(bias.value, to: y.value) }
    }
    backward("precise linear", y) { dy in
      if let bias, bias.isTrained { Tape.addColumnSums(dy, to: bias.gradientSum()) }
      let way = weight.wayBack(trace)
      let dy = way?.throughMagnitudes(dy) ?? dy
      let dx = x.isTracked ? Matrix(x.rows, x.columns, type) : nil
      if let dx { Product.multiply(dy, by: weight.value.converted(to: type), into: dx) }
      if weight.isTrained {
        let dw = Matrix(weight.value.rows, weight.value.columns, type)
        Product.multiply(dy, leftTransposed: true, by: x.value.converted(to: type), into: dw)
        weight.add(dw)
      }
      way?.backward(dy.converted(to: x.numbers), x.value, dx: dx)
      way?.finish()
      if let dx { x.add(dx.converted(to: x.numbers)) }
    }
    return y
  }
}

extension Matrix {
  /// The matrix itself where it is of the type, or a copy.
  func converted(to numbers: Numbers) -> Matrix {
    numbers == self.numbers ? self : copied(as: numbers)
  }
}

extension Parameter {
  /// Adds a gradient, whatever its type.
  func add(_ other: Matrix) {
    let (target, accumulates) = gradientPlace()
    if accumulates {
      Sums.add(1, other.converted(to: target.numbers), to: target)
    } else {
      target.copy(other)
    }
  }
}
