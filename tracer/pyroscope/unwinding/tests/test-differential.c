/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables against libunwind, on real pipelines. A timer interrupts whoever runs;
 * from there the processor's trap flag stops the thread after every
 * instruction for a while, so that prologues, epilogues and PLT entries come as
 * often as they are executed. At each stop both unwinders walk the same
 * registers; where both name a caller, it has to be the same one.
 *
 * libunwind cannot tell the caller of code without CFI. There the calls that
 * were executed during a longer run of single steps are the oracle.
 *
 * usage: test-unwinding-differential [FRAMES-PER-PIPELINE]
 */

#include <gst/gst.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "memory-map.h"
#include "modules.h"
#include "pipelines.h"
#include "reference-libunwind.h"
#include "own-bounds.h"
#include "registers.h"
#include "tables.h"
#include "thread-start.h"
#include "unwind-cache.h"

#define STEPS 64
#define LONG_STEPS 4096 /* every fourth run; without libunwind */
#define MAX_CALLS 64
#define TRAP_FLAG 0x100
#define MAX_REPORTS 16
#define MAX_SECONDS 400

typedef struct {
  guint64 stacks;
  guint64 frames; /* that both unwinders named */
  guint64 busy;   /* stacks that libunwind had no time for */
  guint64 rescued;
  guint64 complete;
  guint64 checked_rescues;   /* whose caller the steps have seen */
  guint64 extra_frames;      /* of these: one frame too many before it */
  guint64 wrong_rescues;     /* of these: others that do not begin with it */
  guint64 libunwind_shorter; /* it stopped before the tables' root */
  guint64 contradictions;
  guint64 false_roots;         /* complete, but not at a thread's start */
  guint64 rescued_false_roots; /* of these: with a rescued leaf */
  guint64 ends[PYRO_STACK_N_ENDS];
} Counts;

typedef struct {
  uintptr_t pcs[2]; /* by the tables, by libunwind; 0: the stack ended */
  uintptr_t leaf;
  uintptr_t callee;
  guint depth;
} Report;

static Counts counts;
static Report reports[MAX_REPORTS];
static guint n_reports;
static gint is_stopped;

/* In an executable this is a constant offset from the thread pointer. */
static __thread unsigned steps_left;
static __thread unsigned runs;
static __thread PyroUnwindCache cache;
static uintptr_t wanted_code; /* of whichever thread asked last */

/* The calls of this run of steps that have not returned. */
static __thread struct {
  struct {
    uintptr_t slot; /* where the return address stands */
    uintptr_t ra;
  } calls[MAX_CALLS];
  unsigned n;
  bool is_lost; /* more calls than fit */
  uintptr_t pc, sp;
} shadow;

static void
count (guint64 *counter, guint64 n)
{
  __atomic_fetch_add (counter, n, __ATOMIC_RELAXED);
}

static void
note (uintptr_t by_tables, uintptr_t by_oracle, uintptr_t leaf,
      uintptr_t callee, unsigned depth)
{
  guint n = __atomic_fetch_add (&n_reports, 1, __ATOMIC_RELAXED);

  if (n >= MAX_REPORTS)
    return;
  reports[n].pcs[0] = by_tables;
  reports[n].pcs[1] = by_oracle;
  reports[n].leaf = leaf;
  reports[n].callee = callee;
  reports[n].depth = depth;
}

static void
report (const uintptr_t *by_tables, const uintptr_t *by_libunwind,
        unsigned depth, unsigned tables_depth, unsigned libunwind_depth)
{
  count (&counts.contradictions, 1);
  note (depth < tables_depth ? by_tables[depth] : 0,
        depth < libunwind_depth ? by_libunwind[depth] : 0, by_tables[0],
        by_tables[depth - 1], depth);
}

static void
compare (const PyroWalk *tables, const uintptr_t *by_tables,
         const PyroWalk *libunwind, const uintptr_t *by_libunwind)
{
  unsigned both = MIN (tables->depth, libunwind->depth);
  unsigned i;

  if (tables->omitted > 0 || libunwind->omitted > 0)
    return;
  for (i = 1; i < both; i++) {
    if (by_tables[i] != by_libunwind[i]) {
      report (by_tables, by_libunwind, i, tables->depth, libunwind->depth);
      return;
    }
  }
  count (&counts.frames, both);
  if (tables->end == PYRO_STACK_COMPLETE && libunwind->depth > tables->depth)
    report (by_tables, by_libunwind, both, tables->depth, libunwind->depth);
  else if (libunwind->depth < tables->depth)
    count (&counts.libunwind_shorter, 1);
}

