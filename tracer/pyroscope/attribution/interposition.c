/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "interposition.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include <gst/gst.h>

#include "imports.h"
#include "libraries.h"
#include "live-elements.h"
#include "log.h"
#include "pools.h"
#include "unwinding/unloads.h"
#include "unwinding/loader.h"
#include "workers.h"

#define GST_CAT_DEFAULT pyro_debug

static gboolean begun;

static void *wrapped_dlopen (const char *file, int mode);

#define MAX_ADDED 40

static const PyroImport own_imports[] = {
#define IMPORT(function, wrapper)                            \
  {                                                          \
#function, (gpointer)function, (gpointer)(wrapper), NULL \
  }
  IMPORT (pthread_create, pyro_workers_create),
  IMPORT (g_thread_pool_new, pyro_pools_new),
#if GLIB_CHECK_VERSION(2, 70, 0)
  IMPORT (g_thread_pool_new_full, pyro_pools_new_full),
#endif
  IMPORT (g_thread_pool_push, pyro_pools_push),
  IMPORT (g_thread_pool_free, pyro_pools_free),
  IMPORT (dlclose, pyro_unloads_close),
#undef IMPORT
#define DLOPEN_OF(library)                                        \
  {                                                               \
    "dlopen", (gpointer)dlopen, (gpointer)wrapped_dlopen, library \
  }
  DLOPEN_OF ("libgmodule-2.0.so"),
  /* Mesa's drivers make threads as soon as they are loaded. */
  DLOPEN_OF ("libEGL.so"),
  DLOPEN_OF ("libGLX.so"),
  DLOPEN_OF ("libEGL_mesa.so"),
  DLOPEN_OF ("libGLX_mesa.so"),
  DLOPEN_OF ("libgbm.so"),
#undef DLOPEN_OF
};

static struct {
  PyroImport list[G_N_ELEMENTS (own_imports) + MAX_ADDED];
  guint n;
} all;

void
pyro_interposition_add (const PyroImport *imports, guint n)
{
  if (all.n != 0 || n > MAX_ADDED)
    return;
  memcpy (all.list, own_imports, sizeof own_imports);
  if (n > 0)
    memcpy (all.list + G_N_ELEMENTS (own_imports), imports,
            n * sizeof *imports);
  all.n = G_N_ELEMENTS (own_imports) + n;
}

/* What the passes found since the collector last reported it; atomic. */
static PyroImportsResult found;

static void (*ask_collector) (void);
static gint has_asked;

static void
add (guint *sum, guint n)
{
  if (n > 0)
    __atomic_add_fetch (sum, n, __ATOMIC_RELAXED);
}

static guint
take (guint *sum)
{
  return __atomic_exchange_n (sum, 0, __ATOMIC_RELAXED);
}

/* FALSE: something is left for the collector. */
static gboolean
pass (guint budget)
{
  PyroImportsResult result = { 0 };
  gboolean all_done = pyro_imports_rewrite (all.list, all.n, budget, &result);

  add (&found.looked_at, result.looked_at);
  add (&found.rewritten, result.rewritten);
  add (&found.foreign, result.foreign);
  add (&found.refused, result.refused);
  return all_done;
}

/* The log has locks. */
static void
report (void)
{
  static gboolean refusal_told;
  PyroImportsResult result;

  if (__atomic_load_n (&found.looked_at, __ATOMIC_RELAXED) == 0)
    return;
  result = (PyroImportsResult){ .looked_at = take (&found.looked_at),
                                .rewritten = take (&found.rewritten),
                                .foreign = take (&found.foreign),
                                .refused = take (&found.refused) };
  GST_DEBUG ("%u modules: %u calls go to wrappers now, %u to another tool's, "
             "%u could not be changed",
             result.looked_at, result.rewritten, result.foreign,
             result.refused);
  if (result.refused > 0 && !refusal_told) {
    refusal_told = TRUE;
    pyro_log_user (GST_LEVEL_WARNING,
                   "memory protection does not allow to watch how %u calls "
                   "make threads: those of some codecs have no element; "
                   "thread-owners=false does without",
                   result.refused);
  }
}

static void
ask (void)
{
  void (*func) (void) = __atomic_load_n (&ask_collector, __ATOMIC_ACQUIRE);

  if (func != NULL && !__atomic_exchange_n (&has_asked, TRUE, __ATOMIC_ACQ_REL))
    func ();
}

/* Its caller has just had the loader's lock, and may make threads of the new
 * library at once. */
static void *
wrapped_dlopen (const char *file, int mode)
{
  void *handle = dlopen (file, mode);

  if (handle != NULL && __atomic_load_n (&begun, __ATOMIC_ACQUIRE)) {
    int saved_errno = errno;

    if (!pass (PYRO_IMPORTS_BRIEFLY))
      ask ();
    pyro_libraries_refresh (TRUE);
    errno = saved_errno;
  }
  return handle;
}

void
pyro_interposition_begin (void)
{
  gint64 start = g_get_monotonic_time ();

  pyro_interposition_add (NULL, 0);
  __atomic_store_n (&begun, TRUE, __ATOMIC_RELEASE);
  pass (G_MAXUINT);
  pyro_libraries_refresh (TRUE);
  GST_INFO ("watching how threads are made: %" G_GINT64_FORMAT " us to begin",
            g_get_monotonic_time () - start);
}

void
pyro_interposition_look (void)
{
  if (pyro_loader_has_changed ())
    ask ();
}

void
pyro_interposition_set_collector (void (*func) (void))
{
  __atomic_store_n (&ask_collector, func, __ATOMIC_RELEASE);
}

void
pyro_interposition_tick (void)
{
  __atomic_store_n (&has_asked, FALSE, __ATOMIC_RELEASE);
  if (__atomic_load_n (&begun, __ATOMIC_ACQUIRE))
    pass (0);
  pyro_libraries_refresh (FALSE);
  report ();
}

void
pyro_interposition_fork_child (void)
{
  pyro_pools_fork_child ();
  pyro_live_elements_fork_child ();
  pyro_libraries_fork_child ();
  pyro_imports_fork_child ();
}
