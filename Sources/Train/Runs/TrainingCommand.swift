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
    run.writers = try writers(run.description)
    let outcome = try run.run()
    report(run, outcome)
  }

  private func writers(_ description: RunDescription) throws -> [any MetricsWriter] {
    guard !description.folder.isEmpty else { return [] }
    return try configuration.settings.watching.writers(for: description) { sentence in
      Report.error(sentence, label: "note")
    }
  }

  private var description: RunDescription {
    let settings = configuration.settings
    var description = RunDescription(
      name: settings.name, folder: settings.saving.folder ?? settings.watching.folder ?? "")
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

  // MARK: The end

  private func report(_ run: TrainingRun, _ outcome: RunOutcome) {
    let progress = run.progress
    if showing.json {
      return Report.print([
        "status": .string(outcome == .finished ? "finished" : "stopped"),
        "name": .string(configuration.settings.name), "step": .integer(progress.step),
        "checkpoint": run.lastCheckpoint.map(JSON.string) ?? .null,
        "folder": configuration.settings.saving.folder.map(JSON.string) ?? .null,
        "parameters": .integer(run.description.parameters),
        "trained": .integer(run.description.trained), "seconds": .number(progress.seconds),
      ])
    }
    var rows = [
      (
        outcome == .finished ? "finished" : "stopped",
        "\(Format.count(progress.step, "step")) in \(RunEstimate.time(progress.seconds))"
      )
    ]
    if let checkpoint = run.lastCheckpoint { rows.append(("checkpoint", checkpoint)) }
    Report.print(Report.facts(rows))
    Report.print(Report.next(next(run, outcome)))
  }

  /// The commands that make sense behind it: the same again where it was stopped.
  private func next(_ run: TrainingRun, _ outcome: RunOutcome) -> [[String]] {
    if outcome == .stopped { return [["train"] + CommandLine.arguments.dropFirst()] }
    guard let folder = configuration.settings.saving.folder else { return [] }
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
