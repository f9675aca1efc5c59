/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the thread that writes: captures to output-dir, and to spool-dir what
 * waits for the server. The only one that waits for a disk.
 * Owner: the files own their thread; the store and the spool are borrowed.
 * Threads: new, start and join from the delivery's owner.
 */
#pragma once

#include "settings.h"
#include "store.h"

#include <pthread.h>

G_BEGIN_DECLS

typedef struct _PyroFiles PyroFiles;

/* NULL where SETTINGS name no directory. SPOOL, or NULL. QUIET: while not 0
 * nothing is said (atomic). */
PyroFiles *pyro_files_new (const PyroSettings *settings, PyroStore *store,
                           const PyroSpool *spool, const gint *quiet);
void pyro_files_free (PyroFiles *files);

/* Runs until the store is closed and all is written. A stop that is over does
 * not end it: what the encoder finishes then is still written, if the process
 * lives that long. For pyro_own_thread_create(). */
void *pyro_files_run (void *files);

G_END_DECLS
