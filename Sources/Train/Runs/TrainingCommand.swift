import Configuration
import Console
import JSON

/// What finetune and pretrain do once they know their configuration.
struct TrainingCommand {
  let configuration: RunConfiguration
  let showing: TrainingOptions.Showing

  init(_ configuration: RunConfiguration, _ showing: TrainingOptions.Showing) {
    self.configuration = configuration
    self.showing = showing
  }

  func run() throws {
    let report = RunPlanReport(configuration)
    if showing.json { Report.print(report.object) } else { report.print() }
  }
}
