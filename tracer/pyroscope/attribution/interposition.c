/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "interposition.h"

#include <dlfcn.h>
#include <errno.h>

#include <gst/gst.h>

#include "imports.h"
#include "libraries.h"
#include "live-elements.h"
#include "log.h"
#include "pools.h"
#include "unwinding/unloads.h"
#include "workers.h"

#define GST_CAT_DEFAULT pyro_debug

static gboolean begun;

static void *wrapped_dlopen (const char *file, int mode);

static const PyroImport imports[] = {
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
  { "dlopen", (gpointer)dlopen, (gpointer)wrapped_dlopen, "libgmodule-2.0.so" },
};

static void
pass (void)
{
  static gint refusal_told;
  PyroImportsResult result = { 0 };

  pyro_imports_rewrite (imports, G_N_ELEMENTS (imports), &result);
  GST_DEBUG ("%u calls go to wrappers now, %u to another tool's, %u could not "
             "be changed",
             result.rewritten, result.foreign, result.refused);
  if (result.refused > 0
      && !__atomic_exchange_n (&refusal_told, TRUE, __ATOMIC_RELAXED))
    pyro_log_user (GST_LEVEL_WARNING,
                   "memory protection does not allow to watch how %u calls "
                   "make threads: those of some codecs have no element; "
                   "thread-owners=false does without",
                   result.refused);
}

static void *
wrapped_dlopen (const char *file, int mode)
{
  void *handle = dlopen (file, mode);

  if (handle != NULL) {
    int saved_errno = errno;

    pyro_interposition_look ();
    errno = saved_errno;
  }
  return handle;
}

void
pyro_interposition_begin (void)
{
  gint64 start = g_get_monotonic_time ();

  __atomic_store_n (&begun, TRUE, __ATOMIC_RELEASE);
  pass ();
  pyro_libraries_refresh ();
  GST_INFO ("watching how threads are made: %" G_GINT64_FORMAT " us to begin",
            g_get_monotonic_time () - start);
}

void
pyro_interposition_look (void)
{
  if (__atomic_load_n (&begun, __ATOMIC_ACQUIRE) && pyro_imports_wants_pass ())
    pass ();
  pyro_libraries_refresh ();
}

void
pyro_interposition_fork_child (void)
{
  pyro_pools_fork_child ();
  pyro_live_elements_fork_child ();
  pyro_libraries_fork_child ();
  pyro_imports_fork_child ();
}