static void
start_shadow (const ucontext_t *context)
{
  shadow.n = 0;
  shadow.is_lost = false;
  shadow.pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
  shadow.sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
}

/* From the step before this one to this one: a call has pushed the address
 * after itself, and whatever moves the stack pointer above that has returned.
 */
static void
update_shadow (const ucontext_t *context)
{
  uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
  uintptr_t sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];

  while (shadow.n > 0 && shadow.calls[shadow.n - 1].slot < sp)
    shadow.n--;
  if (sp == shadow.sp - 8) {
    uintptr_t ra = *(const uintptr_t *)sp;

    if (ra - shadow.pc >= 2 && ra - shadow.pc <= 8 && pc != ra) {
      if (shadow.n == MAX_CALLS) {
        shadow.is_lost = true;
      } else {
        shadow.calls[shadow.n].slot = sp;
        shadow.calls[shadow.n++].ra = ra;
      }
    }
  }
  shadow.pc = pc;
  shadow.sp = sp;
}

static bool
has_cfi (const PyroUnwindSources *sources, uintptr_t pc)
{
  uint32_t rule = pyro_tables_find_rule (sources->tables, pc);

  return rule != PYRO_SPECIAL_NONE && rule != PYRO_SPECIAL_UNKNOWN;
}

/* The innermost caller with CFI of code without, if both made their calls
 * during this run. A function that has jumped to its last callee may have left
 * a return address below, in what is now that callee's frame: its name is then
 * one too many. */
static void
check_rescue (const PyroUnwindSources *sources, const uintptr_t *by_tables,
              unsigned depth)
{
  unsigned i = shadow.n, bare = 0;

  if (has_cfi (sources, by_tables[0])) {
    for (bare = 1; bare < depth && has_cfi (sources, by_tables[bare] - 1);)
      bare++;
    if (bare == depth)
      return;
    while (i > 0 && shadow.calls[i - 1].ra != by_tables[bare])
      i--;
  }
  while (!shadow.is_lost && i > 0) {
    uintptr_t ra = shadow.calls[--i].ra;

    if (!has_cfi (sources, ra - 1))
      continue;
    count (&counts.checked_rescues, 1);
    if (depth > bare + 1 && by_tables[bare + 1] == ra)
      return;
    if (depth > bare + 2 && by_tables[bare + 2] == ra) {
      count (&counts.extra_frames, 1);
    } else {
      count (&counts.wrong_rescues, 1);
      note (by_tables[bare + 1], ra, by_tables[0], by_tables[bare], bare + 1);
    }
    return;
  }
}

/* A stack that is complete ends where threads begin. */
static void
check_root (const uintptr_t *by_tables, const PyroWalk *walk)
{
  if (pyro_test_is_thread_start (by_tables[walk->depth - 1]))
    return;
  count (&counts.false_roots, 1);
  count (&counts.rescued_false_roots, walk->rescued);
  note (0, 0, by_tables[0], by_tables[walk->depth - 1], walk->depth);
}

static void
look (const ucontext_t *context, bool with_libunwind)
{
  PyroUnwindSources sources
      = { pyro_modules_published (), pyro_memory_map_published (), &cache };
  uintptr_t by_tables[PYRO_MAX_FRAMES], by_libunwind[PYRO_MAX_FRAMES];
  PyroWalk tables, libunwind;
  PyroStackBounds stack;
  PyroRegisters regs;

  pyro_registers_from_ucontext (&regs, context);
  count (&counts.stacks, 1);
  if (!pyro_test_find_stack (&sources, regs.sp, &stack)) {
    count (&counts.ends[PYRO_STACK_UNKNOWN_STACK], 1);
    return;
  }
  pyro_unwind_by_tables (&sources, &regs, &stack, by_tables, PYRO_MAX_FRAMES,
                         &tables);
  if (cache.wanted_code != 0)
    wanted_code = cache.wanted_code;
  cache.wanted_code = 0;
  count (&counts.ends[tables.end], 1);
  if (tables.end == PYRO_STACK_COMPLETE) {
    count (&counts.complete, 1);
    check_root (by_tables, &tables);
  } else
    note (0, 0, by_tables[0], by_tables[tables.depth - 1], tables.depth);
  if (tables.rescued) {
    count (&counts.rescued, 1);
    check_rescue (&sources, by_tables, tables.depth);
    return;
  }
  if (!with_libunwind)
    return;
  pyro_unwind_by_libunwind (&sources, &regs, &stack, by_libunwind,
                            PYRO_MAX_FRAMES, &libunwind);
  if (libunwind.end == PYRO_STACK_BUSY) {
    count (&counts.busy, 1);
    return;
  }
  compare (&tables, by_tables, &libunwind, by_libunwind);
}

