/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Applications whose threads are not what the C library makes of them. */

#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hazard.h"

static volatile int n_done;

#if defined(__x86_64__)
#define ARCH_SET_FS 0x1002

/* No TLS: nothing of the C library may be called. */
__attribute__ ((optimize ("no-stack-protector"))) static int
without_tls (void *data)
{
  long result;

  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"((long)SYS_arch_prctl), "D"((long)ARCH_SET_FS), "S"(0L)
                   : "rcx", "r11", "memory");
  spin (200000000);
  __atomic_store_n (&n_done, 1, __ATOMIC_SEQ_CST);
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"((long)SYS_exit), "D"(0L)
                   : "rcx", "r11", "memory");
  return 0;
}

static void
clone_without_tls (void)
{
  gsize size = 64 * 1024;
  char *stack = mmap (NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  REQUIRE (stack != MAP_FAILED);
  load_start ();
  REQUIRE (clone (without_tls, stack + size,
                  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND
                      | CLONE_THREAD | CLONE_SYSVSEM,
                  NULL)
           > 0);
  for (int i = 0; i < 400 && !n_done; i++)
    usleep (5000);
  REQUIRE (n_done);
  load_stop ();
}
#else
static void
clone_without_tls (void)
{
  hazard_skip ("written for x86_64");
}
#endif

/* Only read, write, exit and sigreturn are allowed from here on; anything else,
 * also in a signal handler, kills the process. */
static void *
strict_thread (void *data)
{
  if (prctl (PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) {
    n_done = -1;
    return NULL;
  }
  spin (200000000);
  __atomic_store_n (&n_done, 1, __ATOMIC_SEQ_CST);
  syscall (SYS_exit, 0);
  return NULL;
}

static void
strict_seccomp (void)
{
  pthread_t thread;

  load_start ();
  REQUIRE (pthread_create (&thread, NULL, strict_thread, NULL) == 0);
  for (int i = 0; i < 400 && n_done == 0; i++)
    usleep (5000);
  if (n_done < 0)
    hazard_skip ("strict seccomp is not allowed here");
  REQUIRE (n_done == 1);
  load_stop ();
}

static void *
to_be_cancelled (void *data)
{
  for (;;) {
    burn_ms (1);
    pthread_testcancel ();
  }
  return NULL;
}

static void *
exits (void *data)
{
  burn_ms (3);
  pthread_exit (data);
}

static void
cancels_and_exits (void)
{
  static int token;

  load_start ();
  while (time_is_left ()) {
    pthread_t a, b;
    void *result;

    REQUIRE (pthread_create (&a, NULL, to_be_cancelled, NULL) == 0);
    REQUIRE (pthread_create (&b, NULL, exits, &token) == 0);
    usleep (3000);
    REQUIRE (pthread_cancel (a) == 0);
    REQUIRE (pthread_join (a, &result) == 0);
    REQUIRE (result == PTHREAD_CANCELED);
    REQUIRE (pthread_join (b, &result) == 0);
    REQUIRE (result == &token);
  }
  load_stop ();
}

static void *
short_life (void *data)
{
  spin (100000);
  return NULL;
}

static void
short_lived (void)
{
  load_start ();
  while (time_is_left ()) {
    pthread_t threads[10];

    for (int i = 0; i < 10; i++)
      REQUIRE (pthread_create (&threads[i], NULL, short_life, NULL) == 0);
    for (int i = 0; i < 10; i++)
      pthread_join (threads[i], NULL);
  }
  load_stop ();
}

static void *
on_little_stack (void *data)
{
  volatile char room[2048];

  memset ((void *)room, 1, sizeof room);
  burn_ms (10);
  return NULL;
}

static void
smallest_stacks (void)
{
  pthread_attr_t attributes;

  pthread_attr_init (&attributes);
  REQUIRE (pthread_attr_setstacksize (&attributes, PTHREAD_STACK_MIN) == 0);
  load_start ();
  while (time_is_left ()) {
    pthread_t threads[8];

    for (int i = 0; i < 8; i++)
      REQUIRE (pthread_create (&threads[i], &attributes, on_little_stack, NULL)
               == 0);
    for (int i = 0; i < 8; i++)
      pthread_join (threads[i], NULL);
  }
  load_stop ();
}

static volatile sig_atomic_t n_handled;

static void
on_alternate (int signo)
{
  n_handled++;
}

/* The smallest alternate stack holds one signal frame and no second one: a
 * signal that comes on top of it would kill, so the handler blocks all. */
static void *
with_alternate_stack (void *data)
{
  gsize size = MAX (getauxval (AT_MINSIGSTKSZ), 2048) + 512;
  stack_t stack = { .ss_sp = malloc (size), .ss_size = size };

  REQUIRE (sigaltstack (&stack, NULL) == 0);
  while (time_is_left ()) {
    burn_ms (2);
    pthread_kill (pthread_self (), SIGUSR2);
  }
  stack.ss_flags = SS_DISABLE;
  sigaltstack (&stack, NULL);
  free (stack.ss_sp);
  return NULL;
}

static void
smallest_alternate_stacks (void)
{
  struct sigaction action
      = { .sa_handler = on_alternate, .sa_flags = SA_ONSTACK };
  pthread_t threads[2];

  sigfillset (&action.sa_mask);
  REQUIRE (sigaction (SIGUSR2, &action, NULL) == 0);
  load_start ();
  for (int i = 0; i < 2; i++)
    REQUIRE (pthread_create (&threads[i], NULL, with_alternate_stack, NULL)
             == 0);
  for (int i = 0; i < 2; i++)
    pthread_join (threads[i], NULL);
  load_stop ();
  REQUIRE (n_handled > 2);
}

static void
on_large_alternate (int signo)
{
  burn_ms (3);
  n_handled++;
}

/* We interrupt handlers that run there. */
static void
busy_alternate_stack (void)
{
  struct sigaction action
      = { .sa_handler = on_large_alternate, .sa_flags = SA_ONSTACK };
  stack_t stack = { .ss_size = 32768 };

  stack.ss_sp = malloc (stack.ss_size);
  REQUIRE (sigaltstack (&stack, NULL) == 0);
  REQUIRE (sigaction (SIGUSR2, &action, NULL) == 0);
  load_start ();
  while (time_is_left ())
    raise (SIGUSR2);
  load_stop ();
  REQUIRE (n_handled > 2);
}

static GstPadProbeReturn
make_odd_threads (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  int *n_made = data;
  pthread_t threads[2];

  if (__atomic_fetch_add (n_made, 1, __ATOMIC_ACQ_REL) >= 10)
    return GST_PAD_PROBE_OK;
  /* Numbers that are no addresses, as far as the start routine is asked. */
  REQUIRE (pthread_create (&threads[0], NULL,
                           (void *(*)(void *)) (gpointer)g_usleep, (void *)1000)
           == 0);
  REQUIRE (pthread_create (&threads[1], NULL,
                           (void *(*)(void *)) (gpointer)g_ascii_toupper,
                           (void *)UINTPTR_MAX)
           == 0);
  for (int i = 0; i < 2; i++)
    pthread_join (threads[i], NULL);
  return GST_PAD_PROBE_OK;
}

/* Threads that a library's functions are the start routines of. */
static void
starts_in_libraries (void)
{
  GstElement *pipeline = gst_parse_launch (
      "videotestsrc ! videoconvert ! fakesink name=sink", NULL);
  GstElement *sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  GstPad *pad = gst_element_get_static_pad (sink, "sink");
  int n_made = 0;

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, make_odd_threads, &n_made,
                     NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (time_is_left () || __atomic_load_n (&n_made, __ATOMIC_ACQUIRE) < 10)
    burn_ms (10);
  gst_element_set_state (pipeline, GST_STATE_NULL);
}

const Hazard thread_hazards[] = {
  { "clone-without-tls", clone_without_tls, NULL },
  { "strict-seccomp", strict_seccomp, NULL },
  { "cancels-and-exits", cancels_and_exits, NULL },
  { "short-lived-threads", short_lived, NULL },
  { "smallest-stacks", smallest_stacks, NULL },
  { "smallest-alternate-stacks", smallest_alternate_stacks, NULL },
  { "busy-alternate-stack", busy_alternate_stack, NULL },
  { "starts-in-libraries", starts_in_libraries, NULL },
  { NULL, NULL, NULL },
};
