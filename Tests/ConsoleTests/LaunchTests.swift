import ArgumentParser
import Foundation
import Support
import Testing

@testable import Console

/// Batch scripts: every word comes through the shell and through sbatch as it was typed.
@Suite struct LaunchTests {
  private static let hostile = [
    "plain", "two words", "it's", "\"quoted\"", "$(touch x)", "`id`", "a\nb", "\\", "tab\t", "*",
    "~",
    "é 東京", "#no", "-n", "", "a=b c", "!x", "&&", "${HOME}",
  ]

  @Test func theShellSeesTheCommandsWords() throws {
    try Support.withTemporaryFolder { folder in
      let out = folder.appending(path: "words")
      // In place of srun: writes down its arguments, each ended by a zero.
      let srun = folder.appending(path: "srun")
      try writeScript("printf '%s\\0' \"$@\" \"$SECRET\" > '\(out.path)'", to: srun)
      var script = SlurmScript(command: ["/bin/train"] + Self.hostile)
      script.launching = ["--container-mounts=/a b:/c'd"]
      script.variables = [("SECRET", "$x 'y'\n\"z\"")]
      script.directives = [("job-name", "x"), ("exclusive", nil)]
      let file = folder.appending(path: "job.sbatch")
      try Data(script.text.utf8).write(to: file)
      let outcome = try BuiltProgram(path: "/bin/bash").run(
        [file.path],
        environment: ["PATH": folder.path + ":/usr/bin:/bin", "SLURM_JOB_ID": "1"])
      #expect(outcome.status == 0, "\(outcome.error)")
      let words = String(decoding: try Data(contentsOf: out), as: UTF8.self)
        .split(separator: "\0", omittingEmptySubsequences: false).dropLast().map(String.init)
      #expect(
        words == ["--container-mounts=/a b:/c'd", "/bin/train"] + Self.hostile + ["$x 'y'\n\"z\""])
    }
  }

  /// Slurm's word that time is nearly up ends the run and queues the job again; another one's TERM only ends it.
  @Test(arguments: ["USR1", "TERM"]) func aSignalReachesTheRun(_ signal: String) throws {
    try Support.withTemporaryFolder { folder in
      func tool(_ name: String, _ text: String) throws {
        try writeScript(text, to: folder.appending(path: name))
      }
      // A run that saves a while and ends as interrupted ones do. It sends the script the signal itself, once it
      // listens, and gives up after half a minute.
      try tool(
        "srun",
        """
        trap 'sleep 0.3; echo saved > "\(folder.path)/saved"; exit 130' TERM
        sleep 0.5; kill -\(signal) "$PPID"
        for _ in $(seq 600); do sleep 0.05; done
        """)
      try tool("scontrol", "echo \"$@\" > \"\(folder.path)/asked\"")
      let file = folder.appending(path: "job.sbatch")
      try Data(SlurmScript(command: ["train"]).text.utf8).write(to: file)
      let outcome = try ChildProcess.run([
        "env", "PATH=\(folder.path):/usr/bin:/bin", "SLURM_JOB_ID=42", "bash", file.path,
      ])
      #expect(outcome.status == 130, "\(outcome.said)")
      #expect(names(in: folder).contains("saved"))
      let asked = try? String(contentsOf: folder.appending(path: "asked"), encoding: .utf8)
      #expect(asked == (signal == "USR1" ? "requeue 42\n" : nil))
    }
  }

  /// What sbatch makes of a line: a backslash escapes, quotes group, a number sign begins a comment.
  private func words(_ line: String) -> [String] {
    var (words, word, quote) = ([String](), String?.none, Character?.none)
    var isEscaped = false
    for character in line {
      if isEscaped {
        isEscaped = false
      } else if character == "\\" {
        isEscaped = true
        continue
      } else if let open = quote {
        if character == open {
          quote = nil
          continue
        }
      } else if character == "\"" || character == "'" {
        quote = character
        continue
      } else if character == "#" {
        break
      } else if character.isWhitespace {
        if let done = word { words.append(done) }
        word = nil
        continue
      }
      word = (word ?? "") + String(character)
    }
    return words + [word].compactMap { $0 }
  }

  @Test(arguments: hostile.filter { !$0.contains("\n") && !$0.isEmpty })
  func sbatchSeesTheDirectivesValues(_ value: String) {
    #expect(words("--job-name=" + SlurmScript.escaped(value)) == ["--job-name=" + value])
  }

  @Test func whatIsSaidOfLaunchingIsNotSaidToTheJob() {
    #expect(
      LaunchOptions.stripped([
        "finetune", "a.yaml", "--executor", "slurm", "--time=1:00", "x=1", "--detach", "--mount",
        "/a",
        "--srun-arg=--mpi=pmix", "--lr", "1e-4", "--dry-run", "--", "--time", "2",
      ]) == ["finetune", "a.yaml", "x=1", "--lr", "1e-4", "--", "--time", "2"])
  }

  @Test(arguments: [
    ["--detach"], ["--executor", "slurm", "--nodes", "0"],
    ["--executor", "slurm", "--mount", "/a:"], ["--executor", "slurm", "--mount", "/a,b"],
    ["--executor", "slurm", "--env", "1X=2"], ["--executor", "slurm", "--env", "NOT_SET_ANYWHERE"],
    ["--executor", "cloud"],
  ]) func wrongOptionsAreRefused(_ arguments: [String]) {
    #expect(throws: (any Error).self) { try LaunchOptions.parse(arguments) }
  }

  @Test func aValueThatNoLineHoldsIsRefused() throws {
    let options = try LaunchOptions.parse(["--executor", "slurm", "--account", "a\nb"])
    #expect(throws: LaunchError.notForScript(option: "account", value: "a\nb")) {
      try SlurmJob(options, ["train", "finetune"])
    }
  }

  @Test(arguments: [
    ("COMPLETED|0:0\n", "COMPLETED", "0:0"), ("CANCELLED by 1000|0:15\n", "CANCELLED", "0:15"),
    ("JobId=7 JobName=x JobState=FAILED Reason=None ExitCode=2:0", "FAILED", "2:0"),
  ]) func endsAreRead(_ line: String, _ name: String, _ code: String) {
    let state = SlurmFollower.state(line)
    #expect(state?.name == name && state?.code == code)
  }
}
