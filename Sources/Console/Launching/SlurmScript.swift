/// A batch script that runs one command under srun, and has it queued again when its time is up.
///
/// Two minutes before the limit (`grace`) Slurm sends SIGUSR1 to the script, which has the run save and end, and
/// puts the job back into the queue. SIGTERM (scancel, preemption) only goes on to the run: whoever sends that
/// decides what comes next.
package struct SlurmScript: Sendable {
  /// `--name=value` for sbatch, or a flag alone.
  package var directives: [(name: String, value: String?)] = []
  /// Variables with values that are written down.
  package var variables: [(name: String, value: String)] = []
  /// Words for srun.
  package var launching: [String] = []
  /// The command and its arguments.
  package var command: [String]
  /// What a person may want to know of it.
  package var remark = ""

  package init(command: [String]) { self.command = command }

  package var text: String {
    // What stands in single quotes is meant as it stands.
    var lines = ["#!/bin/bash", "# shellcheck disable=SC2016"]
    lines += remark.split(separator: "\n").map { "# \($0)" }
    lines += directives.map { directive in
      "#SBATCH --\(directive.name)" + (directive.value.map { "=" + Self.escaped($0) } ?? "")
    }
    lines.append("")
    lines += variables.map { "export \($0.name)=\(Format.quoted($0.value))" }
    if !variables.isEmpty { lines.append("") }
    lines += [
      "again=0",
      "stop=0",
      "run=",
      "# The time is nearly up: the run saves and ends, and goes on when the job is queued again.",
      "trap 'again=1; stop=1; [ -z \"$run\" ] || kill -TERM \"$run\"' USR1",
      "trap 'stop=1; [ -z \"$run\" ] || kill -TERM \"$run\"' TERM",
      "",
    ]
    lines += Self.wrapped(["srun"] + launching, command)
    lines += [
      "run=$!",
      "[ \"$stop\" = 0 ] || kill -TERM \"$run\"",
      "wait \"$run\"",
      "status=$?",
      "# A signal ends the wait, not the run.",
      "while [ \"$status\" -gt 128 ] && kill -0 \"$run\" 2>/dev/null; do",
      "  wait \"$run\"",
      "  status=$?",
      "done",
      "if [ \"$again\" = 1 ] && [ \"$status\" -ne 0 ]; then",
      "  scontrol requeue \"$SLURM_JOB_ID\"",
      "fi",
      "exit \"$status\"",
    ]
    return lines.joined(separator: "\n") + "\n"
  }

  /// A command line, a word of srun's on each line, sent to the background.
  private static func wrapped(_ launcher: [String], _ command: [String]) -> [String] {
    let words = launcher.map(Format.quoted) + [Format.command(command) + " &"]
    return words.enumerated().map { index, word in
      (index == 0 ? "" : "  ") + word + (index == words.count - 1 ? "" : " \\")
    }
  }

  /// A word as sbatch reads it in a script: a backslash before whatever means something.
  ///
  /// Source: `_get_argument` in slurm/src/sbatch/opt.c, where a backslash escapes within quotes too.
  static func escaped(_ word: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in word.unicodeScalars {
      let isPlain =
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9": true
        default: scalar.value > 0x7F || "/._-+=:@%,".unicodeScalars.contains(scalar)
        }
      if !isPlain { result.append("\\") }
      result.append(scalar)
    }
    return String(result)
  }
}
