/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Applications whose stacks and code come and go while they are used: whatever
 * a profiler remembers of the memory map may be wrong at the next moment. */

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hazard.h"

#if defined(__x86_64__)

#define PAGE ((gsize)4096)

/* No call frame information: who interrupts it, or what it calls, has to guess
 * its caller. */

/* FUNC (ARGUMENT) on the stack that ends at TOP. */
void hazard_call_on (void *top, void (*func) (unsigned long),
                     unsigned long argument);

/* The usual switch of coroutines (libco, boost.context): saves the registers on
 * this stack, its end at *FROM, and goes on with the one at TO. */
void hazard_switch (void **from, void *to);

__asm__(".text\n"
        ".globl hazard_call_on\n"
        ".type hazard_call_on, @function\n"
        "hazard_call_on:\n"
        "  push %rbp\n"
        "  mov %rsp, %rbp\n"
        "  mov %rdi, %rsp\n"
        "  mov %rsi, %rax\n"
        "  mov %rdx, %rdi\n"
        "  call *%rax\n"
        "  mov %rbp, %rsp\n"
        "  pop %rbp\n"
        "  ret\n"
        ".globl hazard_switch\n"
        ".type hazard_switch, @function\n"
        "hazard_switch:\n"
        "  push %rbp\n"
        "  push %rbx\n"
        "  push %r12\n"
        "  push %r13\n"
        "  push %r14\n"
        "  push %r15\n"
        "  mov %rsp, (%rdi)\n"
        "  mov %rsi, %rsp\n"
        "  pop %r15\n"
        "  pop %r14\n"
        "  pop %r13\n"
        "  pop %r12\n"
        "  pop %rbx\n"
        "  pop %rbp\n"
        "  ret\n");

/* mov rax, rdi; again: dec rax; jnz again; ret */
static const unsigned char loop_code[]
    = { 0x48, 0x89, 0xf8, 0x48, 0xff, 0xc8, 0x75, 0xfb, 0xc3 };

static void (*generated) (unsigned long rounds);

