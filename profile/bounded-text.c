/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/bounded-text.h"

#include <string.h>

/* "...#" and 16 digits. */
#define MARK_SIZE 20

/* FNV-1a. */
static guint64
hash_text (const gchar *text)
{
  guint64 hash = G_GUINT64_CONSTANT (0xcbf29ce484222325);

  for (; *text != '\0'; text++)
    hash = (hash ^ (guint8)*text) * G_GUINT64_CONSTANT (0x100000001b3);
  return hash;
}

gchar *
pyro_bounded_text (const gchar *text, gsize max, gboolean *is_cut)
{
  gchar *valid = g_utf8_make_valid (text, -1);
  gsize length = strlen (valid);
  gchar *end;

  if (is_cut != NULL)
    *is_cut = length > max;
  if (length <= max)
    return valid;
  /* The start of the character that the byte behind the last one is in. */
  end = valid + max - MARK_SIZE;
  while (((guint8)*end & 0xc0) == 0x80)
    end--;
  /* There is room: the text was longer than MAX. */
  g_snprintf (end, MARK_SIZE + 1, "...#%016" G_GINT64_MODIFIER "x",
              hash_text (text));
  return valid;
}
