/// Why a run cannot be saved or gone on with, as facts with their place.
public enum SavingError: Error, Sendable {
  case notYet
}

extension SavingError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notYet: "This is not there yet."
    }
  }
}
