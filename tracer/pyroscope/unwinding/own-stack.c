/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */

#include "own-stack.h"

#include "memory-map.h"
#include "published.h"
#include "step.h"

#define MAX_FRAMES 256

/* The registers at this very place, which is in code with CFI. */
static inline __attribute__ ((always_inline)) void
capture (PyroRegisters *regs)
{
#if defined(__x86_64__)
  __asm__ volatile("lea 0(%%rip), %0\n"
                   "mov %%rsp, %1\n"
                   "mov %%rbp, %2\n"
                   : "=&r"(regs->pc), "=m"(regs->sp), "=m"(regs->fp));
  __asm__ volatile("mov %%rbx, %0\n"
                   "mov %%r12, %1\n"
                   "mov %%r13, %2\n"
                   "mov %%r14, %3\n"
                   "mov %%r15, %4\n"
                   : "=m"(regs->rbx), "=m"(regs->r12), "=m"(regs->r13),
                     "=m"(regs->r14), "=m"(regs->r15));
  regs->rax = regs->rcx = regs->rdx = regs->rsi = regs->rdi = 0;
  regs->r8 = regs->r9 = regs->r10 = regs->r11 = 0;
  regs->lr = 0;
#elif defined(__aarch64__)
  __asm__ volatile("adr %0, .\n"
                   "mov %1, sp\n"
                   "mov %2, x29\n"
                   "mov %3, x30\n"
                   : "=&r"(regs->pc), "=&r"(regs->sp), "=&r"(regs->fp),
                     "=&r"(regs->lr));
#else
#error "The registers of this processor are not known here: add them."
#endif
}

/* Compilers save registers next to the return address: on x86_64 below it, at
 * most six; on aarch64 above the frame record, at most ten, which is at the
 * frame's start but for what is passed on the stack. */
static void
find_saved (PyroOwnFrame *frame)
{
  size_t n = (size_t)(frame->limit - frame->start);

#if defined(__x86_64__)
  frame->saved_limit = n > 0 ? frame->limit - 1 : frame->start;
  frame->saved = n > 7 ? frame->limit - 7 : frame->start;
#else
  frame->saved = frame->start;
  frame->saved_limit = n > 12 ? frame->start + 12 : frame->limit;
#endif
}

static void
describe (const PyroFrame *frame, uintptr_t limit, PyroOwnFrame *own)
{
  const PyroRegisters *regs = &frame->regs;

  own->pc = regs->pc;
  own->start = (const uintptr_t *)regs->sp;
  own->limit = (const uintptr_t *)limit;
#if defined(__x86_64__)
  own->registers[PYRO_OWN_RBX] = regs->rbx;
  own->registers[PYRO_OWN_RBP] = regs->fp;
  own->registers[PYRO_OWN_R12] = regs->r12;
  own->registers[PYRO_OWN_R13] = regs->r13;
  own->registers[PYRO_OWN_R14] = regs->r14;
  own->registers[PYRO_OWN_R15] = regs->r15;
  own->known = frame->saved_known ? (1u << PYRO_OWN_N_REGISTERS) - 1
                                  : 1u << PYRO_OWN_RBP;
#else
  own->registers[PYRO_OWN_X29] = regs->fp;
  own->known = 1u << PYRO_OWN_X29;
#endif
  find_saved (own);
}

static PyroStackEnd
walk (const PyroUnwindSources *sources, PyroFrame *frame, PyroOwnFrameFunc func,
      void *data)
{
  PyroStackEnd end = PYRO_GO_ON;
  unsigned n;

  for (n = 0; end == PYRO_GO_ON && n < MAX_FRAMES; n++) {
    PyroFrame caller = *frame;
    PyroOwnFrame own;

    end = pyro_step (sources, &caller);
    describe (frame, end == PYRO_GO_ON ? caller.regs.sp : frame->regs.sp, &own);
    if (!func (&own, data))
      return PYRO_STACK_TOO_DEEP;
    *frame = caller;
  }
  return end == PYRO_GO_ON ? PYRO_STACK_TOO_DEEP : end;
}

PyroStackEnd __attribute__ ((noinline))
pyro_walk_own_stack (uintptr_t low, uintptr_t high, PyroOwnFrameFunc func,
                     void *data)
{
  PyroUnwindSources sources = { .own_low = low, .own_high = high };
  PyroFrame frame;
  PyroStackEnd end = PYRO_STACK_UNKNOWN_STACK;

  capture (&frame.regs);
  frame.exact = true;
  frame.saved_known = true;
  frame.crossed_signal = false;
  frame.guessed = false;

  pyro_readers_enter ();
  sources.tables = pyro_modules_published ();
  sources.map = pyro_memory_map_published ();
  if (high == 0 && pyro_memory_map_get_main_stack (sources.map, &low, &high)) {
    sources.own_low = low;
    sources.own_high = high;
  }
  if (sources.tables == NULL) {
    end = PYRO_STACK_UNKNOWN_CODE;
  } else if (pyro_stack_find (&sources, frame.regs.sp, false, &frame.stack)) {
    end = walk (&sources, &frame, func, data);
  }
  pyro_readers_leave ();
  return end;
}
