/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calling thread's own stack by .eh_frame alone, against libgcc's unwinder,
 * which reads the same: each frame's pc, its place and its registers. */

#include <dlfcn.h>
#include <glib.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "callers.h"

#define MAX_FRAMES 300

#if defined(__aarch64__)
static const gint numbers[PYRO_CALLER_N_REGISTERS]
    = { 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 };
#else
static const gint numbers[PYRO_CALLER_N_REGISTERS] = { 3, 12, 13, 14, 15, 6 };
#endif

typedef struct {
  uintptr_t pc, start, registers[PYRO_CALLER_N_REGISTERS];
} Frame;

typedef struct {
  Frame frames[MAX_FRAMES];
  guint n, max;
} Frames;

static Frames ours, truth;
static uintptr_t stack_low, stack_high;

static volatile guint not_a_tail_call;

/* libgcc's, whichever other unwinder this process has, too. Its header has the
 * name of one of ours (Itanium C++ ABI, exception handling, 1.6). */
enum { NO_REASON = 0, END_OF_STACK = 5 };

static struct {
  int (*backtrace) (int (*) (void *, void *), void *);
  uintptr_t (*get_register) (void *, int);
  uintptr_t (*get_cfa) (void *);
  uintptr_t (*get_ip) (void *);
} libgcc;

static bool
on_caller (const PyroCaller *caller, void *data)
{
  Frames *frames = data;
  Frame *frame = &frames->frames[frames->n++];

  g_assert_true (caller->start < caller->limit);
  frame->pc = caller->pc;
  frame->start = (uintptr_t)caller->start;
  memcpy (frame->registers, caller->registers, sizeof frame->registers);
  return frames->n < frames->max;
}

static int
on_frame (void *context, void *data)
{
  Frames *frames = data;
  Frame *frame = &frames->frames[frames->n++];

  frame->pc = libgcc.get_ip (context);
  frame->start = libgcc.get_cfa (context);
  for (guint i = 0; i < PYRO_CALLER_N_REGISTERS; i++)
    frame->registers[i] = libgcc.get_register (context, numbers[i]);
  return frames->n < frames->max ? NO_REASON : END_OF_STACK;
}

static __attribute__ ((noinline)) void
look (void)
{
  ours.n = truth.n = 0;
  ours.max = truth.max = MAX_FRAMES;
  pyro_callers_walk (stack_low, stack_high, on_caller, &ours);
  libgcc.backtrace (on_frame, &truth);
  not_a_tail_call++;
}

/* The first frame is look()'s, at two calls of it. Of libgcc's last ones some
 * have no caller that CFI tells. */
static void
compare (guint least)
{
  g_assert_cmpuint (ours.n, >=, least);
  g_assert_cmpuint (ours.n, <=, truth.n);
  for (guint i = 1; i < ours.n; i++) {
    g_assert_cmphex (ours.frames[i].pc, ==, truth.frames[i].pc);
    g_assert_cmphex (ours.frames[i].start, ==, truth.frames[i].start);
    for (guint j = 0; j < PYRO_CALLER_N_REGISTERS; j++)
      g_assert_cmphex (ours.frames[i].registers[j], ==,
                       truth.frames[i].registers[j]);
  }
}

static gint
in_comparison (const void *a, const void *b)
{
  if (ours.n == 0)
    look ();
  return *(const gint *)a - *(const gint *)b;
}

static void
in_list (gpointer item, gpointer data)
{
  gint values[] = { 3, 1, 2 };

  qsort (values, G_N_ELEMENTS (values), sizeof *values, in_comparison);
}

static void
look_through_libraries (void *data)
{
  GList list = { 0 };

  ours.n = 0;
  g_list_foreach (&list, in_list, NULL);
  compare (GPOINTER_TO_UINT (data));
}

static void
test_libraries (void)
{
  look_through_libraries (GUINT_TO_POINTER (6));
}

typedef void (*ChurnCall) (void (*callback) (void *), void *data);

/* Nobody but the loader knows of it yet. */
static void
test_loaded_now (void)
{
  for (guint i = 0; i < 10; i++) {
    void *module = dlopen (
        g_getenv (i % 2 ? "CHURN_MODULE_A" : "CHURN_MODULE_B"), RTLD_NOW);
    ChurnCall call = (ChurnCall)dlsym (module, "churn_call");

    g_assert_nonnull (call);
    call (look_through_libraries, GUINT_TO_POINTER (8));
    dlclose (module);
  }
}

