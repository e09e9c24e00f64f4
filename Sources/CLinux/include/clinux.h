// Linux calls that Swift's Glibc module does not show because they need _GNU_SOURCE.
#pragma once
#include <stddef.h>
#include <sys/types.h>

// As copy_file_range(2) by position, without flags. Returns -1 and sets errno on failure.
ssize_t clinux_copy_file_range(int source, off_t from, int target, off_t to, size_t count);

// Starts writing a range back to the disk, without waiting. Returns -1 and sets errno on failure.
int clinux_start_flushing(int descriptor, off_t offset, off_t count);

// Exchanges two paths atomically. Returns -1 and sets errno where the file system cannot.
int clinux_exchange(const char *_Nonnull first, const char *_Nonnull second);
