import Checkpoints
import Configuration
import Console
import Glibc
import JSON
import Metrics
import Training

/// What finetune and pretrain do once they know their configuration.
struct TrainingCommand {
  let configuration: RunConfiguration
  let showing: TrainingOptions.Showing

  init(_ configuration: RunConfiguration, _ showing: TrainingOptions.Showing) {
    self.configuration = configuration
    self.showing = showing
  }

  func run() throws {
    let plan = try RunPlan(configuration)
    if showing.isDryRun {
      if showing.json { Report.print(plan.object) } else { plan.print() }
      return
    }
    for line in Report.notes(configuration.notes) { Report.error(line, label: "") }
    let stop = TransferProgress()
    let farewell = "Stopped at once; the newest checkpoint is the last one that was told of."
    try Interrupt.shared.stopping(stop, farewell: farewell) { try train(plan, stop) }
  }

  private func train(_ plan: RunPlan, _ stop: TransferProgress) throws {
    let settings = configuration.settings
    let loading = TransferProgress()
    let display = ProgressDisplay(
      "load", total: plan.estimate?.weights ?? 0, loading,
      style: ProgressDisplay.style(isHidden: showing.hidesProgress || showing.json))
    let (run, _) = try display.during {
      try TrainingRun(
        settings, description: description, isStopping: { stop.isCancelled },
        loaded: { bytes in
          loading.add(bytes)
          if stop.isCancelled { throw ConversionError.interrupted }
        })
    }
    for line in Report.notes(run.notes) { Report.error(line, label: "") }
    let view = RunView(
      run.description, every: settings.watching.every,
      style: RunView.style(isHidden: showing.hidesProgress || showing.json))
    let records =
      run.description.folder.isEmpty ? nil : settings.watching.plan(in: run.description.folder)
    do {
      // The view is first, so that its block is gone before anything else is said.
      let files = try records?.writers(for: run.description) { view.say("note: " + $0) } ?? []
      run.writers = [view] + files
    } catch {
      view.finish(.failed(""))
      throw error
    }
    let outcome = try run.run()
    let summary = RunSummary(
      tally: view.tally, description: run.description, outcome: outcome,
      checkpoint: run.lastCheckpoint, plan: records)
    report(run, summary)
    // Whoever waits for the run (a batch script, a shell) can tell that it is not done.
    if stop.isCancelled, outcome == .stopped { throw ExitStatus.interruption }
  }

  private var description: RunDescription {
    let settings = configuration.settings
    let watching = settings.watching
    // Where nothing of the run is kept, what is known of its records lies with them.
    let records = watching.tensorBoard ?? watching.weightsAndBiases?.folder
    let here = watching.weightsAndBiases != nil || watching.mlflow != nil ? "." : ""
    var description = RunDescription(
      name: settings.name,
      folder: saved ?? watching.folder ?? records ?? here)
    for entry in configuration.effective() {
      description.configuration.append((entry.key, entry.value))
      if entry.origin != .default { description.origins[entry.key] = "\(entry.origin)" }
    }
    description.arguments = CommandLine.arguments
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    description.start = Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    return description
  }

  /// The run folder as people read it: Automodel's own word for it is `checkpoints/`.
  private var saved: String? {
    configuration.settings.saving.folder.map { folder in
      folder.hasSuffix("/") && folder.utf8.count > 1 ? String(folder.dropLast()) : folder
    }
  }

  // MARK: The end

  private func report(_ run: TrainingRun, _ summary: RunSummary) {
    if showing.json {
      var object = summary.object
      object["name"] = .string(configuration.settings.name)
      object["folder"] = saved.map(JSON.string) ?? .null
      object["parameters"] = .integer(run.description.parameters)
      object["trained"] = .integer(run.description.trained)
      return Report.print(object)
    }
    Report.print(summary.text)
    Report.print(Report.next(next(run, summary.outcome)))
  }

  /// The commands that make sense behind it: the same again where it was stopped.
  private func next(_ run: TrainingRun, _ outcome: RunOutcome) -> [[String]] {
    if outcome == .stopped { return [["train"] + CommandLine.arguments.dropFirst()] }
    guard let folder = saved else { return [] }
    if configuration.settings.adapters != nil {
      return [["merge-lora", "--lora-checkpoint", folder, "--output", folder + "-merged"]]
    }
    return [
      ["train", "generate", "--model", folder, "--prompt", "Once upon a time"],
      ["convert", "export", "--megatron-path", folder, "--hf-path", folder + "-hf"]
        + (run.folder.map { ["--hf-model", $0.folder] } ?? []),
    ]
  }
}
