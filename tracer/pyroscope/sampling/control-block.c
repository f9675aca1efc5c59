/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "control-block.h"

#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "handler.h"
#include "own-thread.h"
#include "unwinding/own-memory.h"

#if defined(__GLIBC__) && defined(__x86_64__)

/* The kernel's HWCAP2_FSGSBASE (arch/x86/include/uapi/asm/hwcap2.h). */
#define FSGSBASE_BIT 2

/* System V ABI, TLS: the thread pointer points to itself; glibc keeps the
 * control block's address behind that and the thread vector. */
#define SELF_WORD 2

/* struct pthread takes 2304 bytes in glibc 2.36. */
#define N_WORDS 288

#define PROBE_STACK_SIZE (160 * 1024)

/* In words; SIZE follows STACK. */
static struct {
  gboolean is_tried, is_certain;
  guint tid; /* in halves of words */
  guint stack;
} layout;

typedef struct {
  pid_t tid;
  guintptr low, high;
  gboolean is_read;
  union {
    guint64 words[N_WORDS];
    guint32 halves[2 * N_WORDS];
  } block;
} Probe;

static void *
probe (void *data)
{
  Probe *result = data;
  guintptr self = (guintptr)pthread_self ();
  pthread_attr_t attributes;
  void *low;
  size_t size;

  result->tid = (pid_t)syscall (SYS_gettid);
  if (pthread_getattr_np (pthread_self (), &attributes) != 0)
    return NULL;
  if (pthread_attr_getstack (&attributes, &low, &size) == 0) {
    result->low = (guintptr)low;
    result->high = (guintptr)low + size;
    result->is_read
        = pyro_own_memory_read (self, sizeof result->block, &result->block)
              == sizeof result->block
          && result->block.words[SELF_WORD] == self;
  }
  pthread_attr_destroy (&attributes);
  return NULL;
}

static gboolean
is_stack (const Probe *probe, guint i)
{
  const guint64 *words = probe->block.words;

  /* With the guard pages, which an application's view leaves out. */
  return words[i] <= probe->low && words[i] + words[i + 1] == probe->high
         && words[i + 1] >= probe->high - probe->low;
}

static gboolean
find_layout (const Probe *a, const Probe *b)
{
  guint n_tids = 0, n_stacks = 0;

  for (guint i = 0; i < 2 * N_WORDS; i++) {
    if (a->block.halves[i] == (guint32)a->tid
        && b->block.halves[i] == (guint32)b->tid) {
      layout.tid = i;
      n_tids++;
    }
  }
  for (guint i = 0; i + 1 < N_WORDS; i++) {
    if (is_stack (a, i) && is_stack (b, i)) {
      layout.stack = i;
      n_stacks++;
    }
  }
  return n_tids == 1 && n_stacks == 1;
}

static gboolean
run_probe (gsize stack_size, Probe *result)
{
  pthread_t thread;

  if (pyro_own_thread_create (&thread, stack_size, PYRO_OWN_THREAD_PROMPT,
                              probe, result)
      != 0)
    return FALSE;
  pthread_join (thread, NULL);
  return result->is_read;
}

void
pyro_control_block_learn (void)
{
  Probe small = { 0 }, large = { 0 };

  if (layout.is_tried)
    return;
  layout.is_tried = TRUE;
  if ((getauxval (AT_HWCAP2) & FSGSBASE_BIT) == 0)
    return;
  layout.is_certain = run_probe (PROBE_STACK_SIZE, &small)
                      && run_probe (2 * PROBE_STACK_SIZE, &large)
                      && find_layout (&small, &large);
  if (layout.is_certain)
    pyro_handler_set_has_thread_pointer (true);
}

gboolean
pyro_control_block_find_stack (guintptr pointer, pid_t tid, guintptr *low,
                               guintptr *high)
{
  Probe found;
  const guint64 *words = found.block.words;

  if (!layout.is_certain
      || pyro_own_memory_read (pointer, sizeof found.block, &found.block)
             != sizeof found.block
      || words[SELF_WORD] != pointer
      || found.block.halves[layout.tid] != (guint32)tid)
    return FALSE;
  *low = words[layout.stack];
  *high = *low + words[layout.stack + 1];
  if (*low == 0 || *high <= *low)
    return FALSE;
  if (pointer > *low && pointer < *high)
    *high = pointer;
  return TRUE;
}

#else

void
pyro_control_block_learn (void)
{
}

gboolean
pyro_control_block_find_stack (guintptr pointer, pid_t tid, guintptr *low,
                               guintptr *high)
{
  return FALSE;
}

#endif
