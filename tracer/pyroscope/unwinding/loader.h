/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what the dynamic loader has loaded, and safe copies out of it.
 * Owner: lists are the caller's.
 * Threads: the collector's, but for what says otherwise; pyro_loader_fork_* by
 * whoever forks.
 *
 * The loader's lock is only ever held for a walk over its list or for one copy
 * of at most 128 KiB; nothing is allocated meanwhile, since an allocator may
 * call the loader while it holds a lock of its own.
 */
#pragma once

#include <glib.h>
#include <link.h>

G_BEGIN_DECLS

#define PYRO_MAX_BUILD_ID 64

typedef struct {
  guint64 start, limit; /* run-time addresses */
  guint64 file_offset;
  gboolean is_executable;
  gboolean is_readable;
} PyroLoadSegment;

typedef struct {
  gchar *name; /* the loader's; "" for the program itself */
  guint64 bias;
  guint64 dynamic; /* run-time address of PT_DYNAMIC, or 0 */
  guint64 dynamic_size;
  guint64 eh_frame_hdr; /* run-time address of PT_GNU_EH_FRAME, or 0 */
  guint8 build_id[PYRO_MAX_BUILD_ID];
  guint build_id_size;
  GArray *segments; /* of PyroLoadSegment */
} PyroLoadedModule;

/* How often the loader has added and removed a module. FALSE if it does not
 * say (then nothing but the list itself tells). */
gboolean pyro_loader_get_counters (guint64 *adds, guint64 *subs);

/* Every module of the caller's namespace, the vDSO included. Of
 * PyroLoadedModule, which the array owns. */
GPtrArray *pyro_loader_list (void);

/* The N that were loaded last, for the application's threads: NULL where they
 * would have to wait for us or memory is short. */
GPtrArray *pyro_loader_try_list_last (guint n);

/* As pyro_loader_get_counters(), and FALSE where it would have to wait for us.
 */
gboolean pyro_loader_try_get_counters (guint64 *adds, guint64 *subs);

/* SIZE bytes at ADDRESS of MODULE, which is looked up again for each part: a
 * module that is gone, or a file that was cut off below its mapping, ends the
 * copy. Returns how many bytes were copied. */
gsize pyro_loader_copy (const PyroLoadedModule *module, guint64 address,
                        gsize size, guint8 *out);

/* dl_iterate_phdr(), and what it returns, so that a fork() meanwhile does not
 * leave the loader's lock behind in the child. FUNC must not allocate. */
int pyro_loader_iterate (int (*func) (struct dl_phdr_info *, size_t, void *),
                         gpointer data);

/* The same, on a thread of the application's, which waits neither for the
 * collector nor for a fork(): FALSE if a fork() is under way and nothing was
 * done. */
gboolean pyro_loader_iterate_as_guest (int (*func) (struct dl_phdr_info *,
                                                    size_t, void *),
                                       gpointer data, int *result);

/* Inside FUNC: notes which module is the last one of the loader's list, to
 * which new ones are added. */
void pyro_loader_note_last (void);

/* Something was loaded or unloaded since it was noted; any thread, no lock. It
 * may say so where nothing was, and may miss that one module took the place of
 * another. */
gboolean pyro_loader_has_changed (void);

/* Reads this process's memory without the danger of a fault: the pages of a
 * file that was truncated below its mapping raise SIGBUS on a plain read.
 * Returns how many bytes were copied. Where a seccomp filter refuses the
 * system call, plain reads have to do. */
gsize pyro_loader_read_memory (guint64 address, gsize size, void *out);

/* Each page of it can be read now. Allocates nothing. */
gboolean pyro_loader_is_readable (guint64 address, gsize size);

/* Around fork(): the loader's lock is not held by a thread that the child will
 * not have. prepare waits at most 100 ms. */
void pyro_loader_fork_prepare (void);
void pyro_loader_fork_done (gboolean in_child);

G_END_DECLS
