import Checkpoints
import Glibc

/// Shows a job's log as it grows, until the job has ended.
struct SlurmFollower {
  let job: String
  let log: String

  /// States in which a job waits or works, as squeue writes them; all others are ends.
  private static let alive: Set<String> = [
    "PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD",
    "REQUEUE_FED", "RESIZING", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT", "STOPPED", "RESV_DEL_HOLD",
    "REVOKED",
  ]

  /// How long it waits between two looks, at first and at most, in milliseconds.
  private static let pauses = (first: 250, longest: 5000)

  /// - Throws: `LaunchError.failed`; `ConversionError.interrupted` where the user stops following.
  func follow() throws {
    let progress = TransferProgress()
    try Interrupt.shared.stopping(progress, farewell: "Interrupted.") {
      var tail = LogTail(log)
      var pause = Self.pauses.first
      while true {
        let state = try queued()
        tail.show()
        guard let state, Self.alive.contains(state) else { break }
        if progress.isCancelled {
          Report.error(
            "The job \(job) goes on; its log is \(log). scancel \(job) ends it.", label: "")
          throw ConversionError.interrupted
        }
        usleep(UInt32(pause * 1000))
        pause = min(Self.pauses.longest, pause * 2)
      }
      // The last lines may come after the end.
      usleep(200_000)
      tail.show()
    }
    let state = try ended()
    guard state.hasPrefix("COMPLETED") else {
      throw LaunchError.failed(job: job, state: state, log: log)
    }
  }

  /// The job's state in the queue; `nil` once it is not in it any more.
  private func queued() throws -> String? {
    let outcome = try ChildProcess.run(["squeue", "--noheader", "--job", job, "--format", "%T"])
    // Of a job that is long gone squeue says that its number is wrong.
    guard outcome.status == 0 else { return nil }
    return outcome.output.split(whereSeparator: \.isWhitespace).first.map(String.init)
  }

  /// How the job ended: accounting says so a little later, the controller for some minutes.
  private func ended() throws -> String {
    let asked = [
      [
        "sacct", "--noheader", "--allocations", "--parsable2", "--jobs", job, "--format",
        "State,ExitCode",
      ],
      ["scontrol", "--oneliner", "show", "job", job],
    ]
    for _ in 0..<10 {
      for command in asked {
        guard let outcome = try? ChildProcess.run(command), outcome.status == 0,
          let state = Self.state(outcome.output), !Self.alive.contains(state.name)
        else { continue }
        return state.code.map { "\(state.name), exit code \($0)" } ?? state.name
      }
      usleep(500_000)
    }
    return "unknown: neither sacct nor scontrol knows the job any more"
  }

  /// The state in a line of sacct's or scontrol's.
  static func state(_ output: String) -> (name: String, code: String?)? {
    if output.contains("JobState=") {
      func value(_ key: String) -> String? {
        let words = output.split(whereSeparator: \.isWhitespace)
        return words.first { $0.hasPrefix(key + "=") }.map { String($0.dropFirst(key.count + 1)) }
      }
      return value("JobState").map { ($0, value("ExitCode")) }
    }
    guard let line = output.split(whereSeparator: \.isNewline).last else { return nil }
    let fields = line.split(separator: "|", omittingEmptySubsequences: false)
    // “CANCELLED by 1000”
    guard let name = fields.first?.split(separator: " ").first else { return nil }
    return (String(name), fields.count > 1 ? String(fields[1]) : nil)
  }
}

/// What is new in a file that somebody else writes.
private struct LogTail {
  private let path: String
  private var descriptor: Int32 = -1

  init(_ path: String) { self.path = path }

  mutating func show() {
    if descriptor < 0 { descriptor = open(path, O_RDONLY | O_CLOEXEC) }
    guard descriptor >= 0 else { return }
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(descriptor, &block, block.count)
      guard count > 0 else { return }
      Report.write(Array(block[..<count]), to: STDOUT_FILENO)
    }
  }
}