static char *
map (gsize size, int protection)
{
  char *memory
      = mmap (NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  REQUIRE (memory != MAP_FAILED);
  return memory;
}

static void
generate (void)
{
  char *code = map (PAGE, PROT_READ | PROT_WRITE);

  memcpy (code, loop_code, sizeof loop_code);
  REQUIRE (mprotect (code, PAGE, PROT_READ | PROT_EXEC) == 0);
  generated = (void (*) (unsigned long)) (gsize)code;
}

/* Some ms. */
#define ROUNDS 4000000

static void
work (unsigned long rounds)
{
  generated (rounds);
}

/* The map has been read by then. */
#define BEFORE_US 300000

/* What is above the stack is gone. */
static void
call_below_nothing (bool unmapped)
{
  gsize half = 64 * 1024;
  /* [guard][stack][neighbour][guard], so that nothing else is merged. */
  char *memory = map (4 * half, PROT_NONE);

  generate ();
  REQUIRE (mprotect (memory + half, 2 * half, PROT_READ | PROT_WRITE) == 0);
  load_start_without_threads ();
  usleep (BEFORE_US);
  if (unmapped)
    REQUIRE (munmap (memory + 2 * half, half) == 0);
  else
    REQUIRE (mprotect (memory + 2 * half, half, PROT_NONE) == 0);
  do
    hazard_call_on (memory + 2 * half - 512, work, 5 * ROUNDS);
  while (time_is_left ());
  load_stop ();
}

static void
below_unmapped_memory (void)
{
  call_below_nothing (true);
}

static void
below_protected_memory (void)
{
  call_below_nothing (false);
}

/* raw clone(), on stacks that become smaller and smaller */

static volatile int child_tid;

static int
clone_work (void *data)
{
  generated (ROUNDS);
  return 0;
}

/* N bytes at PLACE, or elsewhere if somebody else has got that memory since it
 * was unmapped. */
static char *
map_at (char *place, gsize n)
{
  char *stack = mmap (place, n, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

  return stack != MAP_FAILED ? stack : map (n, PROT_READ | PROT_WRITE);
}

static void
clones_on_shrinking_stacks (void)
{
  gsize size = 256 * 1024, n;
  char *place = map (2 * size, PROT_NONE) + PAGE;

  generate ();
  load_start ();
  REQUIRE (munmap (place, size) == 0);
  do {
    for (n = size; n >= 16 * 1024; n /= 2) {
      char *stack = map_at (place, n);

      child_tid = -1;
      REQUIRE (clone (clone_work, stack + n,
                      CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND
                          | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID,
                      NULL, NULL, NULL, &child_tid)
               > 0);
      while (child_tid != 0)
        usleep (200);
      REQUIRE (munmap (stack, n) == 0);
    }
  } while (time_is_left ());
  load_stop ();
}

/* coroutines that are entered by assembly */

static void *scheduler_sp, *coroutine_sp;

static void
coroutine_main (void)
{
  for (;;) {
    work (ROUNDS / 4);
    hazard_switch (&coroutine_sp, scheduler_sp);
  }
}

/* As make_fcontext() and co_create() do: what the switch pops, and where it
 * returns to. */
static void *
new_coroutine (char *top)
{
  uintptr_t *sp = (uintptr_t *)top;

  *--sp = 0;
  *--sp = (uintptr_t)coroutine_main;
  for (int i = 0; i < 6; i++)
    *--sp = 0;
  return sp;
}

static struct {
  char *volatile memory; /* to be unmapped */
  volatile bool is_over;
} reaper;

static void *
reap (void *data)
{
  while (!reaper.is_over) {
    char *memory = __atomic_exchange_n (&reaper.memory, NULL, __ATOMIC_SEQ_CST);

    if (memory != NULL)
      munmap (memory, 32 * 1024);
    else
      sched_yield ();
  }
  return NULL;
}

/* Another thread unmaps each stack as soon as it has been left. */
static void
assembly_coroutines (void)
{
  pthread_t thread;

  generate ();
  load_start ();
  REQUIRE (pthread_create (&thread, NULL, reap, NULL) == 0);
  do {
    char *memory = map (32 * 1024, PROT_READ | PROT_WRITE);

    coroutine_sp = new_coroutine (memory + 32 * 1024);
    for (int i = 0; i < 4; i++)
      hazard_switch (&scheduler_sp, coroutine_sp);
    while (__atomic_load_n (&reaper.memory, __ATOMIC_SEQ_CST) != NULL)
      sched_yield ();
    __atomic_store_n (&reaper.memory, memory, __ATOMIC_SEQ_CST);
  } while (time_is_left ());
  reaper.is_over = true;
  pthread_join (thread, NULL);
  load_stop ();
}

/* What is above a stack, and merged with it, comes and goes. */
static struct {
  char *memory;
  gsize size;
  volatile bool is_over;
} neighbour;

static void *
come_and_go (void *data)
{
  munmap (neighbour.memory, neighbour.size);
  while (!neighbour.is_over) {
    /* Somebody else may have got that memory meanwhile. */
    if (mmap (neighbour.memory, neighbour.size, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)
        == MAP_FAILED) {
      usleep (500);
      continue;
    }
    usleep (500);
    mprotect (neighbour.memory, neighbour.size, PROT_NONE);
    usleep (500);
    munmap (neighbour.memory, neighbour.size);
    usleep (500);
  }
  return NULL;
}

static void
neighbours_come_and_go (void)
{
  gsize size = 64 * 1024;
  char *memory = map (3 * size, PROT_READ | PROT_WRITE);
  pthread_t thread;

  generate ();
  REQUIRE (mprotect (memory + 2 * size, size, PROT_NONE) == 0);
  neighbour.memory = memory + size;
  neighbour.size = size;
  load_start ();
  REQUIRE (pthread_create (&thread, NULL, come_and_go, NULL) == 0);
  do
    hazard_call_on (memory + size - 64, work, ROUNDS);
  while (time_is_left ());
  neighbour.is_over = true;
  pthread_join (thread, NULL);
  load_stop ();
}

/* segments of a split stack, each freed at its function's return */

static void
grow (unsigned long depth)
{
  gsize size = 4 * PAGE;
  char *segment;

  if (depth == 0) {
    work (ROUNDS);
    return;
  }
  segment = map (size, PROT_READ | PROT_WRITE);
  hazard_call_on (segment + size - 64, grow, depth - 1);
  munmap (segment, size);
  work (ROUNDS / 4);
}

static void
split_stacks (void)
{
  generate ();
  load_start ();
  do
    grow (4);
  while (time_is_left ());
  load_stop ();
}

/* alternate signal stacks */

static void
on_signal (int signo)
{
  work (ROUNDS);
}

/* Each smaller than the one before, at its place. */
static void
alternate_stacks_come_and_go (void)
{
  struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
  stack_t none = { .ss_flags = SS_DISABLE };
  gsize size = 256 * 1024, n;
  char *place = map (2 * size, PROT_NONE) + PAGE;

  generate ();
  REQUIRE (sigaction (SIGUSR2, &action, NULL) == 0);
  load_start ();
  REQUIRE (munmap (place, size) == 0);
  do {
    for (n = size; n >= 32 * 1024; n /= 2) {
      stack_t alternate = { .ss_size = n, .ss_sp = map_at (place, n) };

      REQUIRE (sigaltstack (&alternate, NULL) == 0);
      raise (SIGUSR2);
      REQUIRE (sigaltstack (&none, NULL) == 0);
      REQUIRE (munmap (alternate.ss_sp, n) == 0);
    }
  } while (time_is_left ());
  load_stop ();
}

/* generated code among pages that come and go, of a compiler that is known by
 * its file's name and of one that is not */

static void *
change_code (void *data)
{
  char *code = data;

  while (!neighbour.is_over) {
    mprotect (code, 4 * PAGE, PROT_NONE);
    mprotect (code + 5 * PAGE, PAGE, PROT_NONE);
    mprotect (code + 4 * PAGE, PAGE, PROT_EXEC);
    usleep (500);
    munmap (code, 4 * PAGE);
    usleep (500);
    mprotect (code + 4 * PAGE, PAGE, PROT_READ | PROT_EXEC);
    usleep (500);
  }
  return NULL;
}

static void
run_changing_code (int fd)
{
  int flags = fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
  char *code
      = mmap (NULL, 6 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, flags, fd, 0);
  pthread_t thread;

  REQUIRE (code != MAP_FAILED);
  memset (code, 0x90, 6 * PAGE);
  memcpy (code + 4 * PAGE, loop_code, sizeof loop_code);
  REQUIRE (mprotect (code, 6 * PAGE, PROT_READ | PROT_EXEC) == 0);
  generated = (void (*) (unsigned long)) (gsize)(code + 4 * PAGE);
  load_start_without_threads ();
  /* What is remembered is all of it. */
  usleep (BEFORE_US);
  work (5 * ROUNDS);
  usleep (BEFORE_US);
  REQUIRE (pthread_create (&thread, NULL, change_code, code) == 0);
  do
    work (ROUNDS);
  while (time_is_left ());
  neighbour.is_over = true;
  pthread_join (thread, NULL);
  load_stop ();
}

static void
generated_code_changes (void)
{
  run_changing_code (-1);
}

static void
orcs_code_changes (void)
{
  int fd = memfd_create ("orcexec.hazard", MFD_CLOEXEC);

  if (fd < 0)
    hazard_skip ("no memfd_create()");
  REQUIRE (ftruncate (fd, (off_t)(6 * PAGE)) == 0);
  run_changing_code (fd);
}

#else

static void
for_another_processor (void)
{
  hazard_skip ("written for x86_64");
}

#define below_unmapped_memory for_another_processor
#define below_protected_memory for_another_processor
#define clones_on_shrinking_stacks for_another_processor
#define assembly_coroutines for_another_processor
#define neighbours_come_and_go for_another_processor
#define split_stacks for_another_processor
#define alternate_stacks_come_and_go for_another_processor
#define generated_code_changes for_another_processor
#define orcs_code_changes for_another_processor

#endif

const Hazard memory_hazards[] = {
  { "below-unmapped-memory", below_unmapped_memory, NULL },
  { "below-protected-memory", below_protected_memory, NULL },
  { "clones-on-shrinking-stacks", clones_on_shrinking_stacks, NULL },
  { "assembly-coroutines", assembly_coroutines, NULL },
  { "neighbours-come-and-go", neighbours_come_and_go, NULL },
  { "split-stacks", split_stacks, NULL },
  { "alternate-stacks-come-and-go", alternate_stacks_come_and_go, NULL },
  { "generated-code-changes", generated_code_changes, NULL },
  { "orcs-code-changes", orcs_code_changes, NULL },
  { NULL, NULL, NULL },
};
