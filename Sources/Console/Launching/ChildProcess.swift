import Glibc

/// Another program, run to its end.
enum ChildProcess {
  struct Outcome {
    /// The exit code; 128 and the signal's number where a signal ended it.
    var status: Int32
    var output: String
    var error: String

    /// What it said, in one line.
    var said: String {
      (error + "\n" + output).split(whereSeparator: \.isNewline).joined(separator: " ")
    }
  }

  /// Runs a program that is found on the PATH; it reads nothing, and no signal is blocked for it.
  ///
  /// - Throws: `LaunchError.cannotStart`.
  static func run(_ words: [String]) throws(LaunchError) -> Outcome {
    let program = words.first ?? ""
    var output: [Int32] = [0, 0]
    var error: [Int32] = [0, 0]
    guard pipe(&output) == 0, pipe(&error) == 0 else {
      throw .cannotStart(program: program, errno: errno)
    }
    for descriptor in output + error { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, error[1], STDERR_FILENO)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var arguments = words.map { strdup($0) } + [nil]
    var child = pid_t()
    let failure = posix_spawnp(&child, program, &actions, &attributes, &arguments, environ)
    for argument in arguments { free(argument) }
    posix_spawn_file_actions_destroy(&actions)
    posix_spawnattr_destroy(&attributes)
    close(output[1])
    close(error[1])
    defer {
      close(output[0])
      close(error[0])
    }
    guard failure == 0 else { throw .cannotStart(program: program, errno: failure) }
    let (said, complained) = read(output[0], error[0])
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    let signal = status & 0x7F
    return Outcome(
      status: signal == 0 ? (status >> 8) & 0xFF : 128 + signal,
      output: String(decoding: said, as: UTF8.self),
      error: String(decoding: complained, as: UTF8.self))
  }

  /// Reads two streams side by side, so that neither is filled up.
  private static func read(_ first: Int32, _ second: Int32) -> ([UInt8], [UInt8]) {
    var streams = [first, second].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    var bytes: [[UInt8]] = [[], []]
    var block = [UInt8](repeating: 0, count: 1 << 14)
    while streams.contains(where: { $0.fd >= 0 }) {
      if poll(&streams, nfds_t(streams.count), -1) < 0, errno != EINTR { break }
      for index in streams.indices where streams[index].fd >= 0 && streams[index].revents != 0 {
        let count = Glibc.read(streams[index].fd, &block, block.count)
        if count > 0 {
          bytes[index] += block[..<count]
        } else if count == 0 || errno != EINTR {
          streams[index].fd = -1
        }
      }
    }
    return (bytes[0], bytes[1])
  }
}
