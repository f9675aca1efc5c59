/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"

#include <math.h>

static void
write_string (PyroJson *json, const gchar *text)
{
  g_autofree gchar *valid = g_utf8_make_valid (text, -1);
  const guchar *at;

  fputc ('"', json->stream);
  for (at = (const guchar *)valid; *at != '\0'; at++) {
    if (*at == '"' || *at == '\\')
      fprintf (json->stream, "\\%c", *at);
    else if (*at < 0x20 || *at == 0x7f)
      fprintf (json->stream, "\\u%04x", *at);
    else
      fputc (*at, json->stream);
  }
  fputc ('"', json->stream);
}

static void
new_line (PyroJson *json)
{
  fprintf (json->stream, "\n%*s", (int)json->depth * 2, "");
}

/* What goes before a value: comma, line, key. */
static void
begin_value (PyroJson *json, const gchar *key)
{
  guint64 bit = G_GUINT64_CONSTANT (1) << json->depth;

  if (json->depth > 0) {
    if (json->filled & bit)
      fputc (',', json->stream);
    new_line (json);
  }
  json->filled |= bit;
  if (key != NULL) {
    write_string (json, key);
    fputs (": ", json->stream);
  }
}

static void
open_scope (PyroJson *json, const gchar *key, gchar bracket)
{
  begin_value (json, key);
  fputc (bracket, json->stream);
  json->depth++;
  g_assert (json->depth < 64);
  json->filled &= ~(G_GUINT64_CONSTANT (1) << json->depth);
}

static void
close_scope (PyroJson *json, gchar bracket)
{
  gboolean filled = (json->filled & G_GUINT64_CONSTANT (1) << json->depth) != 0;

  json->depth--;
  if (filled)
    new_line (json);
  fputc (bracket, json->stream);
}

void
pyro_json_begin (PyroJson *json, FILE *stream)
{
  *json = (PyroJson){ stream };
}

void
pyro_json_end (PyroJson *json)
{
  g_assert (json->depth == 0);
  fputc ('\n', json->stream);
}

void
pyro_json_begin_object (PyroJson *json, const gchar *key)
{
  open_scope (json, key, '{');
}

void
pyro_json_end_object (PyroJson *json)
{
  close_scope (json, '}');
}

void
pyro_json_begin_array (PyroJson *json, const gchar *key)
{
  open_scope (json, key, '[');
}

void
pyro_json_end_array (PyroJson *json)
{
  close_scope (json, ']');
}

void
pyro_json_string (PyroJson *json, const gchar *key, const gchar *value)
{
  begin_value (json, key);
  if (value == NULL)
    fputs ("null", json->stream);
  else
    write_string (json, value);
}

/* What a double holds exactly; JavaScript has nothing else. */
#define MAX_EXACT (G_GINT64_CONSTANT (1) << 53)

void
pyro_json_int (PyroJson *json, const gchar *key, gint64 value)
{
  gboolean exact = value >= -MAX_EXACT && value <= MAX_EXACT;

  begin_value (json, key);
  fprintf (json->stream,
           exact ? "%" G_GINT64_FORMAT : "\"%" G_GINT64_FORMAT "\"", value);
}

void
pyro_json_uint (PyroJson *json, const gchar *key, guint64 value)
{
  begin_value (json, key);
  fprintf (json->stream,
           value <= MAX_EXACT ? "%" G_GUINT64_FORMAT
                              : "\"%" G_GUINT64_FORMAT "\"",
           value);
}

void
pyro_json_bool (PyroJson *json, const gchar *key, gboolean value)
{
  begin_value (json, key);
  fputs (value ? "true" : "false", json->stream);
}

void
pyro_json_double (PyroJson *json, const gchar *key, gdouble value)
{
  gchar text[G_ASCII_DTOSTR_BUF_SIZE];

  g_assert (isfinite (value));
  begin_value (json, key);
  fputs (g_ascii_formatd (text, sizeof text, "%.6g", value), json->stream);
}
