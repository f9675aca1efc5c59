/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "interposition.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <string.h>

#include <gst/gst.h>

#include "imports.h"
#include "invocations.h"
#include "kernel-clock.h"
#include "late-owners.h"
#include "libraries.h"
#include "live-elements.h"
#include "log.h"
#include "module-selection.h"
#include "node-stack.h"
#include "owners.h"
#include "own-thread.h"
#include "plugin-loading.h"
#include "pools.h"
#include "unwinding/unloads.h"
#include "unwinding/loader.h"
#include "workers.h"

#define GST_CAT_DEFAULT pyro_debug

static gint begun;
static gint is_complete; /* what there was at the beginning is done */

static void *wrapped_dlopen (const char *file, int mode);
static void *wrapped_dlopen_of_plugin (const char *file, int mode);

#define MAX_ADDED 40
#define STACK_SIZE (128 * 1024)
/* Modules that one plugin needs: a look at so many takes a millisecond. */
#define MAX_NEEDED 64

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
  IMPORT (g_main_context_invoke, pyro_invocations_invoke),
  IMPORT (g_main_context_invoke_full, pyro_invocations_invoke_full),
  IMPORT (dlclose, pyro_unloads_close),
#undef IMPORT
  { "dlopen", (gpointer)dlopen, (gpointer)wrapped_dlopen_of_plugin,
    "libgmodule-2.0.so" },
  { "dlopen", (gpointer)dlopen, (gpointer)wrapped_dlopen, "" },
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

static void
add_result (const PyroImportsResult *result)
{
  add (&found.looked_at, result->looked_at);
  add (&found.rewritten, result->rewritten);
  add (&found.foreign, result->foreign);
  add (&found.refused, result->refused);
}

