import Foundation
import Support
import Testing

/// A conversation on a terminal, which `script` (util-linux) makes.
@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script")))
struct TerminalTests {
  /// A program on a terminal of its own.
  private final class Terminal {
    let process = Process()
    private let input = Pipe()
    private let file: URL

    init(_ words: [String], in folder: URL) throws {
      file = folder.appending(path: "screen")
      try Data().write(to: file)
      let command = words.map { "'\($0)'" }.joined(separator: " ")
      process.executableURL = URL(filePath: "/usr/bin/script")
      process.arguments = ["-qefc", "exec \(command)", "/dev/null"]
      var variables = ProcessInfo.processInfo.environment
      variables["TERM"] = "xterm"
      variables["NO_COLOR"] = nil
      variables["SHELL"] = "/bin/sh"
      process.environment = variables
      process.standardInput = input
      process.standardOutput = try FileHandle(forWritingTo: file)
      process.standardError = FileHandle.nullDevice
      try process.run()
    }

    func type(_ text: String) throws {
      try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
    }

    var screen: String {
      (try? Data(contentsOf: file)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// Waits until the screen is as wanted, or the program has ended.
    func wait(_ isReady: (String) -> Bool) -> Bool {
      while process.isRunning {
        if isReady(screen) { return true }
        usleep(20_000)
      }
      return isReady(screen)
    }

    func end() -> Int32 {
      process.waitUntilExit()
      return process.terminationStatus
    }
  }

  private func chat(_ options: [String], in folder: URL) throws -> Terminal {
    try Terminal(
      [
        program.path, "generate", "--model", demo, "--chat", "--ignore-eos", "--no-progress",
      ] + options, in: folder)
  }

  private func prompts(_ screen: String) -> Int { screen.components(separatedBy: "> ").count - 1 }

  @Test func itAnswersAndEnds() throws {
    try Support.withTemporaryFolder { folder in
      let terminal = try chat(["--max-new-tokens", "5"], in: folder)
      #expect(terminal.wait { prompts($0) == 1 })
      try terminal.type("How are you?\n")
      #expect(terminal.wait { prompts($0) == 2 })
      #expect(
        terminal.screen.contains("5 tokens,") && terminal.screen.contains(" of 512 positions"))
      try terminal.type("/bogus\n")
      #expect(terminal.wait { prompts($0) == 3 })
      #expect(terminal.screen.contains("no command /bogus"))
      try terminal.type("/exit\n")
      #expect(terminal.end() == 0)
    }
  }

  @Test func anInterruptEndsTheAnswerAndASecondOneTheProgram() throws {
    try Support.withTemporaryFolder { folder in
      let terminal = try chat(["--max-new-tokens", "100000"], in: folder)
      #expect(terminal.wait { prompts($0) == 1 })
      try terminal.type("How are you?\n")
      // The answer has begun once there is more than what was typed.
      #expect(
        terminal.wait { screen in
          guard let typed = screen.range(of: "you?\r\n") else { return false }
          return !screen[typed.upperBound...].isEmpty
        })
      try terminal.type("\u{3}")
      #expect(terminal.wait { prompts($0) == 2 })
      #expect(terminal.screen.contains("stopped"))
      try terminal.type("\u{3}")
      #expect(terminal.end() == 130)
    }
  }

  @Test func theEndOfTheInputEndsIt() throws {
    try Support.withTemporaryFolder { folder in
      let terminal = try chat(["--max-new-tokens", "5"], in: folder)
      #expect(terminal.wait { prompts($0) == 1 })
      try terminal.type("\u{4}")
      #expect(terminal.end() == 0)
    }
  }
}
