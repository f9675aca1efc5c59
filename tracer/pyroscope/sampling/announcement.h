/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: how a thread makes itself known before any scan would find it.
 * Owner: an announcement is part of a block of the thread's own; RELEASE is
 * called by the collector when the thread is gone and nobody looks at the block
 * any more.
 * Threads: pyro_threads_announce() on the announced thread itself, the rest in
 * the collector.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

#include "kernel-clock.h"
#include "label-fallback.h"
#include "turns.h"

/* The one label word that a thread had, if it never had another one. */
typedef struct {
  guint64 label; /* 0: none yet */
  guint has_others;
} PyroSoleLabel;

/* A thread's wish to be sampled at once, where its label word is, and its
 * stack: [stack_low, stack_high), 0 where that is not known. */
typedef struct _PyroAnnouncement {
  struct _PyroAnnouncement *next_queued;  /* of those that wait */
  struct _PyroAnnouncement *next_adopted; /* of one thread */
  pid_t tid;
  const guint64 *label;
  guint64 last_label; /* while *LABEL is 0: what it was before */
  PyroSoleLabel sole; /* for the CPU time of which there is no sample */
  PyroLabelFallback fallback;
  PyroTurns turns;
  guint64 ended_ns; /* 0; when it ends, what the thread's CPU clock says */
  void (*release) (struct _PyroAnnouncement *announcement);
  guintptr stack_low, stack_high; /* filled in by pyro_threads_announce() */
  guint queued;
} PyroAnnouncement;

/* Lock-free, but for the first time, when the thread's stack is asked for. An
 * announcement that still waits is not queued twice. */
void pyro_threads_announce (PyroAnnouncement *announcement);

/* Who is woken up for threads that cannot wait for the next look; NULL: nobody.
 * It has to be there as long as the process. */
void pyro_announcements_set_waker (PyroWakeup *wakeup);

/* The calling thread, which has announced itself, does not wait. */
void pyro_announcements_hurry (void);

/* All that wait, by next_queued; NULL: none. */
PyroAnnouncement *pyro_announcements_take (void);

/* The label word; of a thread that is idle, or gone, the last one that it had.
 */
guint64 pyro_announcement_get_label (const PyroAnnouncement *announcement);

/* The only label word that the thread had; 0: it had none, or several. */
guint64 pyro_announcement_get_sole_label (const PyroAnnouncement *announcement);
