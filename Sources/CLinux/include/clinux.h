// Linux calls that Swift's Glibc module does not show because they need _GNU_SOURCE.
#pragma once
#include <stddef.h>
#include <sys/types.h>

// Starts writing a range back to the disk, without waiting. Returns -1 and sets errno on failure.
int clinux_start_flushing(int descriptor, off_t offset, off_t count);

// Exchanges two paths atomically. Returns -1 and sets errno where the file system cannot.
int clinux_exchange(const char *_Nonnull first, const char *_Nonnull second);

// Takes an advisory lock on an open file or folder that ends when it is closed. Returns -1 and sets
// errno: EWOULDBLOCK if somebody else holds it. (Swift sees only the structure of that name.)
int clinux_try_lock(int descriptor);

// Gives the lock back.
int clinux_unlock(int descriptor);

// Writes the home folder that the system knows of a user, or of this process's where the name is null or
// empty. Returns -1 where there is none or it does not fit.
int clinux_home(const char *_Nullable user, char *_Nonnull home, size_t capacity);

// Copies what is left of one open file to another, sharing the disk's blocks where the file system can.
// Returns -1 and sets errno on failure.
int clinux_copy(int from, int to);
