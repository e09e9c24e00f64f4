extension StringProtocol {
  /// What is left without such characters at both ends.
  func trimming(_ isLeftOut: (Character) -> Bool) -> Self.SubSequence {
    var rest = self[...]
    while let first = rest.first, isLeftOut(first) { rest.removeFirst() }
    while let last = rest.last, isLeftOut(last) { rest.removeLast() }
    return rest
  }
}
