/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: reads this process's memory without the danger of a fault.
 * Owner: nothing is owned.
 * Threads: any, outside of the handler.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Returns how many of SIZE bytes at ADDRESS were copied to OUT: memory that is
 * gone, or may not be read, or is of a file that was cut off below its mapping,
 * ends the copy. Where a seccomp filter refuses process_vm_readv(2), by /proc;
 * where that cannot be had either, nothing is copied. */
gsize pyro_own_memory_read (guint64 address, gsize size, void *out);

G_END_DECLS
