import CKernels
import Kernels

extension Tape {
  /// A causal convolution of each channel by itself, and SiLU behind it if asked for.
  ///
  /// z_t = bias + Σ_k weight[k] · x_{t - K + 1 + k}; rows before a sequence's first are zeros.
  ///
  /// - Parameters:
  ///   - x: [tokens, channels].
  ///   - weight: [channels, K].
  ///   - bias: [channels].
  ///   - sequences: the rows of each.
  ///   - before: what stood before the only sequence, [K - 1, channels].
  func convolved(
    _ x: Columns, weight: Parameter, bias: Parameter?, activates: Bool, _ sequences: [Range<Int>],
    before: Matrix? = nil
  ) -> Node {
    let isTrained = weight.isTrained || bias?.isTrained ?? false
    let y = node(x.node.rows, x.count, from: [x.node], isTrained: isTrained)
    let channels = x.count
    let kernel = weight.value.count / channels
    let type = numbers.kernel
    let turned = Matrix(kernel, channels, numbers.accumulated)
    convolution_turn(type, weight.value.start, channels, kernel, turned.start, false)

    func layer() -> convolution {
      convolution(
        type: type, kernel: kernel, activates: activates, weight: turned.start,
        weight_row: turned.stride, bias: bias?.value.start, x: x.value.start, x_row: x.value.stride)
    }
    func unit(_ rows: Range<Int>, _ part: Range<Int>) -> convolution_unit {
      convolution_unit(
        first_row: rows.lowerBound, rows: rows.count, first_channel: part.lowerBound,
        channels: part.count, before: before?.start, before_row: before?.stride ?? 0)
    }

    forward("convolution", y) {
      Team.split(x.node.rows, grain: Sums.rows(channels)) { part in
        var layer = layer()
        for rows in sequences where rows.overlaps(part) {
          var unit = unit(rows.lowerBound..<min(rows.upperBound, part.upperBound), 0..<channels)
          convolution_forward(
            &layer, &unit, max(0, part.lowerBound - rows.lowerBound), y.value.start, y.value.stride)
        }
      }
    }
    backward("convolution", y) { dy in
      let dw = weight.isTrained ? Matrix(kernel, channels, self.numbers.accumulated) : nil
      dw?.clear()
      let db = bias.flatMap { $0.isTrained ? $0.gradientSum() : nil }
      let dx = x.node.isTracked ? x.gradientSum() : nil
      // Each thread has channels of its own, so that no sums are to be added up.
      let step = Tape.channelsTogether(channels)
      Team.forEach((channels + step - 1) / step) { index in
        let part = index * step..<min(channels, (index + 1) * step)
        var layer = layer()
        var unit = unit(0..<1, part)
        let room = Matrix(1, convolution_room(&layer), self.numbers.accumulated)
        for rows in sequences {
          unit.first_row = rows.lowerBound
          unit.rows = rows.count
          convolution_backward(
            &layer, &unit, dy.start, dy.stride, dx?.start, dx?.stride ?? 0, dw?.start, channels,
            db?.start, room.start)
        }
      }
      if let dw {
        convolution_turn(
          type, dw.start, kernel, channels, weight.gradientSum().start, true)
      }
    }
    return y
  }

  /// How many channels one thread takes at a time: few enough to stay in the nearest cache, and so that
  /// all threads have the same number of stretches.
  private static func channelsTogether(_ channels: Int) -> Int {
    let parts = Team.size * max(1, (channels + 512 * Team.size - 1) / (512 * Team.size))
    return max(16, ((channels + parts - 1) / parts + 15) / 16 * 16)
  }
}
