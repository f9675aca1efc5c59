/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: writes one JSON document (RFC 8259), value by value.
 * Owner: the stream is borrowed.
 * Threads: one writer belongs to one thread.
 */
#pragma once

#include <stdio.h>

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  FILE *stream;
  guint depth;
  guint64 filled; /* bit N: the value at depth N has a member already */
} PyroJson;

/* KEY names the member of an object; NULL for those of an array and for the
 * document itself. At most 63 levels deep. */
void pyro_json_begin (PyroJson *json, FILE *stream);
void pyro_json_end (PyroJson *json);
void pyro_json_begin_object (PyroJson *json, const gchar *key);
void pyro_json_end_object (PyroJson *json);
void pyro_json_begin_array (PyroJson *json, const gchar *key);
void pyro_json_end_array (PyroJson *json);

/* NULL is null; what is not UTF-8 becomes U+FFFD. */
void pyro_json_string (PyroJson *json, const gchar *key, const gchar *value);
/* Beyond 2^53, where JavaScript would round, the number is a string. */
void pyro_json_int (PyroJson *json, const gchar *key, gint64 value);
void pyro_json_uint (PyroJson *json, const gchar *key, guint64 value);
void pyro_json_bool (PyroJson *json, const gchar *key, gboolean value);
/* Six digits; VALUE is finite. */
void pyro_json_double (PyroJson *json, const gchar *key, gdouble value);

G_END_DECLS
