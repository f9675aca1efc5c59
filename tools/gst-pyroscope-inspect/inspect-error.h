/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the tool's error domain, and how it reports to stderr.
 * Owner: all strings are borrowed.
 * Threads: main only.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define PYRO_INSPECT_ERROR (pyro_inspect_error_quark ())
GQuark pyro_inspect_error_quark (void);

typedef enum {
  PYRO_INSPECT_ERROR_UNKNOWN,  /* a name that is not there */
  PYRO_INSPECT_ERROR_VALUE,    /* an option's value that makes no sense */
  PYRO_INSPECT_ERROR_NO_MATCH, /* nothing left to show */
  PYRO_INSPECT_ERROR_READ,
} PyroInspectError;

/* One line on stderr, "gst-pyroscope-inspect: …". */
void pyro_report (const gchar *format, ...) G_GNUC_PRINTF (1, 2);

G_END_DECLS
