import Blueprint

extension Blueprint {
  /// How many tokens a model can take behind so many: where it learned its positions, no more than there
  /// are.
  func room(behind count: Int) -> Int {
    guard let limit = frame.positions, frame.names.positions != nil else { return .max }
    return max(0, limit - count)
  }

  /// What the user should know of a sequence of so many positions.
  func notes(positions: Int) -> [String] {
    guard let limit = frame.positions, positions > limit else { return [] }
    return [
      "The sequence has \(positions) positions, but the model was made for \(limit); it may compute "
        + "nonsense behind those."
    ]
  }
}
