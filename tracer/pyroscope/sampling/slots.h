/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the places in pyro_thread_records, where a handler finds its record.
 * Owner: records are borrowed. The table is the process's.
 * Threads: the collector.
 */
#pragma once

#include <glib.h>

#include "thread-record.h"

/* FALSE: all PYRO_MAX_THREADS are taken. */
gboolean pyro_slots_take (PyroThreadRecord *record);

/* From now on no handler finds it. */
void pyro_slots_give_back (PyroThreadRecord *record);

/* Calls VISIT for each record that its handler has marked, and takes the mark
 * away. */
void pyro_slots_visit_marked (void (*visit) (PyroThreadRecord *record,
                                             gpointer data),
                              gpointer data);

/* Empties the table. */
void pyro_slots_forget (void);
