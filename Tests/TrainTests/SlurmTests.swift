import Foundation
import Support
import Testing

/// `--executor slurm`, with programs in place of Slurm's that do what those do, on this machine.
@Suite struct SlurmTests {
  /// A cluster of shell scripts: jobs run at once, their states lie in files.
  private struct Cluster {
    let folder: URL

    init(_ folder: URL) throws {
      self.folder = folder
      let state = folder.appending(path: "state").path
      try tool(
        "sbatch",
        """
        [ "$1" = --parsable ] || exit 2
        log=$(sed -n 's/^#SBATCH --output=//p' "$2" | sed 's/%j/17/; s/\\\\//g')
        echo RUNNING > '\(state)'
        ( SLURM_JOB_ID=17 bash "$2" > "$log" 2>&1; code=$?
          if [ -e '\(state).again' ]; then echo "second time" >> "$log"; code=0; fi
          if [ "$code" = 0 ]; then echo "COMPLETED|0:0"; else echo "FAILED|$code:0"; fi > '\(state).end'
          : > '\(state)' ) > /dev/null 2>&1 &
        echo $! > '\(state).pid'
        echo '17;here'
        """)
      try tool(
        "squeue", "[ -s '\(state)' ] || { echo 'Invalid job id' >&2; exit 1; }; cat '\(state)'")
      try tool("sacct", "cat '\(state).end'")
      try tool("scontrol", "[ \"$1\" = requeue ] && echo \"$2\" > '\(state).again'")
      try tool(
        "srun",
        """
        while [ "${1#--}" != "$1" ]; do
          if [ "$1" = --broken ]; then echo broken >&2; exit 3; fi
          shift
        done
        exec "$@"
        """)
    }

    private func tool(_ name: String, _ text: String) throws {
      try writeScript(text, to: folder.appending(path: name))
    }

    var environment: [String: String] { ["PATH": folder.path + ":/usr/bin:/bin"] }
  }

  private func arguments(_ folder: URL) -> [String] {
    [
      "finetune", "--model", demo, "--data",
      Support.fixtures.appending(path: "rows/squad.json").path, "--output",
      folder.appending(path: "run").path, "--max-steps", "1", "--lr", "1e-4", "--executor", "slurm",
      "--job-folder", folder.appending(path: "jobs of mine").path,
    ]
  }

  @Test func aDryRunPrintsTheScriptAndSubmitsNothing() throws {
    try Support.withTemporaryFolder { folder in
      for flag in ["--dry-run", "--submission-dry-run"] {
        let outcome = try program.run(
          arguments(folder) + [
            flag, "--time", "1:00:00", "--account", "me", "--exclusive", "--env", "HOME",
            "--container-image", "image", "--mount", "/data", "--srun-arg=--mpi=pmix",
          ], environment: ["SLURM_PARTITION": "long", "PATH": "/usr/bin:/bin"], in: folder)
        #expect(outcome.status == 0, "\(outcome.error)")
        let lines = outcome.output.split(separator: "\n").map(String.init)
        #expect(lines[0] == "#!/bin/bash")
        for line in [
          "#SBATCH --time=1:00:00", "#SBATCH --account=me", "#SBATCH --partition=long",
          "#SBATCH --exclusive", "#SBATCH --requeue", "#SBATCH --signal=B:USR1@120",
          "#SBATCH --mem=0", "#SBATCH --nodes=1", "#SBATCH --job-name=train-finetune",
          "  --container-image=image \\", "  --container-env=HOME \\", "  --mpi=pmix \\",
        ] {
          #expect(lines.contains(line), "\(line)\n\(outcome.output)")
        }
        #expect(outcome.output.contains(":/data:/data") || outcome.output.contains(",/data:/data"))
        // The job itself is told nothing of jobs.
        let command = try #require(lines.first { $0.contains("finetune --model") })
        #expect(!command.contains("--executor") && !command.contains("dry-run"))
        #expect(names(in: folder).isEmpty)
      }
    }
  }

  @Test func aJobIsFollowedToItsEnd() throws {
    try Support.withTemporaryFolder { folder in
      let cluster = try Cluster(folder)
      let outcome = try program.run(
        arguments(folder) + ["--json"], environment: cluster.environment, in: folder)
      #expect(outcome.status == 0, "\(outcome.error)")
      #expect(outcome.error.contains("Submitted the job 17"))
      // What the job printed is shown.
      let log = try String(
        contentsOf: folder.appending(path: "jobs of mine/train-finetune-17.log"), encoding: .utf8)
      #expect(!log.isEmpty && outcome.output == log)
    }
  }

  @Test func aJobThatFailsIsSaidTo() throws {
    try Support.withTemporaryFolder { folder in
      let cluster = try Cluster(folder)
      let outcome = try program.run(
        arguments(folder) + ["--srun-arg=--broken"], environment: cluster.environment, in: folder)
      #expect(outcome.status == 1)
      #expect(outcome.output == "broken\n")
      #expect(outcome.error.contains("The job 17 ended as FAILED, exit code 3:0"))
    }
  }

  @Test func aDetachedJobIsLeftAlone() throws {
    try Support.withTemporaryFolder { folder in
      let cluster = try Cluster(folder)
      let outcome = try program.run(
        arguments(folder) + ["--detach"], environment: cluster.environment, in: folder)
      #expect(outcome.status == 0, "\(outcome.error)")
      #expect(outcome.output.contains("scancel 17"))
      #expect(names(in: folder.appending(path: "jobs of mine")).contains("train-finetune.sbatch"))
      // The folder goes when the job does.
      while names(in: folder).contains("state.pid"), !names(in: folder).contains("state.end") {
        usleep(20_000)
      }
    }
  }

  @Test func withoutSlurmTheSentenceSaysSo() throws {
    try Support.withTemporaryFolder { folder in
      let outcome = try program.run(
        arguments(folder), environment: ["PATH": "/nowhere"], in: folder)
      #expect(outcome.status == 1)
      #expect(outcome.error.contains("sbatch cannot be started"))
      #expect(try program.run(arguments(folder) + ["--nodes", "2"], in: folder).status == 2)
    }
  }
}
