import Foundation
import Support

/// Runs `train` with a text as its input.
func piped(_ arguments: [String], _ input: String) throws -> BuiltProgram.Outcome {
  try Support.withTemporaryFolder { folder in
    let file = folder.appending(path: "input")
    try Data(input.utf8).write(to: file)
    let shell = BuiltProgram(path: "/bin/sh")
    return try shell.run(
      ["-c", "exec \"$@\" < '\(file.path)'", "sh", program.path] + arguments)
  }
}

/// A model of the repository with a tokenizer and a chat template.
let demo = Support.fixtures.appending(path: "demo").path
