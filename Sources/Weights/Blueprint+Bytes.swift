import Blueprint
import Engine
import Kernels

extension Blueprint {
  /// The slots that the engine has parameters for.
  public var learnedSlots: [Slot] {
    slots.filter { !$0.isPredictor && !$0.slot.parts.isEmpty }.map(\.slot)
  }

  /// The bytes of all parameters in the engine.
  public func parameterBytes(_ numbers: Numbers) -> Int {
    learnedSlots.reduce(0) {
      $0 + $1.shape.count * ($1.isMatrix ? numbers : numbers.accumulated).byteWidth
    }
  }
}
