/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the rings of one thread: the one that its handler writes to, and those
 * that became too small when the rate was raised. A handler that is on its way
 * may still write to an old one, so they are read, and kept, until the thread
 * is gone.
 * Owner: the thread's record in the collector.
 * Threads: the collector; the handler gets the newest ring by
 * PyroThreadRecord.ring.
 */
#pragma once

#include <glib.h>

#include "ring.h"

#define PYRO_MAX_RATE 1000 /* Hz */

/* From 16 KiB to 256 KiB. */
#define PYRO_MAX_RINGS 5

typedef struct {
  PyroRing rings[PYRO_MAX_RINGS]; /* oldest first */
  guint n;
} PyroRings;

/* The ring for RATE: the newest one, or a new one if that is too small; where
 * memory is short, a small one. NULL: there is none at all. */
PyroRing *pyro_rings_get (PyroRings *rings, guint rate);

/* The oldest sample, and its ring; NULL: all are empty. */
PyroRawSample *pyro_rings_peek (PyroRings *rings, PyroRing **ring);

void pyro_rings_clear (PyroRings *rings);
