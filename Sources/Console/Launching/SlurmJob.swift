import Checkpoints
import Glibc
import Tensors

/// A command as a job of a Slurm cluster: its script, and its way through the queue.
struct SlurmJob {
  private(set) var script: SlurmScript
  private let name: String
  private let folder: String

  init(_ options: LaunchOptions, _ arguments: [String]) throws {
    let words = LaunchOptions.stripped(Array(arguments.dropFirst()))
    let program = Folder.name(arguments.first ?? "train")
    name = options.name ?? ([program] + words.prefix(1)).joined(separator: "-")
    folder = Folder.absolute(options.folder)
    let here = Folder.absolute(".")
    let image = Self.given(options.image, "CONTAINER_IMAGE")
    // A container has a program of its own.
    let path = image == nil ? Folder.resolved("/proc/self/exe") ?? program : program
    script = SlurmScript(command: [path] + words)
    script.remark = "Submit with sbatch; written by \(program) --executor slurm."
    let log = "\(folder)/\(name)".replacing("%", with: "%%") + "-%j.log"
    var directives: [(String, String?)] = [
      ("job-name", name), ("nodes", "\(options.nodes)"), ("ntasks-per-node", "\(options.tasks)"),
      ("cpus-per-task", options.cores.map(String.init)), ("mem", options.memory),
      ("time", options.time), ("account", Self.given(options.account, "SLURM_ACCOUNT")),
      ("partition", Self.given(options.partition, "SLURM_PARTITION")), ("gres", options.gres),
      ("output", log), ("chdir", here),
    ].filter { $0.1 != nil }
    if options.exclusive { directives.append(("exclusive", nil)) }
    directives += [
      ("open-mode", "append"), ("requeue", nil), ("signal", "B:USR1@\(options.grace)"),
      ("export", "ALL"),
    ]
    for case (let name, let value?) in directives
    where value.isEmpty
      || value.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
    {
      throw LaunchError.notForScript(option: name, value: value)
    }
    script.directives = directives.map { (name: $0.0, value: $0.1) }
    let pairs = options.variables.map {
      $0.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    }
    script.variables = pairs.filter { $0.count == 2 }.map { (String($0[0]), String($0[1])) }
    script.launching = Self.launching(
      options, image: image, here: here, names: pairs.map { String($0[0]) })
  }

  private static func launching(
    _ options: LaunchOptions, image: String?, here: String, names: [String]
  ) -> [String] {
    // The end of one process ends all: a run of some of them would wait for ever.
    var words = ["--kill-on-bad-exit=1"]
    // srun does not take this from the job.
    if let cores = options.cores { words.append("--cpus-per-task=\(cores)") }
    if let image {
      let mounts = ([here] + options.mounts).map { $0.contains(":") ? $0 : "\($0):\($0)" }
      words += [
        "--container-image=\(image)", "--container-mounts=\(mounts.joined(separator: ","))",
        "--container-workdir=\(here)",
      ]
      if !names.isEmpty { words.append("--container-env=\(names.joined(separator: ","))") }
    }
    return words + options.words
  }

  /// What the user says, else what the environment says.
  private static func given(_ value: String?, _ variable: String) -> String? {
    if let value { return value }
    guard let found = getenv(variable) else { return nil }
    let text = String(cString: found)
    return text.isEmpty ? nil : text
  }

  // MARK: Submitting

  /// Writes the script and submits it.
  ///
  /// - Parameter follows: whether the job's log is shown until it ends.
  func submit(follows: Bool) throws {
    try Folder.create(folder)
    let path = "\(folder)/\(name).sbatch"
    let bytes = Array(script.text.utf8)
    try OutputFile.replace(path) { file throws(FileError) in try file.write(bytes, at: 0) }
    let outcome = try ChildProcess.run(["sbatch", "--parsable", path])
    guard outcome.status == 0, let job = Self.job(outcome.output) else {
      throw LaunchError.notSubmitted(script: path, said: outcome.said)
    }
    let log = "\(folder)/\(name)-\(job).log"
    Report.error("Submitted the job \(job); its log is \(log).", label: "")
    guard follows else {
      Report.print(
        Report.next([["squeue", "--job", job], ["tail", "-F", log], ["scancel", job]]))
      return
    }
    try SlurmFollower(job: job, log: log).follow()
  }

  /// The number in `123` or `123;cluster`.
  private static func job(_ output: String) -> String? {
    let line = output.split(whereSeparator: \.isNewline).last ?? ""
    let number = line.prefix { $0 != ";" }
    return !number.isEmpty && number.utf8.allSatisfy { (0x30...0x39).contains($0) }
      ? String(number) : nil
  }
}

/// Why a job was not submitted, or not done.
package enum LaunchError: Error, Equatable, CustomStringConvertible {
  /// A value that no line of a batch script can hold.
  case notForScript(option: String, value: String)
  case notSubmitted(script: String, said: String)
  case cannotStart(program: String, errno: Int32)
  case failed(job: String, state: String, log: String)

  package var description: String {
    switch self {
    case .notForScript(let option, let value):
      "--\(option) cannot be \(value.debugDescription) in a batch script: it must be one line that is not empty. "
        + "Choose another."
    case .notSubmitted(let script, let said):
      "sbatch did not take \(script): \(said.isEmpty ? "it said nothing" : said) Correct the options, or submit "
        + "the script by hand."
    case .cannotStart(let program, let errno):
      "\(program) cannot be started: \(String(cString: strerror(errno))). Run this where Slurm's commands are on the "
        + "PATH, or print the script with --submission-dry-run."
    case .failed(let job, let state, let log):
      "The job \(job) ended as \(state). Its log \(log) says why."
    }
  }
}
