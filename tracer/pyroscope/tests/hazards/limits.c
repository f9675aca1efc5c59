/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Applications that are short of something, or locked in. */

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hazard.h"

#define NOBODY 65534

static void
limit (int resource, rlim_t value)
{
  struct rlimit rlimit = { value, value };

  REQUIRE (setrlimit (resource, &rlimit) == 0);
}

static void
play (void)
{
  load_start ();
  while (time_is_left ())
    burn_ms (10);
  load_stop ();
}

#define N_OWN 7

static void
queue_and_take (HazardFunc meanwhile, bool is_probe)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, SIGRTMIN + 3);
  pthread_sigmask (SIG_BLOCK, &set, NULL);
  for (int i = 0; i < N_OWN; i++) {
    int result = sigqueue (getpid (), SIGRTMIN + 3, (union sigval){ i });

    if (result != 0 && is_probe)
      hazard_skip ("this user's other processes have signals pending");
    REQUIRE (result == 0);
  }
  if (meanwhile != NULL)
    meanwhile ();
  for (int i = 0; i < N_OWN; i++) {
    siginfo_t info;
    struct timespec wait = { 0, 0 };

    REQUIRE (sigtimedwait (&set, &info, &wait) == SIGRTMIN + 3);
    REQUIRE (info.si_value.sival_int == i);
  }
}

/* The limit is the user's, not the process's, and other processes with timers
 * come and go. Counted is the real user: where that may be changed, it becomes
 * one that has no other process; the effective one stays. */
static void
limit_signals (void)
{
  if (setresuid (1 << 30 | (uid_t)getpid (), -1, -1) != 0)
    REQUIRE (errno == EPERM || errno == EINVAL); /* not root, not a user here */
  limit (RLIMIT_SIGPENDING, 16);
  queue_and_take (NULL, true);
}

static void
burn_on (void)
{
  while (time_is_left ())
    burn_ms (10);
}

static void *
burn_shortly (void *is_over)
{
  while (!__atomic_load_n ((bool *)is_over, __ATOMIC_ACQUIRE)) {
    burn_ms (1);
    usleep (20000);
  }
  return NULL;
}

/* Half of them must be left, though more threads than that could have timers.
 */
static void
few_signals (void)
{
  pthread_t threads[16];
  bool is_over = false;

  load_start ();
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    REQUIRE (pthread_create (&threads[i], NULL, burn_shortly, &is_over) == 0);
  /* Before they have them, meanwhile, and after that. */
  for (int i = 0; i < 20; i++) {
    queue_and_take (NULL, false);
    usleep (20000);
  }
  queue_and_take (burn_on, false);
  __atomic_store_n (&is_over, true, __ATOMIC_RELEASE);
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    REQUIRE (pthread_join (threads[i], NULL) == 0);
  load_stop ();
}

/* All descriptors are in use while we want to look at threads. */
static void
few_descriptors (void)
{
  int fds[64], n = 0;

  load_start ();
  limit (RLIMIT_NOFILE, 64);
  while (n < 64 && (fds[n] = open ("/dev/null", O_RDONLY)) >= 0)
    n++;
  REQUIRE (errno == EMFILE && n > 0);
  while (time_is_left ())
    burn_ms (10);
  while (n > 0)
    REQUIRE (close (fds[--n]) == 0);
  load_stop ();
}

static void
no_file_growth (void)
{
  load_start ();
  limit (RLIMIT_FSIZE, 0);
  while (time_is_left ())
    burn_ms (10);
  load_stop ();
}

static void
no_more_threads (void)
{
  if (setresuid (NOBODY, NOBODY, NOBODY) != 0)
    hazard_skip ("the user cannot be changed: not root");
  limit (RLIMIT_NPROC, 0);
  load_start_without_threads ();
  while (time_is_left ())
    burn_ms (10);
  load_stop ();
}

static void
little_address_space (void)
{
  long pages = 0;
  FILE *file = fopen ("/proc/self/statm", "re");

  REQUIRE (file != NULL && fscanf (file, "%ld", &pages) == 1);
  fclose (file);
  load_start ();
  /* Each new thread of anybody's may take 64 MiB for an arena of malloc's, and
   * where GLib then finds no memory it aborts: less than some arenas is not
   * survived, with or without a profiler. */
  limit (RLIMIT_AS, (rlim_t)pages * 4096 + (520 << 20));
  while (time_is_left ())
    burn_ms (10);
  load_stop ();
}

