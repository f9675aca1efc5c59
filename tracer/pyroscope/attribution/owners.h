/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the rules by which a thread without hooks gets the element that owns
 * it.
 * Owner: nothing; it reads the tables of libraries and live elements.
 * Threads: pyro_owners_find() on any, inside pthread_create(): it takes no
 * lock, waits for nobody, allocates nothing and calls nothing of GLib's object
 * system or of GStreamer.
 *
 * A codec makes its threads wherever it is opened, and what GStreamer's hooks
 * say then is often an element upstream, or an autoplugging bin. Truth is in
 * the libraries: only an element whose plugin links the library of the
 * thread's start routine can own the thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The calling thread, whose label word is CREATOR, makes a thread that begins
 * with START (ARGUMENT). Returns the new thread's label word; 0: nobody's.
 *
 * - Threads of GLib's pools and of the whole process are nobody's.
 * - What the element current in the creator made is its own, if its plugin
 *   links the library of START (or START says nothing: OpenMP's, code without a
 *   file) and no other live element is of that plugin.
 * - What the program itself runs is nobody's, unless the element is of the
 *   program: the application makes threads in callbacks, too.
 * - Otherwise the creator's stack tells: the nearest frame of a plugin that
 *   links the library, and in it the address of a live element of that plugin.
 * - Otherwise the current element, if the library allows it.
 * - A worker's own threads are its owner's; those of a shared thread are
 * shared. */
guint64 pyro_owners_find (guint64 creator, gpointer start, gpointer argument);

/* LABEL, the label word of whoever hands a task over to a thread that runs it
 * by FUNC; 0 if that cannot be the work of LABEL's element, because its plugin
 * does not link the library of FUNC: an application may do that in a callback.
 * What belongs to GLib, GStreamer or GIO serves everybody. Where LABEL is a
 * question that cannot be settled now, it stays one, or is 0 where the answer
 * depends on it: when the task begins, it may be asked for again. */
guint64 pyro_owners_check_task (guint64 label, gpointer func);

/* FUNC belongs to GLib, GStreamer or GIO. */
gboolean pyro_owners_is_everybodys (gpointer func);

/* A thread that begins with START (ARGUMENT) does work of a library's, not of
 * the program's or of code without a file. */
gboolean pyro_owners_is_library (gpointer start, gpointer argument);

G_END_DECLS
