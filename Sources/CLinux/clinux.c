#define _GNU_SOURCE
#include "clinux.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

int clinux_start_flushing(int descriptor, off_t offset, off_t count) {
  return sync_file_range(descriptor, offset, count, SYNC_FILE_RANGE_WRITE);
}

int clinux_exchange(const char *first, const char *second) {
  return renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE);
}

int clinux_try_lock(int descriptor) { return flock(descriptor, LOCK_EX | LOCK_NB); }

int clinux_unlock(int descriptor) { return flock(descriptor, LOCK_UN); }

int clinux_home(const char *user, char *home, size_t capacity) {
  struct passwd entry, *found = NULL;
  char text[16384];
  int failure = user && *user ? getpwnam_r(user, &entry, text, sizeof text, &found)
                              : getpwuid_r(getuid(), &entry, text, sizeof text, &found);
  if (failure || !found || !found->pw_dir || strlen(found->pw_dir) >= capacity) return -1;
  strcpy(home, found->pw_dir);
  return 0;
}

static int copy_by_hand(int from, int to) {
  char bytes[65536];
  for (;;) {
    ssize_t count = read(from, bytes, sizeof bytes);
    if (count == 0) return 0;
    if (count < 0) {
      if (errno == EINTR) continue;
      return -1;
    }
    for (ssize_t done = 0; done < count;) {
      ssize_t written = write(to, bytes + done, count - done);
      if (written < 0 && errno != EINTR) return -1;
      if (written > 0) done += written;
    }
  }
}

int clinux_copy(int from, int to) {
  if (lseek(from, 0, SEEK_CUR) == 0 && ioctl(to, FICLONE, from) == 0) return 0;
  for (;;) {
    ssize_t count = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);
    if (count == 0) return 0;
    // Between some file systems it is not possible; both positions stand where the copy is to go on.
    if (count < 0 && errno != EINTR) return errno == EIO || errno == ENOSPC ? -1 : copy_by_hand(from, to);
  }
}