/* A trap while the signal is blocked would kill the process, and only a system
 * call can block it. */
static gboolean
is_at_system_call (const ucontext_t *context)
{
  const guint8 *pc = (const guint8 *)context->uc_mcontext.gregs[REG_RIP];

  return pc[0] == 0x0f && (pc[1] == 0x05 || pc[1] == 0x34);
}

static void
on_tick (int signo, siginfo_t *info, void *data)
{
  ucontext_t *context = data;

  start_shadow (context);
  look (context, true);
  if (!g_atomic_int_get (&is_stopped) && !is_at_system_call (context)
      && steps_left == 0) {
    steps_left = ++runs % 4 == 0 ? LONG_STEPS : STEPS;
    context->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
  }
}

static void
on_trap (int signo, siginfo_t *info, void *data)
{
  ucontext_t *context = data;

  update_shadow (context);
  look (context, runs % 4 != 0);
  if (steps_left > 0)
    steps_left--;
  if (steps_left == 0 || is_at_system_call (context)) {
    steps_left = 0;
    context->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
  }
}

static void
install (int signo, void (*handler) (int, siginfo_t *, void *))
{
  struct sigaction action
      = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };

  sigfillset (&action.sa_mask);
  g_assert_no_errno (sigaction (signo, &action, NULL));
}

/* libunwind takes the loader's lock. A thread that is interrupted while it gets
 * that lock would wait for itself; here that is the one which looks for
 * modules.
 */