static void *
run_thread (void *data)
{
  pthread_attr_t attributes;
  void *start;
  gsize size;

  g_assert_no_errno (pthread_getattr_np (pthread_self (), &attributes));
  g_assert_no_errno (pthread_attr_getstack (&attributes, &start, &size));
  pthread_attr_destroy (&attributes);
  stack_low = (uintptr_t)start;
  stack_high = stack_low + size;
  look_through_libraries (GUINT_TO_POINTER (6));
  stack_low = stack_high = 0;
  return NULL;
}

static void
test_thread (void)
{
  pthread_t thread;

  g_assert_no_errno (pthread_create (&thread, NULL, run_thread, NULL));
  pthread_join (thread, NULL);
}

/* Above its stack nothing is mapped. */
static void
run_coroutine (void)
{
  look_through_libraries (GUINT_TO_POINTER (5));
}

static void
test_coroutine (void)
{
  const gsize size = 256 * 1024;
  guint8 *stack = mmap (NULL, size + 4096, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ucontext_t here, there;

  g_assert_true (stack != MAP_FAILED);
  g_assert_no_errno (mprotect (stack + size, 4096, PROT_NONE));
  getcontext (&there);
  there.uc_stack.ss_sp = stack;
  there.uc_stack.ss_size = size;
  there.uc_link = &here;
  makecontext (&there, run_coroutine, 0);
  /* As a thread that knows its own stack, but is on another one. */
  stack_low = 4096;
  stack_high = 8192;
  swapcontext (&here, &there);
  stack_low = stack_high = 0;
  munmap (stack, size + 4096);
}

static __attribute__ ((noinline)) guint
recurse (guint depth)
{
  guint n;

  if (depth == 0) {
    look ();
    return 0;
  }
  n = recurse (depth - 1) + 1;
  not_a_tail_call++;
  return n;
}

static void
test_depth (void)
{
  recurse (10000);
  g_assert_cmpuint (ours.n, ==, 256);
}

/* A stack that is said to end earlier than the frames do. */
static void
test_bounds (void)
{
  guintptr here = (guintptr)__builtin_frame_address (0);

  stack_low = here - 65536;
  stack_high = here + 64;
  look ();
  stack_low = stack_high = 0;
  g_assert_cmpuint (ours.n, >, 0);
  for (guint i = 0; i < ours.n; i++)
    g_assert_cmphex (ours.frames[i].start, <, here + 64);
  g_assert_cmpuint (truth.n, >, ours.n + 2);
}

static void
test_enough (void)
{
  ours.n = 0;
  ours.max = 2;
  pyro_callers_walk (0, 0, on_caller, &ours);
  g_assert_cmpuint (ours.n, ==, 2);
}

int
main (int argc, char **argv)
{
  void *handle = dlopen ("libgcc_s.so.1", RTLD_NOW);

  g_test_init (&argc, &argv, NULL);
  g_assert_nonnull (handle);
  *(void **)&libgcc.backtrace = dlsym (handle, "_Unwind_Backtrace");
  *(void **)&libgcc.get_register = dlsym (handle, "_Unwind_GetGR");
  *(void **)&libgcc.get_cfa = dlsym (handle, "_Unwind_GetCFA");
  *(void **)&libgcc.get_ip = dlsym (handle, "_Unwind_GetIP");
  g_test_add_func ("/callers/frames-are-those-that-libgcc-sees",
                   test_libraries);
  g_test_add_func ("/callers/through-a-library-that-was-loaded-now",
                   test_loaded_now);
  g_test_add_func ("/callers/on-a-thread-whose-stack-is-known", test_thread);
  g_test_add_func ("/callers/on-another-stack-than-the-threads-own",
                   test_coroutine);
  g_test_add_func ("/callers/a-deep-stack-is-not-walked-to-its-end",
                   test_depth);
  g_test_add_func ("/callers/nothing-beyond-the-stack-is-read", test_bounds);
  g_test_add_func ("/callers/until-the-visitor-has-enough", test_enough);
  return g_test_run ();
}
