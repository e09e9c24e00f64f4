/// Keeps a writer's failures from the run: the first one is told, and from then on the writer is left alone.
///
/// A disk that is full of logs is no reason to lose days of training.
public final class CarefulWriter: MetricsWriter {
  private var writer: (any MetricsWriter)?
  private let name: String
  private let warn: (String) -> Void

  /// - Parameters:
  ///   - name: what is written, as a warning calls it.
  ///   - warn: takes the one warning there may be.
  public init(
    _ writer: any MetricsWriter, name: String, warn: @escaping (String) -> Void
  ) {
    self.writer = writer
    self.name = name
    self.warn = warn
  }

  public func record(_ step: StepRecord) { attempt { try $0.record(step) } }

  public func record(_ validation: ValidationRecord) { attempt { try $0.record(validation) } }

  public func finish(_ outcome: RunOutcome) { attempt { try $0.finish(outcome) } }

  private func attempt(_ body: (any MetricsWriter) throws -> Void) {
    guard let writer else { return }
    do { try body(writer) } catch {
      self.writer = nil
      warn("\(name) cannot be written any more: \(error) The run goes on without it.")
    }
  }
}
