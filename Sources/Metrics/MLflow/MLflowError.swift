/// What a place for MLflow's records can be that cannot be written to.
public enum MLflowError: Error, Equatable, CustomStringConvertible {
  case notAFolder(place: String)

  public var description: String {
    switch self {
    case .notAFolder(let place):
      "MLflow's records cannot go to \(place): only MLflow's file store is written, not a server or a "
        + "database. Name a folder (file:///path or a path); `mlflow migrate-filestore` carries it into a "
        + "database, and `MLFLOW_ALLOW_FILE_STORE=true mlflow ui` shows it."
    }
  }
}