/* Enough for the application, not for a profiler besides. */
static void
hardly_any_address_space (void)
{
  long pages = 0;
  FILE *file = fopen ("/proc/self/statm", "re");

  /* Threads that gst_init() has left behind, with arenas of malloc's, end. */
  usleep (100000);
  REQUIRE (file != NULL && fscanf (file, "%ld", &pages) == 1);
  fclose (file);
  limit (RLIMIT_AS, (rlim_t)pages * 4096 + (40 << 20));
  load_start ();
  while (time_is_left ())
    burn_ms (10);
  load_stop ();
}

/* Mounts are this process's own from here on. */
static void
unshare_mounts (void)
{
  if (unshare (CLONE_NEWNS) != 0
      || mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
    hazard_skip ("no mount namespace of its own: not root, or in a sandbox");
}

static void
full_disk (void)
{
  char path[4096], data[4096] = "full";
  int fd;

  unshare_mounts ();
  if (mount ("none", hazard_directory, "tmpfs", 0, "size=16k") != 0)
    hazard_skip ("tmpfs cannot be mounted");
  snprintf (path, sizeof path, "%s/filler", hazard_directory);
  fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE (fd >= 0);
  while (write (fd, data, sizeof data) > 0)
    ;
  REQUIRE (errno == ENOSPC);
  play ();
  close (fd);
}

static void
in_a_chroot (void)
{
  load_start ();
  usleep (50000);
  if (chroot (hazard_directory) != 0)
    hazard_skip ("chroot is not allowed: not root");
  REQUIRE (chdir ("/") == 0);
  while (time_is_left ())
    burn_ms (10);
  load_stop ();
}

static void
another_user (void)
{
  load_start ();
  usleep (50000);
  if (setresgid (NOBODY, NOBODY, NOBODY) != 0
      || setresuid (NOBODY, NOBODY, NOBODY) != 0)
    hazard_skip ("the user cannot be changed: not root");
  while (time_is_left ())
    burn_ms (10);
  load_stop ();
}

static void
no_proc (void)
{
  unshare_mounts ();
  if (umount2 ("/proc", MNT_DETACH) != 0)
    hazard_skip ("/proc cannot be unmounted");
  REQUIRE (access ("/proc/self", F_OK) != 0);
  play ();
}

static void
not_dumpable (void)
{
  if (setresuid (NOBODY, NOBODY, NOBODY) != 0)
    hazard_skip ("the user cannot be changed: not root");
  REQUIRE (prctl (PR_SET_DUMPABLE, 0) == 0);
  play ();
}

#define REFUSE(call)                                      \
  BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), \
      BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

/* Files cannot be opened, other processes' memory not be read; threads cannot
 * be given timers. */
static void
install_filter (void)
{
  struct sock_filter filter[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
#ifdef SYS_open
    REFUSE (open),
#endif
    REFUSE (openat),
    REFUSE (ptrace),
    REFUSE (process_vm_readv),
    REFUSE (timer_create),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = { G_N_ELEMENTS (filter), filter };

  REQUIRE (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  if (syscall (SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
               &program)
      != 0)
    hazard_skip ("no seccomp filter can be installed");
}

static void
refusing_filter (void)
{
  load_start ();
  load_stop ();
  install_filter ();
  play ();
}

static void
refusing_filter_later (void)
{
  load_start ();
  usleep (100000);
  install_filter ();
  while (time_is_left ())
    burn_ms (10);
  load_stop ();
}

const Hazard limit_hazards[] = {
  { "few-signals", few_signals, limit_signals },
  { "few-descriptors", few_descriptors, NULL },
  { "no-file-growth", no_file_growth, NULL },
  { "no-more-threads", no_more_threads, NULL },
  { "little-address-space", little_address_space, NULL },
  { "hardly-any-address-space", hardly_any_address_space, NULL },
  { "full-disk", full_disk, NULL },
  { "in-a-chroot", in_a_chroot, NULL },
  { "another-user", another_user, NULL },
  { "no-proc", no_proc, NULL },
  { "not-dumpable", not_dumpable, NULL },
  { "refusing-filter", refusing_filter, NULL },
  { "refusing-filter-later", refusing_filter_later, NULL },
  { NULL, NULL, NULL },
};
