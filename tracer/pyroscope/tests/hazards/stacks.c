/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Applications with stacks and code of their own making. */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "hazard.h"

#define COROUTINE_STACK (32 * 1024)

static ucontext_t scheduler, coroutine;

static void
work_a_little (void)
{
  for (int i = 0; i < 3; i++) {
    burn_ms (1);
    swapcontext (&coroutine, &scheduler);
  }
}

static void
run_coroutine (void *stack)
{
  REQUIRE (getcontext (&coroutine) == 0);
  coroutine.uc_stack.ss_sp = stack;
  coroutine.uc_stack.ss_size = COROUTINE_STACK;
  coroutine.uc_link = &scheduler;
  makecontext (&coroutine, work_a_little, 0);
  for (int i = 0; i < 4; i++)
    swapcontext (&scheduler, &coroutine);
}

static void
allocated_coroutines (void)
{
  load_start ();
  while (time_is_left ()) {
    void *stack = malloc (COROUTINE_STACK);

    run_coroutine (stack);
    free (stack);
  }
  load_stop ();
}

/* Nothing is mapped above the stack's end or below its start. */
static void
mapped_coroutines (void)
{
  gsize page = (gsize)sysconf (_SC_PAGESIZE);

  load_start ();
  while (time_is_left ()) {
    char *memory = mmap (NULL, COROUTINE_STACK + 2 * page, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    REQUIRE (memory != MAP_FAILED);
    REQUIRE (mprotect (memory + page, COROUTINE_STACK, PROT_READ | PROT_WRITE)
             == 0);
    run_coroutine (memory + page);
    REQUIRE (munmap (memory, COROUTINE_STACK + 2 * page) == 0);
  }
  load_stop ();
}

#if defined(__x86_64__)
/* mov rax, rdi; again: dec rax; jnz again; ret */
static const unsigned char loop_code[]
    = { 0x48, 0x89, 0xf8, 0x48, 0xff, 0xc8, 0x75, 0xfb, 0xc3 };

static void
run_generated_code (int protection)
{
  gsize page = (gsize)sysconf (_SC_PAGESIZE);

  load_start ();
  while (time_is_left ()) {
    unsigned char *code = mmap (NULL, page, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    REQUIRE (code != MAP_FAILED);
    memcpy (code, loop_code, sizeof loop_code);
    REQUIRE (mprotect (code, page, protection) == 0);
    ((void (*) (unsigned long)) (gsize)code) (20000000);
    REQUIRE (munmap (code, page) == 0);
  }
  load_stop ();
}

static void
generated_code (void)
{
  run_generated_code (PROT_READ | PROT_EXEC);
}

static void
execute_only_code (void)
{
  run_generated_code (PROT_EXEC);
}
#else
static void
generated_code (void)
{
  hazard_skip ("written for x86_64");
}

static void
execute_only_code (void)
{
  hazard_skip ("written for x86_64");
}
#endif

const Hazard stack_hazards[] = {
  { "allocated-coroutines", allocated_coroutines, NULL },
  { "mapped-coroutines", mapped_coroutines, NULL },
  { "generated-code", generated_code, NULL },
  { "execute-only-code", execute_only_code, NULL },
  { NULL, NULL, NULL },
};
