/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */

#include "handler.h"

#include "unwinding/memory-map.h"
#include "unwinding/published.h"
#include "unwinding/registers.h"

PyroThreadRecord *pyro_thread_records[PYRO_MAX_THREADS];
_Alignas(8) uint8_t pyro_thread_dirty[PYRO_MAX_THREADS];

static PyroUnwindFunc unwinder;

/* By signal: whose it is besides; 0: nobody's. One word, because applications
 * change it while handlers run: the function, and whether it has SA_SIGINFO,
 * in a bit that no address of a process has. */
#define WITH_INFO ((uintptr_t)1 << 63)
static uintptr_t previous[NSIG];

void
pyro_handler_set_unwinder (PyroUnwindFunc unwind)
{
  __atomic_store_n (&unwinder, unwind, __ATOMIC_RELEASE);
}

void
pyro_handler_set_previous (int signo, const struct sigaction *action)
{
  uintptr_t function = (uintptr_t)action->sa_sigaction;

  if (action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN)
    function = 0;
  else if (action->sa_flags & SA_SIGINFO)
    function |= WITH_INFO;
  __atomic_store_n (&previous[signo], function, __ATOMIC_SEQ_CST);
}

/* What reads the thread pointer faults without it. */
static uint32_t has_thread_pointer;

void
pyro_handler_set_has_thread_pointer (bool has)
{
  __atomic_store_n (&has_thread_pointer, has, __ATOMIC_RELAXED);
}

static uintptr_t
thread_pointer (void)
{
  uintptr_t pointer = 0;

  if (!__atomic_load_n (&has_thread_pointer, __ATOMIC_RELAXED))
    return 0;
#if defined(__x86_64__)
  /* Not by reading %fs:0, which faults in a thread without TLS. */
  __asm__("rdfsbase %0" : "=r"(pointer));
#endif
  return pointer;
}

/* The signal came on the alternate stack, whose interrupted one is another: the
 * kernel has written nothing there. */
static bool
has_changed_stack (const ucontext_t *context, uintptr_t sp)
{
  uintptr_t alternate = (uintptr_t)context->uc_stack.ss_sp;
  uintptr_t size = context->uc_stack.ss_size;
  uintptr_t here = (uintptr_t)__builtin_frame_address (0);

  return here - alternate < size && sp - alternate - 1 >= size;
}

static bool
find_stack (PyroThreadRecord *record, PyroUnwindSources *sources,
            const ucontext_t *context, uintptr_t sp, PyroStackBounds *stack)
{
  bool is_found;

  sources->own_high = __atomic_load_n (&record->stack_high, __ATOMIC_ACQUIRE);
  sources->own_low = __atomic_load_n (&record->stack_low, __ATOMIC_RELAXED);
  if (sp >= sources->own_low && sp < sources->own_high) {
    pyro_stack_bounds_within (sp, sources->own_low, sources->own_high, stack);
    return true;
  }
  if (sources->own_high == 0 && record->thread_pointer == 0)
    __atomic_store_n (&record->thread_pointer, thread_pointer (),
                      __ATOMIC_RELEASE);
  is_found
      = pyro_stack_find (sources, sp, !has_changed_stack (context, sp), stack);
  if (!is_found || stack->limit == 0)
    __atomic_store_n (&record->unknown_stack, 1, __ATOMIC_RELAXED);
  return is_found;
}

static void
walk_stack (PyroThreadRecord *record, PyroUnwindSources *sources,
            const ucontext_t *context, const PyroRegisters *regs,
            PyroRawSample *sample)
{
  PyroUnwindFunc unwind = __atomic_load_n (&unwinder, __ATOMIC_ACQUIRE);
  PyroStackBounds stack;
  PyroWalk walk;

  sample->pcs[0] = regs->pc;
  sample->depth = 1;
  sample->omitted = 0;
  sample->gap = 0;
  sample->flags = 0;
  sample->end = PYRO_STACK_UNKNOWN_STACK;

  if (unwind == NULL
      || !find_stack (record, sources, context, regs->sp, &stack))
    return;
  unwind (sources, regs, &stack, sample->pcs, PYRO_MAX_FRAMES, &walk);
  sample->depth = walk.depth;
  sample->omitted = walk.omitted;
  sample->gap = walk.gap;
  sample->end = (uint8_t)walk.end;
  sample->flags = walk.rescued ? PYRO_SAMPLE_RESCUED : 0;
}

