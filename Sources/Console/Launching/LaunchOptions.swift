import ArgumentParser
import Glibc

/// Where a command does its work: here, or as a job of a Slurm cluster.
///
/// The flags are those of Megatron-Bridge's launchers. `launched` is what a command calls first.
package struct LaunchOptions: ParsableArguments {
  package enum Executor: String, CaseIterable, ExpressibleByArgument {
    case local, slurm
  }

  @Option(
    help: "Where the work is done: in this process, or as a job that is submitted with sbatch.")
  package var executor = Executor.local

  @Option(help: ArgumentHelp("Nodes of the job.", valueName: "n"))
  package var nodes = 1

  @Option(
    name: .customLong("ntasks-per-node"), help: ArgumentHelp("Processes on each.", valueName: "n"))
  package var tasks = 1

  @Option(
    name: .customLong("cpus-per-task"),
    help: ArgumentHelp("Cores of each process. (default: the cluster's)", valueName: "n"))
  package var cores: Int?

  @Option(
    name: .customLong("mem"),
    help: ArgumentHelp("Memory of a node, such as 64G; 0 is all of it.", valueName: "size"))
  package var memory = "0"

  @Option(help: ArgumentHelp("The account. (default: $SLURM_ACCOUNT)", valueName: "name"))
  package var account: String?

  @Option(help: ArgumentHelp("The partition. (default: $SLURM_PARTITION)", valueName: "name"))
  package var partition: String?

  @Option(help: ArgumentHelp("The time limit, as Slurm writes it.", valueName: "time"))
  package var time = "04:00:00"

  @Option(
    help: ArgumentHelp(
      "Seconds before the time limit at which the run is told to save and end, to go on when the job is queued again.",
      valueName: "n"))
  package var grace = 120

  @Option(help: ArgumentHelp("Generic resources of the job.", valueName: "list"))
  package var gres: String?

  @Flag(help: "Share the nodes with no other job.")
  package var exclusive = false

  @Option(
    name: .customLong("container-image"),
    help: ArgumentHelp(
      "A container to run in, with this program on its PATH. (default: $CONTAINER_IMAGE)",
      valueName: "image"))
  package var image: String?

  @Option(
    name: .customLong("mount"),
    help: ArgumentHelp(
      "A folder that the container sees besides the current one; may be given several times.",
      valueName: "host[:container]"))
  package var mounts: [String] = []

  @Option(
    name: .customLong("env"),
    help: ArgumentHelp(
      "A variable of the run: NAME takes its present value, which is written nowhere; may be given several times.",
      valueName: "name[=value]"))
  package var variables: [String] = []

  @Option(
    name: .customLong("srun-arg"), parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "A further word for srun, as --srun-arg=--flag; may be given several times.",
      valueName: "word"))
  package var words: [String] = []

  @Option(
    name: .customLong("experiment-name"),
    help: ArgumentHelp("The name of the job. (default: the command's)", valueName: "name"))
  package var name: String?

  @Option(
    name: .customLong("job-folder"),
    help: ArgumentHelp(
      "Where the script and the log go.", valueName: "dir"))
  package var folder = "slurm"

  @Flag(
    name: .customLong("submission-dry-run"),
    help: "Print the script and submit nothing; so does --dry-run with --executor slurm.")
  package var isDryRun = false

  @Flag(help: "Submit the job and do not follow its log.")
  package var detach = false

  package init() {}

  package func validate() throws {
    guard executor == .slurm else {
      if detach { throw ValidationError("--detach leaves a job of --executor slurm alone.") }
      return
    }
    for (name, value) in [
      ("--nodes", nodes), ("--ntasks-per-node", tasks), ("--cpus-per-task", cores ?? 1),
      ("--grace", grace),
    ] where !(1...1_000_000).contains(value) {
      throw ValidationError("\(name) must be from 1 to 1,000,000, not \(value).")
    }
    for mount in mounts {
      let parts = mount.split(separator: ":", omittingEmptySubsequences: false)
      guard (1...3).contains(parts.count), !parts.contains(""), !mount.contains(",") else {
        throw ValidationError(
          "--mount is written HOST or HOST:CONTAINER, without commas, not \"\(mount)\".")
      }
    }
    for variable in variables {
      let name = variable.prefix { $0 != "=" }
      guard Self.isName(name) else {
        throw ValidationError("--env is written NAME or NAME=VALUE, not \"\(variable)\".")
      }
      if !variable.contains("="), getenv(String(name)) == nil {
        throw ValidationError(
          "--env \(name) takes the variable's present value, and it has none. Export it, or write "
            + "--env \(name)=VALUE.")
      }
    }
    if words.contains(where: \.isEmpty) {
      throw ValidationError("--srun-arg must not be empty.")
    }
  }

  private static func isName(_ text: Substring) -> Bool {
    guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
    return text.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true
      default: false
      }
    }
  }

  // MARK: Launching

  /// The options that take a value, and those that are flags: a job's own command is told neither.
  private static let valued: Set<String> = [
    "--executor", "--nodes", "--ntasks-per-node", "--cpus-per-task", "--mem", "--account",
    "--partition", "--time", "--grace", "--gres", "--container-image", "--mount", "--env",
    "--srun-arg", "--experiment-name", "--job-folder",
  ]
  private static let flags: Set<String> = [
    "--exclusive", "--submission-dry-run", "--detach", "--dry-run",
  ]

  /// A command line without what it says of launching.
  package static func stripped(_ words: [String]) -> [String] {
    var result: [String] = []
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--" { return result + [word] + rest }
      let name = String(word.prefix { $0 != "=" })
      if flags.contains(word) { continue }
      guard valued.contains(name) else {
        result.append(word)
        continue
      }
      if name == word { _ = rest.popFirst() }
    }
    return result
  }

  /// Submits the command as a job where that is wanted, and follows it to its end.
  ///
  /// - Parameters:
  ///   - arguments: the command line, the program's name first.
  ///   - isDryRun: whether the script is only printed.
  ///   - isParallel: whether several processes share the command's work.
  /// - Returns: whether there is nothing left to do here.
  /// - Throws: `LaunchError`, `FileError`; `ConversionError.interrupted` where the user stops following.
  package func launched(
    _ arguments: [String] = CommandLine.arguments, isDryRun: Bool = false, isParallel: Bool = false
  ) throws -> Bool {
    guard executor == .slurm else { return false }
    if !isParallel, nodes * tasks > 1 {
      throw ValidationError(
        "The work is done by one process, which uses all cores of its node: --nodes and "
          + "--ntasks-per-node must be 1.")
    }
    let job = try SlurmJob(self, arguments)
    if self.isDryRun || isDryRun {
      Report.write(job.script.text, to: STDOUT_FILENO)
      return true
    }
    try job.submit(follows: !detach)
    return true
  }
}
