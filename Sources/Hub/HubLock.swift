import CLinux
import Glibc
import Tensors

/// The lock that a blob is fetched under: Python's `filelock` takes the same one.
///
/// It is a `flock` on a file of its own, which stays when the lock is given back, and ends with the process.
/// Source: filelock 3, `_unix.py`; huggingface_hub 2.4.0, `utils/_fixes.py`.
public final class HubLock: Sendable {
  public let path: String
  private let descriptor: Int32

  /// Waits until nobody else holds the lock.
  ///
  /// - Parameters:
  ///   - isStopped: asked every twentieth of a second; where it says so, the wait ends.
  ///   - waiting: called with the seconds waited, each time before it is tried again.
  /// - Throws: `HubError.interrupted`, `.file` where the file system has no locks or the folder cannot be written.
  public init(
    _ path: String, isStopped: () -> Bool = { false }, waiting: (Double) -> Void = { _ in }
  ) throws(HubError) {
    self.path = path
    do { try Folder.create(Folder.parent(path)) } catch { throw .file(error) }
    var waited = 0.0
    while true {
      if let descriptor = try Self.take(path) {
        self.descriptor = descriptor
        return
      }
      if isStopped() { throw .interrupted }
      waiting(waited)
      usleep(50_000)
      waited += 0.05
    }
  }

  /// Takes the lock if nobody holds it; `nil` if somebody does.
  public init?(trying path: String) throws(HubError) {
    self.path = path
    do { try Folder.create(Folder.parent(path)) } catch { throw .file(error) }
    guard let descriptor = try Self.take(path) else { return nil }
    self.descriptor = descriptor
  }

  deinit {
    // Closing would do; a child of another thread may have the descriptor, too.
    _ = clinux_unlock(descriptor)
    close(descriptor)
  }

  private static func take(_ path: String) throws(HubError) -> Int32? {
    let flags = O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC
    var descriptor = open(path, flags | O_CREAT | O_EXCL, 0o664)
    if descriptor >= 0 {
      // Whoever shares the cache may wait for the lock, whatever the process's mask.
      fchmod(descriptor, 0o664)
    } else {
      descriptor = open(path, flags)
      // Gone since: it is tried again.
      if descriptor < 0, errno == ENOENT { return nil }
    }
    guard descriptor >= 0 else { throw .file(.cannotOpen(path: path, errno: errno)) }
    if clinux_try_lock(descriptor) == 0 {
      var status = stat()
      // Somebody may have removed the file between opening and locking it: then it guards nothing.
      if fstat(descriptor, &status) == 0, status.st_nlink > 0 { return descriptor }
      close(descriptor)
      return nil
    }
    let code = errno
    close(descriptor)
    if [EWOULDBLOCK, EACCES, EINTR].contains(code) { return nil }
    throw .file(.cannotChange(path: path, action: "lock it", errno: code))
  }
}