/* FALSE: it did not come to the end. */
static gboolean
pass (guint budget)
{
  PyroImportsResult result = { 0 };

  pyro_imports_rewrite (all.list, all.n, budget, &result);
  add_result (&result);
  return result.all_seen;
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

static void
look_at (const PyroModuleSelection *set)
{
  PyroImportsResult result = { 0 };

  pyro_imports_rewrite_set (all.list, all.n, set, &result);
  add_result (&result);
  pyro_libraries_add (set);
}

/* Whose threads those are that a library's constructors make: as if the caller
 * of dlopen(), at PC, had made them itself. */
static guint64
find_loader (gpointer pc)
{
  guint generation = pyro_workers_get_generation ();
  const PyroNodeStack *stack = pyro_own_node_stack;

  return generation != 0 && stack != NULL && stack->generation == generation
             ? pyro_owners_find (pyro_node_stack_get_label (stack), pc, NULL)
             : 0;
}

static void
set_loader (void *handle, guint64 begin, gpointer pc)
{
  const struct link_map *map = NULL;
  guint64 loader = find_loader (pc);

  if (loader != 0 && dlinfo (handle, RTLD_DI_LINKMAP, &map) == 0 && map != NULL)
    pyro_libraries_set_loader ((guintptr)map->l_ld, begin, loader);
}

/* Its caller waits for the loader's lock anyway, and may make threads of the
 * new library at once, so that nothing of that is left to others. All else is
 * the collector's. */
static void *
open_library (const char *file, int mode, gpointer pc)
{
  int saved_errno = errno;
  PyroModuleSelection set;
  guint64 begin;
  void *handle;

  begin = pyro_module_selection_begin ();
  errno = saved_errno;
  handle = dlopen (file, mode);
  if (handle != NULL) {
    saved_errno = errno;
    if (pyro_module_selection_newest (&set, begin)) {
      look_at (&set);
      set_loader (handle, begin, pc);
    }
    errno = saved_errno;
  }
  return handle;
}

/* Where the caller's module has no run path, it makes no difference that we
 * call dlopen() in its place. */
static void *
wrapped_dlopen (const char *file, int mode)
{
  return __atomic_load_n (&begun, __ATOMIC_ACQUIRE)
             ? open_library (file, mode, __builtin_return_address (0))
             : dlopen (file, mode);
}

static void *
wrapped_dlopen_of_plugin (const char *file, int mode)
{
  int saved_errno = errno;
  gboolean is_noted = pyro_plugin_loading_begin ();
  void *handle;

  errno = saved_errno;
  handle = wrapped_dlopen (file, mode);
  saved_errno = errno;
  if (is_noted)
    pyro_plugin_loading_end ();
  errno = saved_errno;
  return handle;
}

static void *
complete (void *data)
{
  gint64 start = pyro_clock_monotonic ();

  pthread_setname_np (pthread_self (), "pyro-imports");
  if (pass (0)) {
    pyro_libraries_refresh (FALSE);
    __atomic_store_n (&is_complete, TRUE, __ATOMIC_RELEASE);
  }
  GST_INFO ("looked at what was loaded in %" G_GINT64_FORMAT " us",
            pyro_clock_monotonic () - start);
  return NULL;
}

/* Where many modules are loaded, a look at all of them takes tens of
 * milliseconds: a thread that then ends does that. */
static gboolean
begin_in_behind (void)
{
  pthread_t thread;

  if (pyro_own_thread_create (&thread, STACK_SIZE, PYRO_OWN_THREAD_PROMPT,
                              complete, NULL)
      != 0)
    return FALSE;
  pthread_detach (thread);
  return TRUE;
}

void
pyro_interposition_begin (void)
{
  gint64 start = pyro_clock_monotonic ();

  if (__atomic_load_n (&begun, __ATOMIC_ACQUIRE))
    return;
  pyro_interposition_add (NULL, 0);
  /* From here on, whatever is loaded is led through by whoever loads it. */
  __atomic_store_n (&begun, TRUE, __ATOMIC_RELEASE);
  if (pass (PYRO_IMPORTS_BRIEFLY)
      || (!begin_in_behind () && pass (G_MAXUINT))) {
    pyro_libraries_refresh (TRUE);
    __atomic_store_n (&is_complete, TRUE, __ATOMIC_RELEASE);
  }
  pyro_log_user (GST_LEVEL_INFO,
                 "watching how threads are made: %" G_GINT64_FORMAT
                 " us to begin",
                 pyro_clock_monotonic () - start);
}

/* Whether FILE was in the list, to which it is added; where two have one place,
 * the later one. */
static gboolean
is_in_use (const gchar *file)
{
  static const gchar *files[64];
  gsize at = ((guintptr)file >> 4) % G_N_ELEMENTS (files);

  return __atomic_exchange_n (&files[at], file, __ATOMIC_ACQ_REL) == file;
}

void
pyro_interposition_use (const gchar *path)
{
  PyroModuleSelection set
      = { .root = pyro_library_name (path != NULL ? path : ""),
          .n_with_needed = MAX_NEEDED };

  if (!pyro_interposition_is_complete () && !is_in_use (set.root))
    look_at (&set);
}

gboolean
pyro_interposition_is_complete (void)
{
  return !__atomic_load_n (&begun, __ATOMIC_ACQUIRE)
         || __atomic_load_n (&is_complete, __ATOMIC_ACQUIRE);
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
  gboolean all_seen;

  __atomic_store_n (&has_asked, FALSE, __ATOMIC_RELEASE);
  all_seen = __atomic_load_n (&begun, __ATOMIC_ACQUIRE) && pass (0);

  pyro_libraries_refresh (FALSE);
  if (all_seen)
    __atomic_store_n (&is_complete, TRUE, __ATOMIC_RELEASE);
  report ();
}

void
pyro_interposition_fork_child (void)
{
  pyro_pools_fork_child ();
  pyro_live_elements_fork_child ();
  pyro_imports_fork_child ();
  pyro_late_owners_fork_child ();
}