static void
block_ticks (gboolean is_blocked)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, SIGPROF);
  pthread_sigmask (is_blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static void
set_timer (gint microseconds)
{
  struct itimerval timer = { { 0, microseconds }, { 0, microseconds } };

  g_assert_no_errno (setitimer (ITIMER_PROF, &timer, NULL));
}

static gchar *
name_address (PyroModules *modules, uintptr_t pc)
{
  const PyroModule *module = pyro_modules_find (modules, pc);
  gchar *base, *name;

  if (pc == 0)
    return g_strdup ("(end)");
  if (module == NULL)
    return g_strdup_printf ("0x%" G_GINTPTR_MODIFIER "x", pc);
  base = g_path_get_basename (module->path);
  name = g_strdup_printf ("%s+0x%" G_GINT64_MODIFIER "x", base,
                          pc - module->bias);
  g_free (base);
  return name;
}

static void
print_reports (PyroModules *modules)
{
  guint i;

  for (i = 0; i < MIN (n_reports, MAX_REPORTS); i++) {
    gchar *leaf = name_address (modules, reports[i].leaf);
    gchar *callee = name_address (modules, reports[i].callee);
    gchar *tables = name_address (modules, reports[i].pcs[0]);
    gchar *libunwind = name_address (modules, reports[i].pcs[1]);

    g_test_message ("leaf %s, frame %u: caller of %s is %s by tables, %s by "
                    "the oracle",
                    leaf, reports[i].depth, callee, tables, libunwind);
    g_free (leaf);
    g_free (callee);
    g_free (tables);
    g_free (libunwind);
  }
}

static guint64 frames_per_pipeline = 40000;

static void
test_pipeline (gconstpointer data)
{
  const PyroTestPipeline *pipeline = data;
  GError *error = NULL;
  GstElement *element = gst_parse_launch (pipeline->description, &error);
  PyroModules *modules;
  PyroMemoryWatch *watch;
  gint64 deadline = g_get_monotonic_time () + MAX_SECONDS * G_USEC_PER_SEC;
  gdouble complete;

  if (element == NULL || error != NULL) {
    g_test_skip (error != NULL ? error->message : "cannot be built");
    g_clear_error (&error);
    g_clear_pointer (&element, gst_object_unref);
    return;
  }
  memset (&counts, 0, sizeof counts);
  n_reports = 0;
  g_atomic_int_set (&is_stopped, FALSE);
  gst_element_set_state (element, GST_STATE_PLAYING);
  g_assert_cmpint (gst_element_get_state (element, NULL, NULL, 20 * GST_SECOND),
                   !=, GST_STATE_CHANGE_FAILURE);

  block_ticks (TRUE);
  modules = pyro_modules_new (TRUE);
  watch = pyro_memory_watch_new ();
  pyro_modules_refresh (modules);
  g_assert_true (pyro_memory_watch_refresh (watch, NULL));
  set_timer (2000);
  while (__atomic_load_n (&counts.frames, __ATOMIC_RELAXED)
             < frames_per_pipeline
         && g_get_monotonic_time () < deadline) {
    g_usleep (50 * 1000);
    pyro_modules_refresh (modules);
    pyro_modules_want_call_sites (modules, wanted_code);
    pyro_memory_watch_refresh (watch, NULL);
  }
  set_timer (0);
  block_ticks (FALSE);
  g_atomic_int_set (&is_stopped, TRUE);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_object_unref (element);

  complete = 100.0 * (gdouble)counts.complete / (gdouble)counts.stacks;
  g_test_message (
      "%s: %" G_GUINT64_FORMAT
      " stacks, %.3f %% complete, %.1f %% rescued; %" G_GUINT64_FORMAT
      " frames compared, %" G_GUINT64_FORMAT
      " contradictions; libunwind ended earlier in %" G_GUINT64_FORMAT
      ", was busy in %" G_GUINT64_FORMAT "; %" G_GUINT64_FORMAT
      " rescues checked, %" G_GUINT64_FORMAT
      " with a frame too many, %" G_GUINT64_FORMAT " wrong",
      pipeline->name, counts.stacks, complete,
      100.0 * (gdouble)counts.rescued / (gdouble)counts.stacks, counts.frames,
      counts.contradictions, counts.libunwind_shorter, counts.busy,
      counts.checked_rescues, counts.extra_frames, counts.wrong_rescues);
  g_test_message (
      "not complete: no unwind info %" G_GUINT64_FORMAT
      ", unknown code %" G_GUINT64_FORMAT ", unreadable %" G_GUINT64_FORMAT
      ", no progress %" G_GUINT64_FORMAT ", unsupported %" G_GUINT64_FORMAT
      ", unknown stack %" G_GUINT64_FORMAT,
      counts.ends[PYRO_STACK_NO_UNWIND_INFO],
      counts.ends[PYRO_STACK_UNKNOWN_CODE], counts.ends[PYRO_STACK_UNREADABLE],
      counts.ends[PYRO_STACK_NO_PROGRESS], counts.ends[PYRO_STACK_UNSUPPORTED],
      counts.ends[PYRO_STACK_UNKNOWN_STACK]);
  g_test_message ("complete, but not at a thread's start: %" G_GUINT64_FORMAT
                  ", of these %" G_GUINT64_FORMAT " with a rescued leaf",
                  counts.false_roots, counts.rescued_false_roots);
  print_reports (modules);
  g_assert_cmpuint (counts.frames, >=, frames_per_pipeline);
  g_assert_cmpuint (counts.contradictions, ==, 0);
  g_assert_cmpuint (counts.false_roots, ==, 0);
  g_assert_cmpfloat (complete, >=, 99.9);
  g_assert_cmpuint (counts.wrong_rescues * 1000, <=, counts.checked_rescues);
  pyro_memory_watch_free (watch);
  pyro_modules_free (modules);
}

int
main (int argc, char **argv)
{
  gsize i;

  g_test_init (&argc, &argv, NULL);
  gst_init (&argc, &argv);
  if (argc > 1)
    frames_per_pipeline = g_ascii_strtoull (argv[1], NULL, 10);
  pyro_reference_libunwind_warm_up ();
  pyro_test_learn_thread_starts ();
  install (SIGPROF, on_tick);
  install (SIGTRAP, on_trap);
  for (i = 0; i < G_N_ELEMENTS (pyro_test_pipelines); i++) {
    gchar *path = g_strdup_printf (
        "/differential/same-callers-as-libunwind/%s",
        g_strdelimit (g_strdup (pyro_test_pipelines[i].name), " ", '-'));

    g_test_add_data_func (path, &pyro_test_pipelines[i], test_pipeline);
    g_free (path);
  }
  return g_test_run ();
}
