import CLinux
import Foundation
import Glibc
import Hub
import Support
import Synchronization
import Testing

/// The lock that a blob is fetched under.
@Suite struct HubLockTests {
  @Test func oneHoldsItAtATime() throws {
    try Support.withTemporaryFolder { folder in
      let path = folder.path + "/.locks/models--org--tiny/etag.lock"
      var first: HubLock? = try HubLock(path)
      #expect(try HubLock(trying: path) == nil)
      #expect(first?.path == path)
      first = nil
      #expect(try HubLock(trying: path) != nil)
      // It stays when it is given back: others may wait for it.
      #expect(FileManager.default.fileExists(atPath: path))
    }
  }

  @Test func itIsTheLockOfTheSystemsFlock() throws {
    try Support.withTemporaryFolder { folder in
      let path = folder.path + "/etag.lock"
      let descriptor = open(path, O_RDWR | O_CREAT, 0o600)
      defer { close(descriptor) }
      #expect(clinux_try_lock(descriptor) == 0)
      #expect(try HubLock(trying: path) == nil)
      #expect(clinux_unlock(descriptor) == 0)
      let lock = try HubLock(trying: path)
      #expect(lock != nil)
      #expect(clinux_try_lock(descriptor) == -1)
      withExtendedLifetime(lock) {}
    }
  }

  @Test func aWaitEndsWhenItIsTold() throws {
    try Support.withTemporaryFolder { folder in
      let path = folder.path + "/etag.lock"
      let held = try HubLock(path)
      var waits = 0
      #expect {
        try HubLock(path, isStopped: { waits >= 2 }, waiting: { _ in waits += 1 })
      } throws: {
        if case HubError.interrupted? = $0 as? HubError { true } else { false }
      }
      #expect(waits == 2)
      withExtendedLifetime(held) {}
    }
  }

  @Test func aRemovedLockIsMadeAnew() throws {
    try Support.withTemporaryFolder { folder in
      let path = folder.path + "/etag.lock"
      let first = try HubLock(path)
      try FileManager.default.removeItem(atPath: path)
      #expect(try HubLock(trying: path) != nil)
      withExtendedLifetime(first) {}
    }
  }

  @Test func aLinkInItsPlaceIsNotFollowed() throws {
    try Support.withTemporaryFolder { folder in
      let path = folder.path + "/etag.lock"
      symlink(folder.path + "/elsewhere", path)
      #expect(throws: HubError.self) { try HubLock(path) }
      #expect(!FileManager.default.fileExists(atPath: folder.path + "/elsewhere"))
    }
  }
}
