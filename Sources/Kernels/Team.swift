import CKernels

/// The threads that all kernels share, one for each core.
public enum Team {
  public static var size: Int { Int(team_size()) }

  /// Sets the number of threads.
  public static func resize(_ threads: Int) { team_resize(Int32(threads)) }

  /// Cuts 0..<count into one range for each thread and works on them side by side.
  ///
  /// The cut depends on nothing but the count, the grain and the number of threads.
  ///
  /// - Parameter grain: the smallest range worth a thread.
  public static func split(_ count: Int, grain: Int = 1, _ body: (Range<Int>) -> Void) {
    if count == 0 { return }
    let parts = min(size, max(1, count / max(1, grain)))
    if parts == 1 { return body(0..<count) }
    forEach(parts) { part in
      body(count * part / parts..<count * (part + 1) / parts)
    }
  }

  /// Works on each of 0..<count, thread t on t, t + threads and so on.
  public static func forEach(_ count: Int, _ body: (Int) -> Void) {
    if count == 1 { return body(0) }
    withoutActuallyEscaping(body) { body in
      var job = Job(count: count, body: body)
      withUnsafeMutablePointer(to: &job) { job in
        team_run(
          { context, thread, threads in
            guard let job = context?.assumingMemoryBound(to: Job.self) else { return }
            for index in stride(
              from: Int(thread), to: job.pointee.count, by: Int(threads))
            {
              job.pointee.body(index)
            }
          }, job)
      }
    }
  }

  private struct Job {
    var count: Int
    var body: (Int) -> Void
  }
}
