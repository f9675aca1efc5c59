/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* To be preloaded: the first look of each thread at the loaded modules takes
 * 300 ms, but for the main thread's, as does the making of each thread whose
 * stack has a size of its own (the profiler's have). Whatever a start of the
 * profiler does that others must not wait for, takes long. */

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

static void
take_long (void)
{
  struct timespec pause = { .tv_nsec = 300 * 1000 * 1000 };

  nanosleep (&pause, NULL);
}

int
dl_iterate_phdr (int (*callback) (struct dl_phdr_info *, size_t, void *),
                 void *data)
{
  static int (*real) (int (*) (struct dl_phdr_info *, size_t, void *), void *);
  static __thread int has_looked __attribute__ ((tls_model ("initial-exec")));

  if (real == NULL)
    *(void **)&real = dlsym (RTLD_NEXT, "dl_iterate_phdr");
  if (!has_looked && gettid () != getpid ())
    take_long ();
  has_looked = 1;
  return real (callback, data);
}

int
pthread_attr_setstacksize (pthread_attr_t *attributes, size_t size)
{
  static int (*real) (pthread_attr_t *, size_t);

  if (real == NULL)
    *(void **)&real = dlsym (RTLD_NEXT, "pthread_attr_setstacksize");
  take_long ();
  return real (attributes, size);
}
