/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the tracer hooks that tell which element each thread executes.
 * Owner: GStreamer keeps registered hooks until the process ends.
 * Threads: register once, at the tracer's construction (GStreamer's
 * registration is not thread-safe); start and stop from any thread.
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct {
  /* Data flows or an element leaves the NULL state while signs of life are
   * wanted. Perhaps on several threads at once. Hooks are on then: who starts,
   * how long that takes and what others do meanwhile makes no difference. If
   * nobody starts, they have to be stopped. */
  void (*sign_of_life) (void);
  /* A stream or a pipeline has come to its end. */
  void (*pause_in_work) (void);
} PyroHookCallbacks;

/* CALLBACKS must be static. Only hooks that the running GStreamer has are
 * registered: an unknown name would register for all of them. */
void
pyro_hooks_register (GstTracer *tracer, const PyroHookCallbacks *callbacks);

/* Where threads without hooks are to get the element that made them, the calls
 * that make them are led through wrappers, long before a session starts: what
 * the application or an element makes early has an owner, too. At the tracer's
 * construction. */
void pyro_hooks_prepare (gboolean thread_owners);

/* A session has started, and threads keep their stacks of nodes and announce
 * themselves, if they do not since the first sign of life. Threads start with
 * an empty stack. THREAD_OWNERS: threads and tasks without hooks get the
 * element that made them. */
void pyro_hooks_start (gboolean thread_owners);
void pyro_hooks_stop (void);

/* The label word of a sample whose LABEL is in doubt: LABEL if its stack (PCS,
 * leaf first) shows the call of a query, else FALLBACK; 0 if the stack is not
 * whole. For the collector. */
guint64
pyro_hooks_settle_doubt (const guintptr *pcs, guint n_pcs, gboolean is_whole,
                         guint64 label, guint64 fallback);

/* Signs of life are only reported where they are wanted. */
void pyro_hooks_watch_for_life (gboolean wanted);

G_END_DECLS
