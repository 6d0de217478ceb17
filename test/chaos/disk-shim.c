/*
 * Preloaded into a node: fsync and fdatasync that fail or take their time, as the first byte of the file named by
 * CHAOS_DISK says; behind it are two counters of how often that was done. Everything else is the system's own.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct control {
  volatile uint8_t mode; /* 0 as ever, 1 fails with EIO, 2 takes 200 ms */
  uint8_t unused[7];
  volatile uint64_t failed;
  volatile uint64_t slowed;
};

static struct control *control;

__attribute__((constructor)) static void open_control(void) {
  const char *path = getenv("CHAOS_DISK");
  if (path == NULL) return;
  int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void *at = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (at != MAP_FAILED) control = at;
}

static int disturbed(int (*sync)(int), int file) {
  if (control == NULL || control->mode == 0) return sync(file);
  if (control->mode == 1) {
    __atomic_fetch_add(&control->failed, 1, __ATOMIC_RELAXED);
    errno = EIO;
    return -1;
  }
  __atomic_fetch_add(&control->slowed, 1, __ATOMIC_RELAXED);
  usleep(200 * 1000);
  return sync(file);
}

int fsync(int file) {
  return disturbed((int (*)(int))dlsym(RTLD_NEXT, "fsync"), file);
}

int fdatasync(int file) {
  return disturbed((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"), file);
}
