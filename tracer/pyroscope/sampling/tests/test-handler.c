/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The handler with real tables and maps, where it could do harm. */

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sampler.h"
#include "sampling/handler.h"
#include "sampling/control-block.h"
#include "unwinding/memory-map.h"
#include "unwinding/modules.h"

/* Registers, tables and cache are in the record or in the sample: what is left
 * has to fit the smallest stacks. */
#define MAX_STACK_USE 2048
#define STACK_SIZE (256 * 1024)
#define PAINT 0xa5

static PyroMemoryWatch *watch;

static void
use_tables (void)
{
  PyroModules *modules = pyro_modules_new (TRUE);

  pyro_modules_refresh (modules);
  watch = pyro_memory_watch_new ();
  g_assert_true (pyro_memory_watch_refresh (watch, NULL));
  pyro_handler_set_unwinder (pyro_unwind_by_tables);
}

static gint tid, done;

#if defined(__x86_64__)
__attribute__ ((noreturn)) static void
exit_thread (void)
{
  for (;;)
    __asm__ volatile("syscall"
                     :
                     : "a"((glong)SYS_exit), "D"(0L)
                     : "rcx", "r11", "memory");
}

/* Whatever is called from here on, also in a handler, kills the process; but
 * for the return from the handler and the end. */
static void *
spin_without_calls (void *data)
{
  struct sock_filter filter[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 1, 0),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  struct sock_fprog program = { G_N_ELEMENTS (filter), filter };

  tid = gettid ();
  if (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
      || prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    _exit (SKIP_STATUS);
  spin (1000000000);
  __atomic_store_n (&done, 1, __ATOMIC_RELEASE);
  exit_thread ();
}

static void
child_no_calls (void)
{
  Sampler *sampler;
  pthread_t thread;
  const Account *account;

  use_tables ();
  sampler = sampler_new (1000);
  pthread_create (&thread, NULL, spin_without_calls, NULL);
  usleep (20000);
  pyro_memory_watch_refresh (watch, NULL);
  sampler_run (sampler, 10000, &done);
  sampler_stop (sampler);
  account = sampler_get (sampler, tid);
  g_test_message ("%u samples, deepest %" G_GUINT64_FORMAT, account->n_samples,
                  account->max_depth);
  g_assert_cmpuint (account->n_samples, >, 2);
  g_assert_cmpuint (account->max_depth, >=, 3);
}
#else
static void
child_no_calls (void)
{
  _exit (SKIP_STATUS);
}
#endif

static guint8 *stack;
static gsize stack_pointer;

static __attribute__ ((noinline)) gulong
descend (guint depth)
{
  gulong result;

  volatile guint8 room[64];

  room[0] = 1;
  if (depth == 0) {
    stack_pointer = (gsize)__builtin_frame_address (0);
    spin (1000000000);
    return 1;
  }
  result = descend (depth - 1);
  __asm__ volatile("" : "+r"(result));
  return result + room[0];
}

static void *
spin_on_painted_stack (void *data)
{
  tid = gettid ();
  descend (40);
  __atomic_store_n (&done, 1, __ATOMIC_RELEASE);
  return NULL;
}

static void
child_stack_use (void)
{
  Sampler *sampler;
  pthread_attr_t attributes;
  pthread_t thread;
  gsize lowest = 0, used;
  gsize frame = getauxval (AT_MINSIGSTKSZ);
  const Account *account;

  if (frame == 0)
    _exit (SKIP_STATUS);
  use_tables ();
  stack = mmap (NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  memset (stack, PAINT, STACK_SIZE);
  pthread_attr_init (&attributes);
  g_assert_cmpint (pthread_attr_setstack (&attributes, stack, STACK_SIZE), ==,
                   0);
  sampler = sampler_new (1000);
  pthread_create (&thread, &attributes, spin_on_painted_stack, NULL);
  usleep (20000);
  pyro_memory_watch_refresh (watch, NULL);
  sampler_run (sampler, 10000, &done);
  pthread_join (thread, NULL);
  account = sampler_get (sampler, tid);
  while (stack[lowest] == PAINT)
    lowest++;
  used = stack_pointer - (gsize)(stack + lowest);
  g_test_message ("%zu bytes below the interrupted frame, the signal frame is "
                  "at most %zu of them; %u samples, deepest %" G_GUINT64_FORMAT,
                  used, frame, account->n_samples, account->max_depth);
  g_assert_cmpuint (account->n_samples, >, 2);
  g_assert_cmpuint (account->max_depth, >=, 40);
  g_assert_cmpuint (used, <, frame + MAX_STACK_USE);
}

static void
never_released (PyroAnnouncement *announcement)
{
}

/* More than a page of frames. */
#define DEPTH 150

/* DATA: its announcement, or NULL. */
static void *
spin_on_new_stack (void *data)
{
  PyroAnnouncement *announcement = data;
  static const guint64 label;

  tid = gettid ();
  if (announcement != NULL)
    announce (announcement, &label, never_released);
  descend (DEPTH);
  __atomic_store_n (&done, 1, __ATOMIC_RELEASE);
  return NULL;
}

/* No refresh of the map: it does not know the stack. */
static guint64
depth_on_new_stack (PyroAnnouncement *announcement)
{
  Sampler *sampler;
  pthread_t thread;
  const Account *account;

  use_tables ();
  sampler = sampler_new (1000);
  pthread_create (&thread, NULL, spin_on_new_stack, announcement);
  sampler_run (sampler, 10000, &done);
  pthread_join (thread, NULL);
  account = sampler_get (sampler, tid);
  g_test_message ("%u samples, deepest %" G_GUINT64_FORMAT, account->n_samples,
                  account->max_depth);
  g_assert_cmpuint (account->n_samples, >, 2);
  return account->max_depth;
}

/* The page that the kernel has just written to is all that is certain. */
static void
child_new_stack (void)
{
  guint64 depth = depth_on_new_stack (NULL);

  g_assert_cmpuint (depth, >, 1);
  g_assert_cmpuint (depth, <, 100);
}

#if defined(__GLIBC__) && defined(__x86_64__)
static void
child_control_block (void)
{
  if ((getauxval (AT_HWCAP2) & 2) == 0) /* FSGSBASE */
    _exit (SKIP_STATUS);
  pyro_control_block_learn ();
  g_assert_cmpuint (depth_on_new_stack (NULL), >, DEPTH);
}

static void *
find_stack (void *data)
{
  guintptr here = (guintptr)__builtin_frame_address (0);
  guintptr self = (guintptr)pthread_self ();
  guintptr low, high;
  pthread_attr_t attributes;
  void *start;
  gsize size;

  g_assert_true (pyro_control_block_find_stack (self, gettid (), &low, &high));
  g_assert_cmpuint (pthread_getattr_np (pthread_self (), &attributes), ==, 0);
  pthread_attr_getstack (&attributes, &start, &size);
  pthread_attr_destroy (&attributes);
  g_assert_cmpuint (low, <=, (guintptr)start);
  g_assert_cmpuint (high, >, here);
  g_assert_cmpuint (high, ==, self);
  g_assert_cmpuint (high, <=, (guintptr)start + size);
  /* Another thread's, no control block, no memory. */
  g_assert_false (
      pyro_control_block_find_stack (self, gettid () + 1, &low, &high));
  g_assert_false (
      pyro_control_block_find_stack (self + 64, gettid (), &low, &high));
  g_assert_false (pyro_control_block_find_stack (16, gettid (), &low, &high));
  return NULL;
}

static void
child_control_blocks (void)
{
  gsize size = 64 * 1024;
  pthread_attr_t attributes;
  pthread_t thread;

  if ((getauxval (AT_HWCAP2) & 2) == 0)
    _exit (SKIP_STATUS);
  pyro_control_block_learn ();
  for (guint i = 0; i < 3; i++) {
    pthread_attr_init (&attributes);
    if (i == 1)
      pthread_attr_setstacksize (&attributes, 1 << 20);
    /* What is above it is another's. */
    if (i == 2)
      pthread_attr_setstack (&attributes,
                             mmap (NULL, 2 * size, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                             size);
    pthread_create (&thread, &attributes, find_stack, NULL);
    pthread_join (thread, NULL);
    pthread_attr_destroy (&attributes);
  }
}
#endif

static void
child_announced_stack (void)
{
  static PyroAnnouncement announcement;

  g_assert_cmpuint (depth_on_new_stack (&announcement), >, DEPTH);
}

static void
child_errno (void)
{
  Sampler *sampler = sampler_new (1000);

  errno = 4711;
  spin (100000000);
  g_assert_cmpint (errno, ==, 4711);
  sampler_stop (sampler);
  g_assert_cmpuint (sampler->all.n_samples, >, 1);
}

/* Nobody reads: the ring fills, and what does not fit is counted. */
static void
child_full_ring (void)
{
  Sampler *sampler = sampler_new (1000);
  guint64 process_ns;
  Account *all = &sampler->all;

  burn_ms (3500);
  sampler_stop (sampler);
  process_ns = sampler_process_ns (sampler);
  g_test_message ("%.1f ms lost, %.1f ms sampled of %.1f ms",
                  (double)all->unsampled_ns[PYRO_UNSAMPLED_LOST] / MS,
                  (double)all->sampled_ns / MS, (double)process_ns / MS);
  assert_about (account_sum (all), process_ns, 40 * MS);
}

static void
run_child (gconstpointer test)
{
  in_a_process ((void (*) (void)) (gsize)test);
}

#define ADD(name, test) \
  g_test_add_data_func ("/handler/" name, (gconstpointer)(gsize)test, run_child)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("makes no system call", child_no_calls);
  ADD ("needs less than 2 KiB of stack", child_stack_use);
  ADD ("of a stack that nobody knows no more than a page is read",
       child_new_stack);
#if defined(__GLIBC__) && defined(__x86_64__)
  ADD ("a thread that nobody announced has its stack by its control block",
       child_control_block);
  ADD ("a control block is taken for one only if it is the thread's",
       child_control_blocks);
#endif
  ADD ("a thread newer than the map has whole stacks once it is announced",
       child_announced_stack);
  ADD ("leaves errno alone", child_errno);
  ADD ("a ring that nobody reads", child_full_ring);
  return g_test_run ();
}
