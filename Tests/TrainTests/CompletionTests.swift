import Foundation
import Support
import Testing

/// The programs' completions for shells.
@Suite struct CompletionTests {
  @Test(arguments: ["train", "convert", "merge-lora"], ["bash", "zsh", "fish"])
  func theyAreWritten(_ name: String, _ shell: String) throws {
    let outcome = try BuiltProgram(name).run(["--generate-completion-script", shell])
    #expect(outcome.status == 0, "\(outcome.error)")
    #expect(outcome.output.contains(name))
  }

  @Test(arguments: [
    ("train", "eval", "evaluate"), ("train evaluate", "--predic", "--predictions"),
    ("train generate", "--adap", "--adapter"), ("convert", "inspe", "inspect"),
  ]) func bashCompletes(_ line: String, _ begun: String, _ expected: String) throws {
    let words = line.split(separator: " ").map(String.init)
    try Support.withTemporaryFolder { folder in
      let file = folder.appending(path: "completion.bash")
      let script = try BuiltProgram(words[0]).run(["--generate-completion-script", "bash"]).output
      try Data(script.utf8).write(to: file)
      let asked = """
        source '\(file.path)'
        function=$(complete -p \(words[0]) | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        COMP_WORDS=(\(line) \(begun)) COMP_CWORD=\(words.count) COMP_LINE='\(line) \(begun)'
        COMP_POINT=${#COMP_LINE}
        "$function" \(words[0]) \(begun) \(words[words.count - 1])
        printf '%s\\n' "${COMPREPLY[@]}"
        """
      let outcome = try BuiltProgram(path: "/bin/bash").run(["-c", asked])
      let found = outcome.output.split(separator: "\n").map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      #expect(found.contains(expected), "\(outcome.output) \(outcome.error)")
    }
  }
}
