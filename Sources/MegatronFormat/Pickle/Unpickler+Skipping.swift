/// Reading a field of the outermost object without keeping it.
///
/// Megatron adds a cached copy of all its plans to `.metadata` (`all_local_plans`), which nobody
/// reads; not keeping it saves a fifth of the time. Its opcodes are carried out and checked like all
/// others, but its containers and objects become cells with nothing behind them.
extension Unpickler {
  /// The pickle without its ignored field, or `nil` if it has to be read whole.
  ///
  /// Leaving the field out is only right if nothing else refers into it and if it changes nothing
  /// outside of itself. Python writes what is shared where it meets it first, so the field must be the
  /// last and close the pickle, and may add to none of the containers before it. Where that is not so
  /// or an error occurs, the pickle is read again with all it holds: that costs twice the time and
  /// gives the result, or the error, of any other reading. Names that the policy forbids, text that is
  /// no text, lengths past the end and a wrong stack are found inside the field as well. What nobody
  /// follows does not matter there: nesting, recursion, expansion, a state that is set twice.
  static func skippingArena(
    _ bytes: [UInt8], policy: Policy, limits: Limits, _ ignored: [UInt8]
  ) -> PickleArena? {
    guard bytes.count <= limits.bytes else { return nil }
    var machine = Unpickler(bytes, at: 0, policy: policy, limits: limits)
    machine.ignored = ignored
    do throws(PickleError) { try machine.run() } catch { return nil }
    guard machine.skippedKey == 0, !machine.needsAll, machine.position == bytes.count else {
      return nil
    }
    return machine.finish()
  }

  /// Begins to skip if a text is the name of the ignored field, and a key of the outermost object's
  /// state: above that object, the state and a mark, after whole pairs.
  mutating func beginSkipping(_ text: Range<Int>) {
    guard skippedKey == 0, marks.count == 1, marks[0] == 2, stack.count.isMultiple(of: 2),
      stack[0].kind == .object, stack[1].kind == .dictionary,
      arena.bytes[text].elementsEqual(ignored)
    else { return }
    skippedKey = stack.count
  }

  /// Ends skipping at the opcode that sets the state's items, if only BUILD and STOP follow.
  mutating func endSkipping(at start: Int) {
    if start == 2, stack.count == skippedKey + 2, marks.count == 0,
      arena.bytes[position...].elementsEqual([
        PickleOpcode.build.rawValue, PickleOpcode.stop.rawValue,
      ])
    {
      skippedKey = 0
    } else {
      needsAll = true
    }
  }

  @inline(__always)
  mutating func container(_ kind: PickleCell.Kind) -> PickleCell {
    skippedKey > 0 ? PickleCell(kind, PickleCell.firstSkipped) : arena.container(kind)
  }

  @inline(__always)
  mutating func object(
    _ callee: Int, _ arguments: Int, _ construction: PickleObject.Construction, depth: Int32
  ) -> PickleCell {
    // A member of an enumeration may be called in turn.
    if skippedKey > 0, arena.globals[callee].role != .getattr {
      if depth > PickleCell.greatestSkippedDepth { needsAll = true }
      return PickleCell(
        .object, PickleCell.firstSkipped + min(Int(depth), PickleCell.greatestSkippedDepth))
    }
    return arena.object(callee, arguments, construction, depth: depth)
  }
}