static void
copy_label (PyroThreadRecord *record, PyroRawSample *sample)
{
  const uint64_t *label = __atomic_load_n (&record->label, __ATOMIC_ACQUIRE);
  const PyroLabelFallback *fallback
      = __atomic_load_n (&record->fallback, __ATOMIC_ACQUIRE);
  const PyroTurns *turns = __atomic_load_n (&record->turns, __ATOMIC_ACQUIRE);

  if (label != NULL) {
    sample->label = __atomic_load_n (label, __ATOMIC_RELAXED);
    if (fallback != NULL
        && __atomic_load_n (&fallback->in_doubt, __ATOMIC_ACQUIRE)) {
      sample->flags |= PYRO_SAMPLE_IN_DOUBT;
      sample->fallback = __atomic_load_n (&fallback->label, __ATOMIC_RELAXED);
    }
  } else {
    sample->label = 0;
    sample->flags |= PYRO_SAMPLE_UNLABELLED;
  }
  sample->n_turns
      = turns != NULL ? __atomic_load_n (&turns->n, __ATOMIC_RELAXED) : 0;
}

static void
take_sample (PyroThreadRecord *record, const siginfo_t *info,
             const ucontext_t *context)
{
  uint32_t weight = 1;
  uint64_t interval = __atomic_load_n (&record->interval_ns, __ATOMIC_RELAXED);
  PyroUnwindSources sources = { .tables = pyro_modules_published (),
                                .map = pyro_memory_map_published (),
                                .cache = &record->unwind_cache };
  PyroRing *ring = __atomic_load_n (&record->ring, __ATOMIC_ACQUIRE);
  PyroRawSample *sample;
  PyroRegisters regs;

  pyro_registers_from_ucontext (&regs, context);
  pyro_unwind_prefetch (&sources, &regs);

  /* CPU timers expire with the kernel's tick: what could not be delivered in
   * between is in the overrun count (timer_getoverrun(2)). */
  if (info->si_overrun > 0)
    weight += (uint32_t)info->si_overrun;

  sample = pyro_ring_reserve (ring);
  if (sample == NULL) {
    __atomic_store_n (&record->lost_weight, record->lost_weight + weight,
                      __ATOMIC_RELAXED);
    __atomic_store_n (&record->lost_ns, record->lost_ns + weight * interval,
                      __ATOMIC_RELAXED);
    return;
  }

  walk_stack (record, &sources, context, &regs, sample);
  copy_label (record, sample);
  sample->moment = pyro_module_moment (sources.tables);
  sample->weight = weight;
  sample->nanoseconds = weight * interval;
  pyro_ring_commit (ring, sample);
}

/* Another program part's signal, on the number that we took: whoever handled
 * it before us goes on doing so. The default is never restored or raised:
 * a signal that comes late must not end the process. */
static void
pass_on (int signo, siginfo_t *info, void *context)
{
  uintptr_t function;

  if (signo <= 0 || signo >= NSIG)
    return;
  function = __atomic_load_n (&previous[signo], __ATOMIC_ACQUIRE);
  if (function == 0)
    return;
  if (function & WITH_INFO)
    ((void (*) (int, siginfo_t *, void *)) (function & ~WITH_INFO)) (
        signo, info, context);
  else
    ((void (*) (int))function) (signo);
}

/* The kernel takes the thread's mask back from the frame: its first 64 bits are
 * all that it knows. */
static void
block_from_here_on (int signo, ucontext_t *context)
{
  *(uint64_t __attribute__ ((may_alias)) *)&context->uc_sigmask
      |= UINT64_C (1) << (signo - 1);
}

void PYRO_HOT
pyro_handler (int signo, siginfo_t *info, void *context)
{
  PyroThreadRecord *record = NULL;

  if (info->si_code == SI_TIMER)
    record = pyro_thread_record_by_cookie (
        (uint64_t)(uintptr_t)info->si_value.sival_ptr);
  if (record == NULL) {
    uint64_t cookie = (uint64_t)(uintptr_t)info->si_value.sival_ptr;

    /* A timer signal with our magic is our own late one. */
    if (info->si_code != SI_TIMER || cookie >> 48 != PYRO_COOKIE_MAGIC)
      pass_on (signo, info, context);
    else if (cookie == PYRO_COOKIE_BLOCK)
      block_from_here_on (signo, context);
    return;
  }

  /* Sequentially consistent: whoever replaces the tables afterwards sees
   * either the mark or a handler that loads the new ones. */
  __atomic_store_n (&record->in_handler, 1, __ATOMIC_SEQ_CST);
  take_sample (record, info, context);
  __atomic_store_n (&pyro_thread_dirty[record->slot], 1, __ATOMIC_RELEASE);
  __atomic_store_n (&record->in_handler, 0, __ATOMIC_RELEASE);
}
